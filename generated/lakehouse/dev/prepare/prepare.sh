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

own /volumes/dremio-coordinator 999:999
own /volumes/elasticsearch-data 1000:0
own /volumes/k3s-data 0:0
own /volumes/k3s-kubelet 0:0
own /volumes/k3s-logs 0:0
own /volumes/minio-data 1000:1000
own /volumes/postgresql-data 999:999
own /volumes/valkey-data 999:999
give dbt-build 1000:1000 profile dremio-dbt-engine
give dremio 999:999 always elasticsearch-dremio-search minio-dremio-storage postgresql-dremio-database
give dremio-init 999:999 always dremio-admin dremio-dbt-engine dremio-superset-engine elasticsearch-dremio-search minio-dremio-storage postgresql-dremio-database
give elasticsearch 1000:0 profile elasticsearch-elastic
give elasticsearch-access 1000:0 profile elasticsearch-dremio-search elasticsearch-elastic
give minio 1000:1000 always minio-root-password
give minio-buckets 1000:1000 always minio-airbyte-lake minio-airbyte-storage minio-dremio-storage minio-root-password
give postgresql 999:999 always postgresql-superuser
give postgresql-databases 999:999 always postgresql-airbyte-config postgresql-airbyte-temporal postgresql-airbyte-temporal-visibility postgresql-dremio-database postgresql-superset-metadata postgresql-superuser
give superset-beat 1000:1000 always valkey-superset-cache
give superset-web 1000:1000 always dremio-superset-engine postgresql-superset-metadata superset-async-key superset-guest-key superset-secret-key valkey-superset-cache
give superset-worker 1000:1000 always dremio-superset-engine postgresql-superset-metadata superset-async-key superset-guest-key superset-secret-key valkey-superset-cache
give superset-init 1000:1000 always dremio-superset-engine postgresql-superset-metadata superset-admin superset-async-key superset-guest-key superset-secret-key valkey-superset-cache
give k3s 0:0 profile airbyte-admin-client-id airbyte-admin-client-secret airbyte-admin-password airbyte-jwt-signature minio-airbyte-storage postgresql-airbyte-config postgresql-airbyte-temporal postgresql-airbyte-temporal-visibility
give valkey 999:999 always valkey-health valkey-superset-cache

if [ -n "${missing}" ]; then
  echo "these secrets are missing:${missing}" >&2
  echo "make them: lakewright secrets init ." >&2
  exit 1
fi
