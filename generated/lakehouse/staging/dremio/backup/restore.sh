#!/bin/sh
# Puts a copy in place of the coordinator's store, which must not run. What was there comes back if that fails.
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/connect.sh"
# shellcheck source=/dev/null
. "${here}/tool.sh"

data=${DREMIO_DATA:?}
lay=${data}/put-back
rm -rf "${lay}" "${data}/db.gone"
# From a run that was cut off: what was there at first.
if [ -e "${data}/db.before" ]; then
  rm -rf "${data}/db"
  mv "${data}/db.before" "${data}/db"
fi
trap 'rm -rf "${lay}"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "${lay}/copy" "${data}/db"
lay_out "${lay}/copy"
configure "${data}" "${DIST:?}"
mv "${data}/db" "${data}/db.before"
mkdir "${data}/db"
if ! admin restore "--backupdir=file://${lay}/copy"; then
  rm -rf "${data}/db"
  mv "${data}/db.before" "${data}/db"
  exit 1
fi
# In one step, so that a run which is cut off here does not take half of it for the whole.
mv "${data}/db.before" "${data}/db.gone"
rm -rf "${data}/db.gone"
