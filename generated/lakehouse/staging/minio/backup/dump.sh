#!/bin/sh
# Brings the mirror up to date, and makes a list of it.
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/connect.sh"
# shellcheck source=/dev/null
. "${here}/mirror.sh"
open_mirror "${MIRROR_KEY:?}"

# Buckets with snapshots are written in an order that a mirror does not keep; who writes them copies them.
rclone lsf --dirs-only lake: | grep -vxF "${LEFT_OUT:?}" >"${BACKUP_WORK:?}/buckets" || :
if [ ! -s "${BACKUP_WORK}/buckets" ]; then
  echo 'the store has no buckets: the mirror stays as it is' >&2
  exit 1
fi
sed 's:^:+ /:; s:$:**:' "${BACKUP_WORK}/buckets" >"${BACKUP_WORK}/filter"
echo '- *' >>"${BACKUP_WORK}/filter"
update lake: --filter-from "${BACKUP_WORK}/filter"
put buckets cat "${BACKUP_WORK}/buckets"
