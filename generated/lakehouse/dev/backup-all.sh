#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Makes a copy of everything now, in the order in which systems depend on each other.
set -eu
cd "$(dirname "$0")"
failed=''
./backup-minio.sh "$@" || failed="${failed} minio"
./backup-postgresql.sh "$@" || failed="${failed} postgresql"
./backup-elasticsearch.sh "$@" || failed="${failed} elasticsearch"
./backup-dremio.sh "$@" || failed="${failed} dremio"
if [ -n "${failed}" ]; then
  printf 'backup-all.sh: failed:%s\n' "${failed}" >&2
  exit 1
fi
