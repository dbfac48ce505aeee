#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Makes volumes the users' own that write to them: FOLDER=USER:GROUP... A folder that is not there yet is made.
set -eu

for pair in "$@"; do
  folder=${pair%=*}
  owner=${pair##*=}
  mkdir -p "${folder}"
  [ "$(stat -c '%u:%g' "${folder}")" = "${owner}" ] || chown "${owner}" "${folder}"
done
