#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Compares all copies with their checksums: ./verify-backup.sh [COMPONENT] [--from offsite]
# With --drill the newest copy is put back into a scratch place instead, which proves more and takes longer.
set -eu
cd "$(dirname "$0")"
components=''
drill=''
from=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    --drill) drill=yes ;;
    --from)
      from=${2:?}
      shift
      ;;
    -h | --help)
      sed -n '4,5s/^# //p' "$0"
      exit 0
      ;;
    minio | postgresql | elasticsearch | dremio) components="${components} $1" ;;
    *)
      sed -n '4,5s/^# //p' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
failed=''
for component in ${components:-minio postgresql elasticsearch dremio}; do
  job="${component}-restore"
  set -- verify
  if [ -n "${drill}" ]; then
    job="${component}-drill"
    set -- drill
  fi
  [ -z "${from}" ] || set -- "$@" --from "${from}"
  ./backup-job.sh "${job}" "$@" || failed="${failed} ${component}"
done
if [ -n "${failed}" ]; then
  printf 'verify-backup.sh: failed:%s\n' "${failed}" >&2
  exit 1
fi
