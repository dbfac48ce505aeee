#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Hands every service the secrets it may read, and makes its volumes its own. The files in secrets/ stay readable by
# their owner alone; each service sees copies of its own only, readable by its user only. Runs at every start.
set -eu
umask 077

missing=''

# Usage: own FOLDER USER:GROUP
own() {
  [ "$(stat -c '%u:%g' "$1")" = "$2" ] || chown "$2" "$1"
}

# Usage: copy FILE FOLDER NAME USER:GROUP
copy() {
  # Written beside its place and renamed, so that a running service never reads half of it.
  cp "$1" "$2/.new"
  chmod 0400 "$2/.new"
  chown "$4" "$2/.new"
  mv -f "$2/.new" "$2/$3"
}

# Usage: give SERVICE USER:GROUP always|profile SECRET...
give() {
  service=$1
  owner=$2
  needed=$3
  shift 3
  folder="/secrets/${service}"
  for name in "$@"; do
    if [ ! -s "/in/${name}" ]; then
      if [ "${needed}" = always ]; then
        missing="${missing} ${name}"
      else
        echo "secret ${name} is missing; ${service} will not start without it" >&2
      fi
      continue
    fi
    copy "/in/${name}" "${folder}" "${name}" "${owner}"
  done
  # What the service may no longer read.
  for path in "${folder}"/*; do
    [ -e "${path}" ] || continue
    found=no
    for name in "$@"; do
      [ "${path}" = "${folder}/${name}" ] && found=yes
    done
    [ "${found}" = yes ] || rm -f "${path}"
  done
  chmod 0500 "${folder}"
  chown "${owner}" "${folder}"
}

own /volumes/k3s-data 0:0
own /volumes/k3s-kubelet 0:0
own /volumes/k3s-logs 0:0
give k3s 0:0 always airbyte-admin-client-id airbyte-admin-client-secret airbyte-admin-password airbyte-jwt-signature minio-airbyte-storage postgresql-airbyte-activity postgresql-airbyte-config postgresql-airbyte-temporal postgresql-airbyte-temporal-visibility

if [ -n "${missing}" ]; then
  echo "these secrets are missing:${missing}" >&2
  echo "make them: lakewright secrets init ." >&2
  exit 1
fi
