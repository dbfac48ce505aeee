#!/bin/sh
# Made by lakewright from blueprint minio, entry.sh.tera. Change that and build again: edits here are lost.
# Starts the server through the image's own entry point.
set -eu
exec /usr/bin/docker-entrypoint.sh "$@"
