#!/bin/sh
# Made by lakewright from blueprint minio, entry.sh.tera. Change that and build again: edits here are lost.
# Starts the server through the image's own entry point.
set -eu
# The server wants the key with a name, in a file: this one is in memory and goes with the container.
(
  umask 077
  printf 'lake:%s\n' "$(cat /run/secrets/minio-encryption-key)" >/tmp/encryption.key
)
exec /usr/bin/docker-entrypoint.sh "$@"
