#!/bin/sh
# Brings the mirror up to date, and makes a list of it.
# What is counted for people decides nothing.
# shellcheck disable=SC2312
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/connect.sh"
# shellcheck source=/dev/null
. "${here}/layers.sh"
open_mirror "${MIRROR_KEY:?}"

rclone lsf --dirs-only lake: >"${BACKUP_WORK:?}/buckets"
if [ ! -s "${BACKUP_WORK}/buckets" ]; then
  echo 'the store has no buckets: the mirror stays as it is' >&2
  exit 1
fi
# An object is the same when size and time are. One that is written to meanwhile fails, and is there next time.
rclone sync --backup-dir "mirror:replaced/${BACKUP_ID:?}" lake: mirror:current
objects mirror:current "${BACKUP_WORK}/objects"
put objects cat "${BACKUP_WORK}/objects"
put buckets cat "${BACKUP_WORK}/buckets"
put mirror.key cat "${MIRROR_KEY}"
# What was replaced before the oldest copy that is left was made is of no use to any.
if [ -n "${BACKUP_OLDEST:-}" ]; then
  for copy in $(replaced); do
    if [ "$(printf '%s\n%s\n' "${copy}" "${BACKUP_OLDEST}" | LC_ALL=C sort | head -n 1)" = "${copy}" ]; then
      rclone purge "mirror:replaced/${copy}"
    fi
  done
fi
awk -F '\t' '{ sum += $1 } END { printf "%d objects, %.0f bytes\n", NR, sum }' "${BACKUP_WORK}/objects" >&2
