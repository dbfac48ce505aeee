#!/bin/sh
# Puts a copy back into a server that lives for as long as this takes, by the same steps as a restore, and compares each row.
set -eu
here=${0%/*}
data=${BACKUP_SCRATCH:?}/data
socket=${BACKUP_WORK:?}
initdb --pgdata="${data}" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >/dev/null
trap 'pg_ctl --pgdata="${data}" --mode=immediate --silent stop || :' EXIT
trap 'exit 1' HUP INT TERM
# Nobody outside reaches it, and nothing of it need last.
pg_ctl --pgdata="${data}" --silent --wait --log="${BACKUP_SCRATCH}/log" \
  --options="-c listen_addresses= -c port=5432 -c unix_socket_directories=${socket} -c fsync=off -c shared_buffers=32MB -c autovacuum=off" start || {
  cat "${BACKUP_SCRATCH}/log" >&2
  exit 1
}
export PGHOST="${socket}" PGPORT=5432 PGUSER=postgres PGDATABASE=template1
# shellcheck source=/dev/null
. "${here}/replay.sh"
replay
