#!/bin/sh
# Made by lakewright from blueprint valkey, exporter.sh.tera. Change that and build again: edits here are lost.
# Starts the exporter. It takes passwords from a JSON file only, by the server's address: that is made in memory.
set -eu
umask 077

value=
IFS= read -r value </run/secrets/valkey-metrics || [ -n "${value}" ] || {
  printf '%s: empty or missing\n' /run/secrets/valkey-metrics >&2
  exit 1
}
escaped="$(printf '%s' "${value}" | sed 's/[\\"]/\\&/g')"
address=valkey:6379
printf '{"%s://metrics@%s":"%s"}\n' redis "${address}" "${escaped}" >/tmp/passwords.json

export REDIS_ADDR="redis://${address}"
export REDIS_USER=metrics
export REDIS_PASSWORD_FILE=/tmp/passwords.json
# Its user may not ask for the configuration; what alerts need of it is among the statistics.
export REDIS_EXPORTER_CONFIG_COMMAND=-
export REDIS_EXPORTER_SET_CLIENT_NAME=false
export REDIS_EXPORTER_LOG_FORMAT=json
export REDIS_EXPORTER_WEB_LISTEN_ADDRESS=:9121
exec /redis_exporter
