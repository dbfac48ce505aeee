#!/bin/sh
# Made by lakewright from blueprint valkey, health.sh.tera. Change that and build again: edits here are lost.
# Asks the server for a PONG, as a user that may do nothing else. AUTH goes through standard input, so that the password
# is in no process's arguments or environment.
set -eu

value=
IFS= read -r value </run/secrets/valkey-health || [ -n "${value}" ]
answer="$(printf 'AUTH health %s\nPING\n' "${value}" | valkey-cli -h 127.0.0.1 -p 6379)"
# While the append-only file is loaded, the answer is LOADING.
case "${answer}" in
  *PONG*) ;;
  *)
    printf '%s\n' "${answer}" >&2
    exit 1
    ;;
esac
