#!/bin/sh
# Puts a copy into an empty store, as Dremio's own tool does it, and counts.
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/connect.sh"
# shellcheck source=/dev/null
. "${here}/tool.sh"

# files FOLDER: how many there are in it, besides the checksums of Hadoop.
files() {
  find "$1" -type f ! -name '.*.crc' 2>/dev/null | wc -l | tr -d ' '
}

scratch=${BACKUP_SCRATCH:?}
mkdir -p "${scratch}/copy" "${scratch}/data/db" "${scratch}/dist"
lay_out "${scratch}/copy"
configure "${scratch}/data" "file://${scratch}/dist"
admin restore "--backupdir=file://${scratch}/copy"
if [ "$(files "${scratch}/data/db")" -eq 0 ]; then
  echo 'the store is empty' >&2
  exit 1
fi
wanted=$(files "${scratch}/copy/uploads")
found=$(files "${scratch}/dist/uploads")
if [ "${wanted}" -ne "${found}" ]; then
  printf 'of %s uploaded files %s are there\n' "${wanted}" "${found}" >&2
  exit 1
fi
printf '%s tables and %s uploaded files were put back\n' "$(grep -c '_info\.json$' "${BACKUP_WORK:?}/objects")" "${found}" >&2
