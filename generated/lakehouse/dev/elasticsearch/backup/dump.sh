#!/bin/sh
# Makes a snapshot, and brings the mirror of the bucket up to date while nobody writes there.
# What functions in conditions say is their status.
# shellcheck disable=SC2310,SC2312
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/connect.sh"
# shellcheck source=/dev/null
. "${here}/mirror.sh"
# shellcheck source=/dev/null
. "${here}/snapshots.sh"

open_mirror "${MIRROR_KEY:?}"
repository lakewright snapshots false
# One that a run has begun which was cut off is waited for: the bucket must be quiet.
while request GET /_snapshot/lakewright/_current && [ "$(jq '.snapshots | length' "${answer:?}")" -gt 0 ]; do
  sleep 5
done

documents >"${BACKUP_WORK:?}/before"
name=copy-$(printf '%s' "${BACKUP_ID:?}" | tr '[:upper:]' '[:lower:]')
request PUT "/_snapshot/lakewright/${name}?wait_for_completion=true" '{"include_global_state": true, "partial": false}'
request GET "/_snapshot/lakewright/${name}"
cp "${answer}" "${BACKUP_WORK}/snapshot"
state=$(jq -r '.snapshots[0].state' "${BACKUP_WORK}/snapshot")
if [ "${state}" != SUCCESS ]; then
  printf 'the snapshot is %s: %s\n' "${state}" "$(jq -c '.snapshots[0].failures[:5]' "${BACKUP_WORK}/snapshot")" >&2
  request DELETE "/_snapshot/lakewright/${name}"
  exit 1
fi
documents >"${BACKUP_WORK}/after"

# Name, documents before, documents after. An index that was not there at one of both times has what it had at the other.
indices_of "${BACKUP_WORK}/snapshot" >"${BACKUP_WORK}/indices"
awk -F '\t' '
  FILENAME ~ /before$/ { before[$1] = $2; next }
  FILENAME ~ /after$/ { after[$1] = $2; next }
  ($1 in before) || ($1 in after) {
    printf "%s\t%s\t%s\n", $1, ($1 in before) ? before[$1] : 0, ($1 in after) ? after[$1] : before[$1]
  }
' "${BACKUP_WORK}/before" "${BACKUP_WORK}/after" "${BACKUP_WORK}/indices" >"${BACKUP_WORK}/counts"
put snapshot cat "${BACKUP_WORK}/snapshot"
if [ ! -s "${BACKUP_WORK}/counts" ]; then
  echo 'there are no indices yet' >&2
  exit 1
fi
put counts cat "${BACKUP_WORK}/counts"
update "lake:${BUCKET:?}/snapshots"

# Those of earlier runs are in the mirror; one here is enough to build the next upon.
request GET '/_snapshot/lakewright/copy-*'
jq -r '.snapshots[].snapshot' "${answer}" >"${BACKUP_WORK}/names"
while IFS= read -r old; do
  [ "${old}" = "${name}" ] || request DELETE "/_snapshot/lakewright/${old}"
done <"${BACKUP_WORK}/names"
