#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Brings up this bundle from nothing, or after a change: looks whether all is there, makes what is missing, starts, waits, and
# asks every service. What is interrupted can be run again; what is done already is left as it is.
# Functions are called in conditions on purpose: each says by its status how it went.
# shellcheck disable=SC2310,SC2311
set -eu

usage() {
  cat <<'END'
Usage: ./bootstrap.sh [OPTION]...
Makes secrets and certificates, builds images, starts everything in its order, waits, and asks every service whether it is well.

  --dry-run      say what would be done, and change nothing
  --no-smoke     ask nobody at the end
  --smoke        only ask, start nothing
  --help         show this

Exit status: 0 done, 1 something is missing or not well, 2 wrong usage.
END
}

say() {
  printf '%s\n' "$*" >&2
}

dry_run=''
start=yes
smoke=yes
while [ "$#" -gt 0 ]; do
  case "$1" in
    --dry-run) dry_run=yes ;;
    --no-smoke) smoke='' ;;
    --smoke) start='' ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      say "bootstrap.sh: unknown option $1"
      say 'Try ./bootstrap.sh --help.'
      exit 2
      ;;
  esac
  shift
done

CDPATH='' cd -- "$(dirname -- "$0")"

# Says what is done, and does it unless nothing is to be done.
# Usage: step WORDS COMMAND...
step() {
  say "== $1"
  shift
  if [ -n "${dry_run}" ]; then
    say "  would run: $*"
  else
    "$@"
  fi
}

# Says what is missing; all of it, before anything is done.
lacking=0
lack() {
  say "missing: $1"
  lacking=1
}

# Usage: program NAME WHAT_FOR
program() {
  command -v "$1" >/dev/null 2>&1 || lack "the program $1, $2"
}

# Says whether every secret has a value.
secrets_made() {
  for name in airbyte-admin-client-id airbyte-admin-client-secret airbyte-admin-password airbyte-jwt-signature dremio-admin dremio-backup dremio-dbt-engine dremio-metrics dremio-superset-engine elasticsearch-backup-mirror elasticsearch-dremio-search elasticsearch-elastic elasticsearch-grafana-logs elasticsearch-jaeger-storage elasticsearch-kibana-reader elasticsearch-kibana-store elasticsearch-kibana-views elasticsearch-logstash-setup elasticsearch-logstash-store elasticsearch-metrics grafana-admin grafana-metrics grafana-secret-key kibana-reporting-key kibana-saved-objects-key kibana-session-key minio-airbyte-lake minio-airbyte-storage minio-backup-mirror minio-dremio-storage minio-elasticsearch-snapshots minio-encryption-key minio-metrics minio-metrics-token minio-root-password postgresql-airbyte-activity postgresql-airbyte-config postgresql-airbyte-temporal postgresql-airbyte-temporal-visibility postgresql-dremio-database postgresql-exporter postgresql-grafana-database postgresql-replicator postgresql-superset-activity postgresql-superset-metadata postgresql-superuser superset-admin superset-async-key superset-guest-key superset-secret-key valkey-health valkey-metrics valkey-superset-cache; do
    [ -s "secrets/${name}" ] || return 1
  done
  return 0
}

# --- what must be there

program docker 'the container engine'

program openssl 'to make certificates'

program curl 'to ask what is published'

secrets_made || program lakewright 'to make secrets'
[ -s secrets/backup-identity ] || lack 'secrets/backup-identity: secret key that copies are decrypted with, as age-keygen makes it; keep it also where the platform is not'
[ -s secrets/backup-store ] || lack 'secrets/backup-store: secret key of the account on the store off site'
[ "${lacking}" -eq 0 ] || [ -n "${dry_run}" ] || exit 1

# --- make what is missing, then start

if [ -n "${start}" ]; then
  secrets_made || step 'secrets' lakewright secrets init .
  step 'certificates' ./tls/issue.sh
  step 'images' ./images.sh
  step 'start' ./deploy.sh --no-smoke
fi

# --- ask

# Asks the Swarm whether all replicas of a service run, each of which it asks itself.
# Usage: ask SERVICE
ask() {
  state=$(docker service ls --filter "name=lakehouse-staging_$1" --format '{{.Name}} {{.Replicas}}' | awk -v name="lakehouse-staging_$1" '
    $1 == name { split($2, part, "/"); print (part[1] == part[2]) ? "well" : $2 }')
  if [ "${state}" = well ]; then
    say "  $1: well"
  else
    say "  $1: ${state:-is not in the Swarm}"
    unwell=1
  fi
}

# Asks for a published page as browsers do.
# Usage: page TITLE HOST PORT URL
page() {
  status=$(curl --silent --output /dev/null --max-time 20 --insecure --write-out '%{http_code}' "$4" 2>/dev/null) || :
  case "${status}" in
    2?? | 3?? | 401 | 403) say "  $1: answers at $4" ;;
    *)
      say "  $1: no answer at $4 (status ${status:-none})"
      unwell=1
      ;;
  esac
}

unwell=0
if [ -n "${smoke}" ] && [ -n "${dry_run}" ]; then
  say '== ask every service'
  say '  34 would be asked'
elif [ -n "${smoke}" ]; then
  say '== ask every service'
  ask alertmanager
  ask blackbox
  ask containers
  ask dbt-pushgateway
  ask dremio
  ask dremio-executor
  ask dremio-metrics
  ask dremio-zookeeper
  ask elasticsearch-exporter
  ask elasticsearch
  ask filebeat
  ask grafana
  ask jaeger
  ask kibana
  ask logstash-exporter
  ask logstash
  ask minio
  ask node-exporter
  ask node-exporter-network
  ask otel-collector
  ask postgresql-exporter
  ask postgresql-router
  ask postgresql
  ask prometheus
  ask superset-beat
  ask superset-metrics
  ask superset-statsd
  ask superset-web
  ask superset-worker
  ask backups
  ask valkey-exporter
  ask valkey
  ask nginx-exporter
  ask nginx
  page Airbyte airbyte.staging.data.example.com 443 https://airbyte.staging.data.example.com
  page Dremio dremio.staging.data.example.com 443 https://dremio.staging.data.example.com
  page Grafana grafana.staging.data.example.com 443 https://grafana.staging.data.example.com
  page 'Logs (Kibana)' kibana.staging.data.example.com 443 https://kibana.staging.data.example.com
  page Superset superset.staging.data.example.com 443 https://superset.staging.data.example.com
fi
if [ "${unwell}" -ne 0 ] || [ "${lacking}" -ne 0 ]; then
  say 'not everything is well'
  exit 1
fi
say 'done'
