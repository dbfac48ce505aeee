#!/bin/sh
# Puts a copy back beside what is there, under other names, counts, and takes it away again.
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

tidy() {
  [ ! -s "${BACKUP_WORK:?}/snapshot" ] || delete drill- || echo 'not everything of the drill could be deleted: drill-*' >&2
  forget drill || :
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM
bring drill
delete drill-
names=$(names_of "${BACKUP_WORK:?}/snapshot")
snapshot=$(jq -r '.snapshots[0].snapshot' "${BACKUP_WORK}/snapshot")
# Nothing else happens to them: no other copies, no lifecycle, no aliases.
put_back drill "${snapshot}" "$(jq -nc --argjson names "${names}" '{
  indices: $names, include_global_state: false, include_aliases: false, feature_states: ["none"],
  rename_pattern: "^(.+)$", rename_replacement: "drill-$1",
  index_settings: {"index.number_of_replicas": 0}, ignore_index_settings: ["index.lifecycle.name"]
}')"
compare drill-
