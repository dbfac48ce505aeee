#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Applies this bundle in the order in which its parts need each other. What is interrupted can be run again.
# Functions are called in conditions on purpose: each says by its status how it went.
# shellcheck disable=SC2310,SC2311
set -eu

usage() {
  cat <<'END'
Usage: ./apply.sh [OPTION]...
Applies the manifests of this folder, and waits for what each wave starts.

  --context NAME      use this context of kubectl's configuration
  --dry-run           let the cluster check everything, change nothing, wait for nothing
  --no-wait           do not wait between waves; pods that come too early restart until what they need is there
  --no-preflight      do not ask ./preflight.sh first
  --force-conflicts   take over fields that others have set on these objects
  --prune             at the end, delete the ConfigMaps and Jobs of earlier versions of this bundle; going back with
                      `kubectl rollout undo` is not possible any more then. Volumes and Secrets are never deleted.
  --help              show this

A Job that has failed is deleted and started again. Exit status: 0 done, 1 something failed, 2 wrong usage.
END
}

say() {
  printf '%s\n' "$*" >&2
}

wrong() {
  say "apply.sh: $1"
  say 'Try ./apply.sh --help.'
  exit 2
}

context=''
dry_run=''
force=''
preflight=yes
prune=''
wait=yes
while [ "$#" -gt 0 ]; do
  case "$1" in
    --context)
      [ "$#" -gt 1 ] || wrong '--context needs a name'
      context=$2
      shift
      ;;
    --context=*) context=${1#--context=} ;;
    --dry-run) dry_run=yes ;;
    --force-conflicts) force=yes ;;
    --no-preflight) preflight='' ;;
    --no-wait) wait='' ;;
    --prune) prune=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "unknown option $1" ;;
  esac
  shift
done
if [ -n "${prune}" ] && [ -z "${wait}" ]; then
  wrong '--prune deletes what the old pods still use: it cannot be had with --no-wait'
fi

CDPATH='' cd -- "$(dirname -- "$0")"
namespace=lakehouse
labels=app.kubernetes.io/instance=lakehouse,app.kubernetes.io/managed-by=lakewright,app.kubernetes.io/part-of=lakehouse

kube() {
  kubectl ${context:+"--context=${context}"} "$@"
}

now() {
  date +%s
}

# Usage: apply WHAT FILE...
apply() {
  say "== $1"
  shift
  for path in "$@"; do
    set -- "$@" "--filename=${path}"
    shift
  done
  if ! kube apply --server-side --field-manager=lakewright ${force:+--force-conflicts} ${dry_run:+--dry-run=server} "$@"; then
    say 'This was refused by the cluster, see above. What came before it is in place; the rest was not tried.'
    exit 1
  fi
}

# Says how the Jobs of this bundle stand: name and conditions that hold, a line for each.
jobs_now() {
  kube --namespace "${namespace}" get jobs --selector="${labels}" \
    --output='jsonpath={range .items[*]}{.metadata.name}{" "}{.status.conditions[?(@.status=="True")].type}{"\n"}{end}'
}

# Usage: holds CONDITION JOB STATES
holds() {
  printf '%s\n' "$3" | grep -q "^$2 \(.* \)\{0,1\}$1\( \|\$\)"
}

# Makes room for Jobs that have failed before: one that has, never starts again by itself.
# Usage: again JOB...
again() {
  [ -z "${dry_run}" ] || return 0
  states=$(jobs_now)
  for job in "$@"; do
    if holds Failed "${job}" "${states}"; then
      say "The Job ${job} has failed before; it is started again."
      kube --namespace "${namespace}" delete job "${job}" --cascade=foreground
    fi
  done
}

# Waits until all of the Jobs are done, or one has failed.
# Usage: completed SECONDS JOB...
completed() {
  [ -z "${dry_run}" ] && [ -n "${wait}" ] || return 0
  limit=$1
  shift
  say "waiting at most ${limit} s for Jobs: $*"
  started=$(now)
  while :; do
    states=$(jobs_now)
    waiting=''
    for job in "$@"; do
      if holds Failed "${job}" "${states}"; then
        why=$(kube --namespace "${namespace}" get job "${job}" \
          --output='jsonpath={.status.conditions[?(@.type=="Failed")].message}')
        say "The Job ${job} has failed: ${why}. What it said last:"
        kube --namespace "${namespace}" logs "job/${job}" --all-containers --tail=20 --pod-running-timeout=5s >&2 || :
        say 'Correct the cause, then run this again.'
        exit 1
      fi
      holds Complete "${job}" "${states}" || waiting="${waiting} ${job}"
    done
    [ -n "${waiting}" ] || return 0
    time=$(now)
    if [ "$((time - started))" -ge "${limit}" ]; then
      say "Not done in ${limit} s:${waiting}"
      say "See: kubectl --namespace ${namespace} describe jobs${waiting}"
      exit 1
    fi
    sleep 2
  done
}

