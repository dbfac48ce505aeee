#!/bin/sh
# Puts every object of a copy back. What the store has besides stays; in versioned buckets, so does what is replaced.
# What is counted for people decides nothing.
# shellcheck disable=SC2312
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/connect.sh"
# shellcheck source=/dev/null
. "${here}/mirror.sh"
get mirror.key >"${BACKUP_WORK:?}/key"
open_mirror "${BACKUP_WORK}/key"
find_layers

get buckets | while IFS= read -r bucket; do
  rclone mkdir "lake:${bucket}"
done
fetch lake:
objects lake: "${BACKUP_WORK}/there"
LC_ALL=C comm -23 "${BACKUP_WORK}/wanted" "${BACKUP_WORK}/there" >"${BACKUP_WORK}/missing"
if [ -s "${BACKUP_WORK}/missing" ]; then
  printf '%s objects are not as they were, among them:\n' "$(wc -l <"${BACKUP_WORK}/missing" | tr -d ' ')" >&2
  head -n 5 "${BACKUP_WORK}/missing" >&2
  exit 1
fi
printf '%s objects are as they were\n' "$(wc -l <"${BACKUP_WORK}/wanted" | tr -d ' ')" >&2
