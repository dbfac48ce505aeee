#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Makes the Secrets of this bundle from the files that `lakewright secrets init .` has made. kubectl reads the files
# itself: no value is in an argument, in a variable or in what is printed.
set -eu
umask 077

usage() {
  cat <<'END'
Usage: ./secrets.sh [OPTION]...
Makes the Secrets that are missing in the cluster from the files in ./secrets. Those that are there stay as they are:
they cannot be changed. A new value is a new Secret: raise the secret's number in `secret_versions` of the topology.

  --context NAME   use this context of kubectl's configuration
  --prune          list the Secrets of earlier versions that nothing refers to any more
  --yes            with --prune: delete them
  --help           show this

Exit status: 0 done, 1 something failed or is missing, 2 wrong usage.
END
}

say() {
  printf '%s\n' "$*" >&2
}

wrong() {
  say "secrets.sh: $1"
  say 'Try ./secrets.sh --help.'
  exit 2
}

context=''
prune=''
yes=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    --context)
      [ "$#" -gt 1 ] || wrong '--context needs a name'
      context=$2
      shift
      ;;
    --context=*) context=${1#--context=} ;;
    --prune) prune=yes ;;
    --yes) yes=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "unknown option $1" ;;
  esac
  shift
done
if [ -n "${yes}" ] && [ -z "${prune}" ]; then
  wrong '--yes means nothing without --prune'
fi

CDPATH='' cd -- "$(dirname -- "$0")"
namespace=lakehouse
labels=app.kubernetes.io/instance=lakehouse,app.kubernetes.io/managed-by=lakewright,app.kubernetes.io/part-of=lakehouse
missing=''
known=''

kube() {
  kubectl ${context:+"--context=${context}"} "$@"
}

# Usage: secret OBJECT FILE [USER]
secret() {
  known="${known} $1"
  case "${there}" in
    *" $1 "*) return 0 ;;
    *) ;;
  esac
  if [ ! -s "secrets/$2" ]; then
    missing="${missing} $2"
    return 0
  fi
  object=$1
  file=$2
  if [ "$#" -gt 2 ]; then
    set -- --type=kubernetes.io/basic-auth "--from-literal=username=$3" "--from-file=password=secrets/${file}"
  else
    set -- "--from-file=value=secrets/${file}"
  fi
  kube create secret generic "${object}" --namespace="${namespace}" --dry-run=client --output=json "$@" |
    kube label --local --filename=- --output=json app.kubernetes.io/instance=lakehouse app.kubernetes.io/managed-by=lakewright app.kubernetes.io/part-of=lakehouse |
    kube patch --local --filename=- --output=json --type=merge --patch='{"immutable":true}' |
    kube create --filename=- --field-manager=lakewright
}

found=$(kube get namespace "${namespace}" --ignore-not-found --output=name)
if [ -z "${found}" ]; then
  kube apply --server-side --field-manager=lakewright --filename=manifests/00-cluster/00-namespace.yaml
fi
there=$(kube --namespace "${namespace}" get secrets --output='jsonpath={.items[*].metadata.name}')
there=" ${there} "
secret airbyte-admin-client-id-v1 airbyte-admin-client-id
secret airbyte-admin-client-secret-v1 airbyte-admin-client-secret
secret airbyte-admin-password-v1 airbyte-admin-password
secret airbyte-jwt-signature-v1 airbyte-jwt-signature
secret backup-identity-v1 backup-identity
secret backup-store-v1 backup-store lakehouse-backup
secret dremio-admin-v1 dremio-admin admin
secret dremio-backup-v1 dremio-backup backup
secret dremio-dbt-engine-v1 dremio-dbt-engine dbt_engine
secret dremio-metrics-v1 dremio-metrics metrics
secret dremio-superset-engine-v1 dremio-superset-engine superset_engine
secret elasticsearch-backup-mirror-v1 elasticsearch-backup-mirror
secret elasticsearch-dremio-search-v1 elasticsearch-dremio-search dremio-search
secret elasticsearch-elastic-v1 elasticsearch-elastic elastic
secret elasticsearch-jaeger-storage-v1 elasticsearch-jaeger-storage jaeger-storage
secret elasticsearch-metrics-v1 elasticsearch-metrics metrics
secret grafana-admin-v1 grafana-admin admin
secret grafana-metrics-v1 grafana-metrics metrics
secret grafana-oidc-secret-v1 grafana-oidc-secret
secret grafana-secret-key-v1 grafana-secret-key
secret minio-airbyte-lake-v1 minio-airbyte-lake airbyte-lake
secret minio-airbyte-storage-v1 minio-airbyte-storage airbyte-storage
secret minio-backup-mirror-v1 minio-backup-mirror
secret minio-dremio-storage-v1 minio-dremio-storage dremio-storage
secret minio-elasticsearch-snapshots-v1 minio-elasticsearch-snapshots elasticsearch-snapshots
secret minio-encryption-key-v1 minio-encryption-key
secret minio-metrics-v1 minio-metrics metrics
secret minio-metrics-token-v1 minio-metrics-token
secret minio-root-password-v1 minio-root-password root
secret postgresql-airbyte-activity-v1 postgresql-airbyte-activity airbyte_metrics
secret postgresql-airbyte-config-v1 postgresql-airbyte-config airbyte
secret postgresql-airbyte-temporal-v1 postgresql-airbyte-temporal airbyte_temporal
secret postgresql-airbyte-temporal-visibility-v1 postgresql-airbyte-temporal-visibility airbyte_temporal_visibility
secret postgresql-dremio-database-v1 postgresql-dremio-database dremio
secret postgresql-grafana-database-v1 postgresql-grafana-database grafana
secret postgresql-superset-activity-v1 postgresql-superset-activity superset_metrics
secret postgresql-superset-metadata-v1 postgresql-superset-metadata superset
secret postgresql-superuser-v1 postgresql-superuser postgres
secret superset-admin-v1 superset-admin admin
secret superset-async-key-v1 superset-async-key
secret superset-guest-key-v1 superset-guest-key
secret superset-oidc-secret-v1 superset-oidc-secret
secret superset-secret-key-v1 superset-secret-key
secret valkey-health-v1 valkey-health health
secret valkey-metrics-v1 valkey-metrics metrics
secret valkey-superset-cache-v1 valkey-superset-cache superset-cache

if [ -n "${missing}" ]; then
  say "These files are missing or empty in ./secrets:${missing}"
  say 'Make them: lakewright secrets init .   Those that come from elsewhere are listed in README.md.'
  exit 1
fi

if [ -n "${prune}" ]; then
  # Every word of what may refer to a Secret: a name that occurs anywhere is kept.
  used=$(kube --namespace "${namespace}" get pods,deployments,statefulsets,jobs,cronjobs,Cluster.v1.postgresql.cnpg.io,Probe.v1.monitoring.coreos.com,Prometheus.v1.monitoring.coreos.com,PrometheusRule.v1.monitoring.coreos.com,ScrapeConfig.v1alpha1.monitoring.coreos.com,ServiceMonitor.v1.monitoring.coreos.com --output=json)
  used=$(printf '%s' "${used}" | tr -cs 'a-z0-9.-' ' ')
  old=$(kube --namespace "${namespace}" get secrets --selector="${labels}" --output='jsonpath={.items[*].metadata.name}')
  for name in ${old}; do
    case " ${known} ${used} " in
      *" ${name} "*) continue ;;
      *) ;;
    esac
    if [ -n "${yes}" ]; then
      kube --namespace "${namespace}" delete secret "${name}"
    else
      say "nothing refers to the Secret ${name}; --yes deletes it"
    fi
  done
fi