# Waits until the pods of a workload are new and ready.
# Usage: rolled_out SECONDS KIND/NAME
rolled_out() {
  [ -z "${dry_run}" ] && [ -n "${wait}" ] || return 0
  if ! kube --namespace "${namespace}" rollout status "$2" --timeout="$1s"; then
    say "$2 is not up. Its pods:"
    kube --namespace "${namespace}" get pods --selector="${labels},app.kubernetes.io/name=${2#*/}" >&2 || :
    say "See: kubectl --namespace ${namespace} describe pods --selector=app.kubernetes.io/name=${2#*/}"
    exit 1
  fi
}

# Waits until an operator says that what it makes of an object is up.
# Usage: reached SECONDS CONDITION KIND.VERSION.GROUP/NAME
reached() {
  [ -z "${dry_run}" ] && [ -n "${wait}" ] || return 0
  say "waiting at most $1 s for $3: $2"
  if ! kube --namespace "${namespace}" wait --for="condition=$2" --timeout="$1s" "$3"; then
    say "See: kubectl --namespace ${namespace} describe $3"
    exit 1
  fi
}

# Says whether the outside is let in yet; that depends on more than the cluster (addresses, names, issuers).
# Usage: open SECONDS CONDITION KIND.VERSION.GROUP/NAME
open() {
  [ -z "${dry_run}" ] && [ -n "${wait}" ] || return 0
  if ! kube --namespace "${namespace}" wait --for="condition=$2" --timeout="$1s" "$3"; then
    say "Not yet $2: $3. Everything else is up. See: kubectl --namespace ${namespace} describe $3"
  fi
}

# Deletes objects of earlier versions: those whose names are a service's and the hash of their content.
# Usage: prune KIND NAME_TO_KEEP...
prune() {
  kind=$1
  shift
  kept=" $* "
  found=$(kube --namespace "${namespace}" get "${kind}" --selector="${labels}" \
    --output='jsonpath={range .items[*]}{.metadata.name}|{.metadata.labels.app\.kubernetes\.io/name}|{.metadata.ownerReferences[0].kind}|{.status.active}{"\n"}{end}')
  printf '%s\n' "${found}" | while IFS='|' read -r name service owner active; do
    case "${kept}" in
      *" ${name} "*) continue ;;
      *) ;;
    esac
    # Those of a schedule go by themselves; what has no such name is not from here.
    [ -n "${service}" ] && [ -z "${owner}" ] || continue
    case "${name#"${service}"-}" in
      "${name}" | *[!0-9a-f]*) continue ;;
      ??????????) ;;
      *) continue ;;
    esac
    if [ "${active:-0}" != 0 ]; then
      say "kept, since it runs: ${kind} ${name}"
      continue
    fi
    kube --namespace "${namespace}" delete "${kind}" "${name}" ${dry_run:+--dry-run=server}
  done
}

if ! command -v kubectl >/dev/null; then
  say 'kubectl is not installed: https://kubernetes.io/docs/tasks/tools/'
  exit 1
fi
if [ -n "${preflight}" ] && ! ./preflight.sh ${context:+"--context=${context}"}; then
  say 'Nothing was applied. To go on all the same: ./apply.sh --no-preflight'
  exit 1
fi

apply 'the cluster' manifests/00-cluster

if [ -n "${dry_run}" ] && ! kube get namespace "${namespace}" >/dev/null; then
  say "The namespace ${namespace} is not there yet, and what lies in it can only be checked then. Make it first:"
  say '    kubectl apply --server-side --field-manager=lakewright --filename=manifests/00-cluster/00-namespace.yaml'
  exit 1
fi

apply 'the platform' manifests/10-platform

