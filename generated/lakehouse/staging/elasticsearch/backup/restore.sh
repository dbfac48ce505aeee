#!/bin/sh
# Puts the indices, data streams and settings of a copy back. What is there of the same name is deleted first; the rest stays.
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

bring restore
# Only now that the copy is known to be whole.
delete ''
features=$(jq -c '[.snapshots[0].feature_states[]?.feature_name | select(. != "security")] | if . == [] then ["none"] else . end' "${BACKUP_WORK:?}/snapshot")
names=$(names_of "${BACKUP_WORK:?}/snapshot")
snapshot=$(jq -r '.snapshots[0].snapshot' "${BACKUP_WORK}/snapshot")
put_back restore "${snapshot}" "$(jq -nc --argjson names "${names}" --argjson features "${features}" \
  '{indices: $names, include_global_state: true, feature_states: $features}')"
compare ''
forget restore
