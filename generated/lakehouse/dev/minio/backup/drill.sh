#!/bin/sh
# Looks whether every object of a copy is in the mirror, and reads some of them back: the mirror's encryption tells whether a
# byte of them is another.
# What is counted for people decides nothing.
# shellcheck disable=SC2312
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/mirror.sh"
# Bytes that are read back at most: they need room beside the copies.
most=1073741824
get mirror.key >"${BACKUP_WORK:?}/key"
open_mirror "${BACKUP_WORK}/key"
find_layers

read_back=0
for list in "${BACKUP_WORK}/layers"/*; do
  layer=$(basename "${list}")
  place=$(place_of "${layer}")
  shuf "${list}" | awk -F '\t' -v most="${most}" '{ sum += $1; if (sum > most) exit; sub(/^[^\t]*\t[^\t]*\t/, ""); print }' >"${BACKUP_WORK}/paths"
  [ -s "${BACKUP_WORK}/paths" ] || continue
  rclone copy --files-from-raw "${BACKUP_WORK}/paths" "${place}" "${BACKUP_SCRATCH:?}/read"
  read_back=$((read_back + $(wc -l <"${BACKUP_WORK}/paths")))
  rm -rf "${BACKUP_SCRATCH}/read"
done
printf '%s objects are there, %s of them were read back\n' "$(wc -l <"${BACKUP_WORK}/wanted" | tr -d ' ')" "${read_back}" >&2