apply 'wave 1 of 5' \
  manifests/20-alertmanager/00-rules.yaml \
  manifests/20-alertmanager/10-server.yaml \
  manifests/20-backups/00-rules.yaml \
  manifests/20-backups/10-gateway.yaml \
  manifests/20-blackbox/00-rules.yaml \
  manifests/20-blackbox/10-exporter.yaml \
  manifests/20-elasticsearch/00-claims.yaml \
  manifests/20-elasticsearch/00-rules.yaml \
  manifests/20-elasticsearch/10-backup.yaml \
  manifests/20-elasticsearch/10-drill.yaml \
  manifests/20-elasticsearch/10-node.yaml \
  manifests/20-elasticsearch/10-restore.yaml \
  manifests/20-kube-state-metrics/00-rules.yaml \
  manifests/20-kube-state-metrics/10-server.yaml \
  manifests/20-minio/00-claims.yaml \
  manifests/20-minio/00-rules.yaml \
  manifests/20-minio/10-backup.yaml \
  manifests/20-minio/10-drill.yaml \
  manifests/20-minio/10-restore.yaml \
  manifests/20-minio/10-server.yaml \
  manifests/20-otel-collector/00-rules.yaml \
  manifests/20-otel-collector/10-collector.yaml \
  manifests/20-postgresql/00-claims.yaml \
  manifests/20-postgresql/00-cluster.yaml \
  manifests/20-postgresql/00-queries.yaml \
  manifests/20-postgresql/00-rules.yaml \
  manifests/20-postgresql/10-backup.yaml \
  manifests/20-postgresql/10-drill.yaml \
  manifests/20-postgresql/10-restore.yaml \
  manifests/20-postgresql/10-server.yaml \
  manifests/20-prometheus/00-rules.yaml \
  manifests/20-prometheus/00-self.yaml \
  manifests/20-prometheus/00-server.yaml \
  manifests/20-prometheus/00-service.yaml \
  manifests/20-prometheus/10-server.yaml \
  manifests/20-valkey/00-rules.yaml \
  manifests/20-valkey/10-exporter.yaml \
  manifests/20-valkey/10-server.yaml \
  manifests/21-airbyte/00-rules.yaml \
  manifests/21-airbyte/10-manifest-server.yaml \
  manifests/21-dremio/00-claims.yaml \
  manifests/21-dremio/00-rules.yaml \
  manifests/21-dremio/10-zookeeper.yaml \
  manifests/21-superset/00-rules.yaml \
  manifests/21-superset/10-statsd.yaml \
  manifests/22-dbt/00-rules.yaml \
  manifests/22-dbt/10-pushgateway.yaml
reached 300 Ready Certificate.v1.cert-manager.io/alertmanager
reached 300 Ready Certificate.v1.cert-manager.io/elasticsearch
reached 1200 Ready Cluster.v1.postgresql.cnpg.io/postgresql
reached 1500 Available Prometheus.v1.monitoring.coreos.com/prometheus
rolled_out 610 statefulset/alertmanager
rolled_out 365 statefulset/backups
rolled_out 340 deployment/blackbox
rolled_out 1305 statefulset/elasticsearch
rolled_out 395 deployment/kube-state-metrics
rolled_out 1410 statefulset/minio
rolled_out 430 deployment/otel-collector
rolled_out 365 deployment/valkey-exporter
rolled_out 395 statefulset/valkey
rolled_out 610 deployment/airbyte-manifest-server
rolled_out 675 statefulset/dremio-zookeeper
rolled_out 365 deployment/superset-statsd
rolled_out 365 statefulset/dbt-pushgateway

again elasticsearch-access-dc628c6d90 minio-buckets-118ae0e5b2 postgresql-databases-38e44255b3
apply 'wave 2 of 5' \
  manifests/20-elasticsearch/20-access.yaml \
  manifests/20-minio/20-buckets.yaml \
  manifests/20-postgresql/20-databases.yaml
completed 900 elasticsearch-access-dc628c6d90 minio-buckets-118ae0e5b2 postgresql-databases-38e44255b3

again airbyte-bootloader-ccf475cbd6 superset-init-73022e58bd
apply 'wave 3 of 5' \
  manifests/20-elasticsearch/30-exporter.yaml \
  manifests/21-airbyte/10-bootloader.yaml \
  manifests/21-airbyte/10-sync.yaml \
  manifests/21-airbyte/10-temporal.yaml \
  manifests/21-dremio/10-backup.yaml \
  manifests/21-dremio/10-coordinator.yaml \
  manifests/21-dremio/10-drill.yaml \
  manifests/21-dremio/10-restore.yaml \
  manifests/21-grafana/00-rules.yaml \
  manifests/21-grafana/10-web.yaml \
  manifests/21-jaeger/00-rules.yaml \
  manifests/21-jaeger/10-cleaner.yaml \
  manifests/21-jaeger/10-server.yaml \
  manifests/21-superset/10-init.yaml \
  manifests/21-superset/20-metrics.yaml
