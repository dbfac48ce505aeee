#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Hands every service the secrets it may read, and makes its volumes its own. The files in secrets/ stay readable by
# their owner alone; each service sees copies of its own only, readable by its user only. Runs at every start.
# Certificates and their keys are handed out in the same way.
set -eu
umask 077

missing=''
uncertified=''

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

# Usage: hand SERVICE USER:GROUP always|profile CERTIFICATE given|made
hand() {
  folder="/certificates/$1"
  owner=$2
  from="/in/tls/$4"
  authority="${from}/ca.crt"
  if [ "$5" = made ]; then
    authority=/in/tls/ca.crt
  fi
  if [ ! -s "${from}/tls.crt" ] || [ ! -s "${from}/tls.key" ] || { [ "$5" = made ] && [ ! -s "${authority}" ]; }; then
    if [ "$3" = always ]; then
      uncertified="${uncertified} $4"
    else
      echo "certificate $4 is missing; $1 will not start without it" >&2
    fi
    return 0
  fi
  # One that is the same stays: services that look at their files by themselves would read it again.
  for name in tls.key tls.crt ca.crt; do
    file="${from}/${name}"
    if [ "${name}" = ca.crt ]; then
      file=${authority}
    fi
    if [ ! -s "${file}" ]; then
      rm -f "${folder:?}/${name}"
    elif [ ! -f "${folder}/${name}" ] || [ "$(stat -c '%u:%g' "${folder}/${name}")" != "${owner}" ] ||
      ! cmp -s "${file}" "${folder}/${name}"; then
      copy "${file}" "${folder}" "${name}" "${owner}"
    fi
  done
  chmod 0500 "${folder}"
  chown "${owner}" "${folder}"
}

own /volumes/alertmanager-data 65534:65534
own /volumes/backups-measurements 65534:65534
own /volumes/dbt-pushgateway 65534:65534
own /volumes/dremio-backup 999:999
own /volumes/dremio-coordinator 999:999
own /volumes/elasticsearch-backup 1000:1000
own /volumes/elasticsearch-data 1000:0
own /volumes/filebeat-registry 0:0
own /volumes/k3s-data 0:0
own /volumes/k3s-kubelet 0:0
own /volumes/k3s-logs 0:0
own /volumes/logstash-queue 1000:1000
own /volumes/minio-backup 1000:1000
own /volumes/minio-data 1000:1000
own /volumes/postgresql-backup 999:999
own /volumes/postgresql-data 999:999
own /volumes/prometheus-data 65534:65534
own /volumes/valkey-data 999:999
give dbt-build 1000:1000 profile dremio-dbt-engine
give dremio 999:999 always elasticsearch-dremio-search minio-dremio-storage postgresql-dremio-database
give dremio-metrics 999:999 profile dremio-metrics
give dremio-backup 999:999 profile dremio-backup minio-dremio-storage
give dremio-drill 999:999 profile backup-identity dremio-backup minio-dremio-storage
give dremio-init 999:999 always dremio-admin dremio-backup dremio-dbt-engine dremio-metrics dremio-superset-engine elasticsearch-dremio-search minio-dremio-storage postgresql-dremio-database
give dremio-restore 999:999 profile backup-identity dremio-backup minio-dremio-storage
give elasticsearch-exporter 65534:65534 profile elasticsearch-metrics
give elasticsearch 1000:0 profile elasticsearch-elastic minio-elasticsearch-snapshots
give elasticsearch-access 1000:0 profile elasticsearch-dremio-search elasticsearch-elastic elasticsearch-grafana-logs elasticsearch-kibana-reader elasticsearch-kibana-store elasticsearch-kibana-views elasticsearch-logstash-setup elasticsearch-logstash-store elasticsearch-metrics
give elasticsearch-backup 1000:1000 profile elasticsearch-backup-mirror elasticsearch-elastic minio-elasticsearch-snapshots
give elasticsearch-drill 1000:1000 profile backup-identity elasticsearch-backup-mirror elasticsearch-elastic minio-elasticsearch-snapshots
give elasticsearch-restore 1000:1000 profile backup-identity elasticsearch-backup-mirror elasticsearch-elastic minio-elasticsearch-snapshots
give grafana 472:472 profile elasticsearch-grafana-logs grafana-admin grafana-metrics grafana-secret-key postgresql-grafana-database
give kibana 1000:1000 profile elasticsearch-kibana-store kibana-reporting-key kibana-saved-objects-key kibana-session-key
give kibana-data-views 1000:1000 profile elasticsearch-kibana-views
give logstash 1000:1000 profile elasticsearch-logstash-store
give logstash-store 1000:1000 profile elasticsearch-logstash-setup
give logstash-trim 1000:1000 profile elasticsearch-logstash-setup
give minio 1000:1000 always minio-root-password
give minio-backup 1000:1000 profile minio-backup-mirror minio-root-password
give minio-buckets 1000:1000 always minio-airbyte-lake minio-airbyte-storage minio-dremio-storage minio-elasticsearch-snapshots minio-metrics minio-root-password
give minio-drill 1000:1000 profile backup-identity minio-backup-mirror minio-root-password
give minio-restore 1000:1000 profile backup-identity minio-backup-mirror minio-root-password
give postgresql-exporter 65534:65534 profile postgresql-exporter
give postgresql 999:999 always postgresql-superuser
give postgresql-backup 999:999 profile postgresql-superuser
give postgresql-databases 999:999 always postgresql-airbyte-activity postgresql-airbyte-config postgresql-airbyte-temporal postgresql-airbyte-temporal-visibility postgresql-dremio-database postgresql-exporter postgresql-grafana-database postgresql-superset-activity postgresql-superset-metadata postgresql-superuser
give postgresql-drill 999:999 profile backup-identity postgresql-superuser
give postgresql-restore 999:999 profile backup-identity postgresql-superuser
give prometheus 65534:65534 profile grafana-metrics minio-metrics-token
give superset-beat 1000:1000 always valkey-superset-cache
give superset-metrics 1000:1000 profile postgresql-superset-activity valkey-superset-cache
give superset-web 1000:1000 always dremio-superset-engine postgresql-superset-metadata superset-async-key superset-guest-key superset-secret-key valkey-superset-cache
give superset-worker 1000:1000 always dremio-superset-engine postgresql-superset-metadata superset-async-key superset-guest-key superset-secret-key valkey-superset-cache
give superset-init 1000:1000 always dremio-superset-engine postgresql-superset-metadata superset-admin superset-async-key superset-guest-key superset-secret-key valkey-superset-cache
give k3s 0:0 profile airbyte-admin-client-id airbyte-admin-client-secret airbyte-admin-password airbyte-jwt-signature minio-airbyte-storage postgresql-airbyte-activity postgresql-airbyte-config postgresql-airbyte-temporal postgresql-airbyte-temporal-visibility
give valkey-exporter 59000:59000 profile valkey-metrics
give valkey 999:999 always valkey-health valkey-metrics valkey-superset-cache
hand filebeat 0:0 profile filebeat made
hand logstash 1000:1000 profile logstash made
hand prometheus 65534:65534 profile prometheus made

if [ -n "${uncertified}" ]; then
  echo "these certificates are missing:${uncertified}" >&2
  echo "make them, or see where yours belong: ./tls/issue.sh" >&2
fi
if [ -n "${missing}" ]; then
  echo "these secrets are missing:${missing}" >&2
  echo "make them: lakewright secrets init ." >&2
  exit 1
fi
[ -z "${uncertified}" ] || exit 1
