#!/bin/sh
# Has the coordinator write a copy into the bucket, while it runs, and takes it from there.
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/connect.sh"
# shellcheck source=/dev/null
. "${here}/tool.sh"

tidy() {
  rclone purge "lake:${BUCKET:?}/${FOLDER:?}" 2>/dev/null || :
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM
# What a run that was cut off has left.
tidy
configure "${BACKUP_WORK:?}/local" "${DIST:?}"
# From a file: arguments can be seen by every process.
{
  printf -- '--user=%s\n--backupdir=dremioS3:///%s/%s\n--password=' "${DREMIO_USER:?}" "${BUCKET}" "${FOLDER:?}"
  tr -d '\n' <"${DREMIO_PASSWORD_FILE:?}"
  echo
} >"${BACKUP_WORK}/arguments"
admin backup "@${BACKUP_WORK}/arguments"
rm "${BACKUP_WORK}/arguments"

# A folder named after the time, and in it a description and a file for each table, uploads and keys.
rclone lsf --recursive --files-only "lake:${BUCKET}/${FOLDER}" >"${BACKUP_WORK}/unsorted"
folder=$(sed -n 's:^\(dremio_backup_[^/]*\)/.*:\1:p' "${BACKUP_WORK}/unsorted" | sort -u)
case "${folder}" in
  dremio_backup_*[!0-9_.-]* | '')
    echo 'the coordinator has written no copy, or more than one' >&2
    exit 1
    ;;
  *) ;;
esac
sed "s:^${folder}/::" "${BACKUP_WORK}/unsorted" | LC_ALL=C sort >"${BACKUP_WORK}/objects"
if ! grep -q '_info\.json$' "${BACKUP_WORK}/objects"; then
  echo 'the copy has no tables' >&2
  exit 1
fi
put version printf '%s\n' "${DREMIO_VERSION:?}"
put objects cat "${BACKUP_WORK}/objects"
number=0
while IFS= read -r path; do
  number=$((number + 1))
  put "object-${number}" rclone cat "lake:${BUCKET}/${FOLDER}/${folder}/${path}" </dev/null
done <"${BACKUP_WORK}/objects"
printf '%s tables, %s files in all\n' "$(grep -c '_info\.json$' "${BACKUP_WORK}/objects")" "${number}" >&2
