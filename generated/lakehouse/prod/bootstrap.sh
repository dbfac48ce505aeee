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
Makes secrets, builds images, starts everything in its order, waits, and asks every service whether it is well.

  --dry-run      say what would be done, and change nothing
  --no-smoke     ask nobody at the end
  --smoke        only ask, start nothing
  --context NAME use this context of kubectl's configuration
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
context=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    --dry-run) dry_run=yes ;;
    --no-smoke) smoke='' ;;
    --smoke) start='' ;;
    --context)
      [ "$#" -gt 1 ] || {
        say 'bootstrap.sh: --context needs a value'
        exit 2
      }
      context=$2
      shift
      ;;
    --context=*) context=${1#*=} ;;
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
  for name in airbyte-admin-client-id airbyte-admin-client-secret airbyte-admin-password airbyte-jwt-signature dremio-admin dremio-backup dremio-dbt-engine dremio-metrics dremio-superset-engine elasticsearch-backup-mirror elasticsearch-dremio-search elasticsearch-elastic elasticsearch-jaeger-storage elasticsearch-metrics grafana-admin grafana-metrics grafana-secret-key minio-airbyte-lake minio-airbyte-storage minio-backup-mirror minio-dremio-storage minio-elasticsearch-snapshots minio-encryption-key minio-metrics minio-metrics-token minio-root-password postgresql-airbyte-activity postgresql-airbyte-config postgresql-airbyte-temporal postgresql-airbyte-temporal-visibility postgresql-dremio-database postgresql-grafana-database postgresql-superset-activity postgresql-superset-metadata postgresql-superuser superset-admin superset-async-key superset-guest-key superset-secret-key valkey-health valkey-metrics valkey-superset-cache; do
    [ -s "secrets/${name}" ] || return 1
  done
  return 0
}

# --- what must be there

program kubectl 'to talk to the cluster'

program curl 'to ask what is published'

secrets_made || program lakewright 'to make secrets'
[ -s secrets/backup-identity ] || lack 'secrets/backup-identity: secret key that copies are decrypted with, as age-keygen makes it; keep it also where the platform is not'
[ -s secrets/backup-store ] || lack 'secrets/backup-store: secret key of the account on the store off site'
[ -s secrets/grafana-oidc-secret ] || lack 'secrets/grafana-oidc-secret: secret of Grafana as a client of the identity provider'
[ -s secrets/superset-oidc-secret ] || lack 'secrets/superset-oidc-secret: secret of Superset as a client of the identity provider'
[ "${lacking}" -eq 0 ] || [ -n "${dry_run}" ] || exit 1

# --- make what is missing, then start

if [ -n "${start}" ]; then
  secrets_made || step 'secrets' lakewright secrets init .
  step 'secrets in the cluster' ./secrets.sh ${context:+"--context=${context}"}
  step 'images' ./images.sh
  step 'start' ./apply.sh ${context:+"--context=${context}"}
fi

# --- ask

# Asks the cluster whether all pods of a workload are ready: it asks each of them itself, all the time.
# Usage: ask KIND NAME
ask() {
  case "$1" in
    daemonset) path='{.status.numberReady}/{.status.desiredNumberScheduled}' ;;
    *) path='{.status.readyReplicas}/{.spec.replicas}' ;;
  esac
  state=$(kube get "$1" "$2" --output "jsonpath=${path}" 2>/dev/null) || state=''
  case "${state}" in
    '') say "  $2: is not in the cluster" ;;
    "${state#*/}/${state#*/}")
      say "  $2: well"
      return 0
      ;;
    *) say "  $2: ${state} are ready" ;;
  esac
  unwell=1
}

# Asks an operator how what it looks after is.
# Usage: told OBJECT CONDITION
told() {
  state=$(kube get "$1" --output "jsonpath={.status.conditions[?(@.type==\"$2\")].status}" 2>/dev/null) || state='is not in the cluster'
  case "${state}" in
    True) say "  ${1#*/}: well" ;;
    *)
      say "  ${1#*/}: ${state:-its operator has not said how it is}"
      unwell=1
      ;;
  esac
}

kube() {
  kubectl ${context:+"--context=${context}"} --namespace lakehouse "$@"
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
  say '  32 would be asked'
elif [ -n "${smoke}" ]; then
  say '== ask every service'
  ask deployment airbyte-cron
  ask deployment airbyte-exporter
  ask deployment airbyte-manifest-server
  ask deployment airbyte
  ask deployment airbyte-temporal
  ask deployment airbyte-worker
  ask deployment airbyte-workload-api-server
  ask deployment airbyte-workload-launcher
  ask statefulset alertmanager
  ask deployment blackbox
  ask statefulset dbt-pushgateway
  ask statefulset dremio
  ask statefulset dremio-executor
  ask deployment dremio-metrics
  ask statefulset dremio-zookeeper
  ask deployment elasticsearch-exporter
  ask statefulset elasticsearch
  ask deployment grafana
  ask deployment jaeger
  ask deployment kube-state-metrics
  ask statefulset minio
  ask deployment otel-collector
  ask deployment superset-beat
  ask deployment superset-metrics
  ask deployment superset-statsd
  ask deployment superset-web
  ask deployment superset-worker
  ask statefulset backups
  ask deployment valkey-exporter
  ask statefulset valkey
  told Cluster.v1.postgresql.cnpg.io/postgresql Ready
  told Prometheus.v1.monitoring.coreos.com/prometheus Available
  page Airbyte airbyte.data.example.com 443 https://airbyte.data.example.com
  page Dremio dremio.data.example.com 443 https://dremio.data.example.com
  page Grafana grafana.data.example.com 443 https://grafana.data.example.com
  page Superset superset.data.example.com 443 https://superset.data.example.com
fi
if [ "${unwell}" -ne 0 ] || [ "${lacking}" -ne 0 ]; then
  say 'not everything is well'
  exit 1
fi
say 'done'