completed 2100 airbyte-bootloader-ccf475cbd6 superset-init-73022e58bd
rolled_out 365 deployment/elasticsearch-exporter
rolled_out 665 deployment/airbyte-temporal
rolled_out 845 statefulset/dremio
rolled_out 730 deployment/grafana
rolled_out 490 deployment/jaeger
rolled_out 390 deployment/superset-metrics

again airbyte-metrics-02fcd5c23a dremio-init-bafedd43e9
apply 'wave 4 of 5' \
  manifests/21-airbyte/20-metrics.yaml \
  manifests/21-airbyte/20-server.yaml \
  manifests/21-airbyte/20-workload-api-server.yaml \
  manifests/21-dremio/20-executor.yaml \
  manifests/21-dremio/20-init.yaml \
  manifests/21-superset/20-beat.yaml \
  manifests/21-superset/20-web.yaml \
  manifests/21-superset/20-worker.yaml
completed 1500 airbyte-metrics-02fcd5c23a dremio-init-bafedd43e9
rolled_out 1030 deployment/airbyte
rolled_out 1030 deployment/airbyte-workload-api-server
rolled_out 1150 statefulset/dremio-executor
rolled_out 375 deployment/superset-beat
rolled_out 2900 deployment/superset-web
rolled_out 900 deployment/superset-worker

apply 'wave 5 of 5' \
  manifests/21-airbyte/30-cron.yaml \
  manifests/21-airbyte/30-exporter.yaml \
  manifests/21-airbyte/30-worker.yaml \
  manifests/21-airbyte/30-workload-launcher.yaml \
  manifests/21-dremio/30-metrics.yaml \
  manifests/22-dbt/10-build.yaml
rolled_out 630 deployment/airbyte-cron
rolled_out 365 deployment/airbyte-exporter
rolled_out 1140 deployment/airbyte-worker
rolled_out 660 deployment/airbyte-workload-launcher
rolled_out 365 deployment/dremio-metrics

open 60 Ready Certificate.v1.cert-manager.io/platform-authority
open 60 Ready Certificate.v1.cert-manager.io/public
open 60 Programmed Gateway.v1.gateway.networking.k8s.io/lakehouse

if [ -n "${prune}" ]; then
  prune configmap \
    lakehouse-gateway \
    alertmanager-861da4aec5 \
    blackbox-745100a558 \
    elasticsearch-backup-de938afc59 \
    elasticsearch-drill-de938afc59 \
    elasticsearch-3231fd9274 \
    elasticsearch-restore-de938afc59 \
    elasticsearch-access-ce0d78a12b \
    elasticsearch-exporter-9a2bc369d7 \
    minio-backup-a91389d324 \
    minio-drill-a91389d324 \
    minio-restore-a91389d324 \
    minio-6ec40e41e9 \
    minio-buckets-40bcc42298 \
    otel-collector-223c775150 \
    postgresql-queries \
    postgresql-backup-f85329ef8e \
    postgresql-drill-f85329ef8e \
    postgresql-restore-f85329ef8e \
    postgresql-databases-6828f0dfa6 \
    valkey-exporter-fa08e4ed24 \
    valkey-9b04d88af0 \
    airbyte-temporal-bd710f4802 \
    airbyte-metrics-64813e4e12 \
    airbyte-exporter-bb880a2062 \
    dremio-backup-203efd5038 \
    dremio-b172ff8b7c \
    dremio-drill-203efd5038 \
    dremio-restore-203efd5038 \
    dremio-zookeeper-0ed8f33eff \
    dremio-executor-eabf4e3153 \
    dremio-init-2b7def6331 \
    dremio-metrics-3cb8ad43b4 \
    grafana-e4d303f831 \
    jaeger-cleaner-35ef60e911 \
    jaeger-8a48f048fa \
    superset-init-a6f7b56eb0 \
    superset-statsd-6bc89a8d08 \
    superset-beat-95cae5c1ad \
    superset-metrics-5bc3ae0dfb \
    superset-web-5e638c7210 \
    superset-worker-9673899322 \
    dbt-build-17dc8bec00
  prune job \
    elasticsearch-access-dc628c6d90 \
    minio-buckets-118ae0e5b2 \
    postgresql-databases-38e44255b3 \
    airbyte-bootloader-ccf475cbd6 \
    airbyte-metrics-02fcd5c23a \
    dremio-init-bafedd43e9 \
    superset-init-73022e58bd
fi
say 'done'
