#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Makes the Swarm's secrets of this bundle from files: those that `lakewright secrets init .` has made, and certificates.
# Docker reads the files itself: no value is in an argument, in a variable or in what is printed.
set -eu

usage() {
  cat <<'END'
Usage: ./secrets.sh [OPTION]...
Makes the secrets that are missing in the Swarm from the files in ./secrets; run it on a manager. Those that are there stay
as they are: they cannot be changed. A certificate that was renewed is a new secret by itself. To rotate another one:

  1. raise its number in the topology: secret_versions = { NAME = 2 } in the environment; build
  2. rm secrets/NAME, then lakewright secrets init . or put the new value there
  3. ./deploy.sh, which runs this

  --variables  only print what stack.yaml calls certificates by, for those who deploy it without ./deploy.sh
  --prune      list the secrets of earlier versions that no service refers to any more
  --yes        with --prune: delete them
  --dry-run    say what would be made
  --help       show this

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

only_variables=''
prune=''
yes=''
dry_run=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    --variables) only_variables=yes ;;
    --prune) prune=yes ;;
    --yes) yes=yes ;;
    --dry-run) dry_run=yes ;;
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
label=lakewright.stack=lakehouse-staging
missing=''

# Prints the beginning of the fingerprint of a certificate.
# Usage: fingerprint FILE
fingerprint() {
  openssl x509 -in "$1" -noout -fingerprint -sha256 2>/dev/null | sed 's/^.*=//' | tr -d ':' | tr 'A-F' 'a-f' | cut -c '1-12'
}

# Adds to `variables`, and says by its status whether there is such a certificate.
# Usage: variable NAME FILE
variable() {
  print=''
  if [ -s "$2" ]; then
    print=$(fingerprint "$2")
  fi
  if [ -z "${print}" ]; then
    missing="${missing} ${2#secrets/}"
    return 1
  fi
  variables="${variables}$1=${print}
"
}

variables=''

if [ -n "${only_variables}" ]; then
  variable TLS_AUTHORITY secrets/tls/ca.crt || :
  variable TLS_ALERTMANAGER secrets/tls/alertmanager/tls.crt || :
  variable TLS_BLACKBOX secrets/tls/blackbox/tls.crt || :
  variable TLS_ELASTICSEARCH secrets/tls/elasticsearch/tls.crt || :
  variable TLS_FILEBEAT secrets/tls/filebeat/tls.crt || :
  variable TLS_JAEGER secrets/tls/jaeger/tls.crt || :
  variable TLS_LOGSTASH secrets/tls/logstash/tls.crt || :
  variable TLS_OTEL_COLLECTOR secrets/tls/otel-collector/tls.crt || :
  variable TLS_PROMETHEUS secrets/tls/prometheus/tls.crt || :
  variable TLS_PUBLIC secrets/tls/public/tls.crt || :
  if [ -n "${missing}" ]; then
    say "These certificates are missing in ./secrets, or cannot be read:${missing}"
    exit 1
  fi
  printf '%s' "${variables}"
  exit 0
fi

there=$(docker secret ls --format '{{.Name}}' | tr '\n' ' ')
there=" ${there}"
known=''

# Usage: secret NAME FILE
secret() {
  known="${known} $1"
  case "${there}" in
    *" $1 "*) return 0 ;;
    *) ;;
  esac
  if [ ! -s "secrets/$2" ]; then
    missing="${missing} $2"
  elif [ -n "${dry_run}" ]; then
    say "would be made: the secret $1"
  else
    docker secret create --label "${label}" "$1" "secrets/$2" >/dev/null
    say "made: the secret $1"
  fi
}

secret lakehouse-staging_backup-identity-v1 backup-identity
secret lakehouse-staging_backup-store-v1 backup-store
secret lakehouse-staging_dremio-admin-v1 dremio-admin
secret lakehouse-staging_dremio-backup-v1 dremio-backup
secret lakehouse-staging_dremio-dbt-engine-v1 dremio-dbt-engine
secret lakehouse-staging_dremio-metrics-v1 dremio-metrics
secret lakehouse-staging_dremio-superset-engine-v1 dremio-superset-engine
secret lakehouse-staging_elasticsearch-backup-mirror-v1 elasticsearch-backup-mirror
secret lakehouse-staging_elasticsearch-dremio-search-v1 elasticsearch-dremio-search
secret lakehouse-staging_elasticsearch-elastic-v1 elasticsearch-elastic
secret lakehouse-staging_elasticsearch-grafana-logs-v1 elasticsearch-grafana-logs
secret lakehouse-staging_elasticsearch-jaeger-storage-v1 elasticsearch-jaeger-storage
secret lakehouse-staging_elasticsearch-kibana-reader-v1 elasticsearch-kibana-reader
secret lakehouse-staging_elasticsearch-kibana-store-v1 elasticsearch-kibana-store
secret lakehouse-staging_elasticsearch-kibana-views-v1 elasticsearch-kibana-views
secret lakehouse-staging_elasticsearch-logstash-setup-v1 elasticsearch-logstash-setup
secret lakehouse-staging_elasticsearch-logstash-store-v1 elasticsearch-logstash-store
secret lakehouse-staging_elasticsearch-metrics-v1 elasticsearch-metrics
secret lakehouse-staging_grafana-admin-v1 grafana-admin
secret lakehouse-staging_grafana-metrics-v1 grafana-metrics
secret lakehouse-staging_grafana-secret-key-v1 grafana-secret-key
secret lakehouse-staging_kibana-reporting-key-v1 kibana-reporting-key
secret lakehouse-staging_kibana-saved-objects-key-v1 kibana-saved-objects-key
secret lakehouse-staging_kibana-session-key-v1 kibana-session-key
secret lakehouse-staging_minio-airbyte-lake-v1 minio-airbyte-lake
secret lakehouse-staging_minio-airbyte-storage-v1 minio-airbyte-storage
secret lakehouse-staging_minio-backup-mirror-v1 minio-backup-mirror
secret lakehouse-staging_minio-dremio-storage-v1 minio-dremio-storage
secret lakehouse-staging_minio-elasticsearch-snapshots-v1 minio-elasticsearch-snapshots
secret lakehouse-staging_minio-encryption-key-v1 minio-encryption-key
secret lakehouse-staging_minio-metrics-v1 minio-metrics
secret lakehouse-staging_minio-metrics-token-v1 minio-metrics-token
secret lakehouse-staging_minio-root-password-v1 minio-root-password
secret lakehouse-staging_postgresql-airbyte-activity-v1 postgresql-airbyte-activity
secret lakehouse-staging_postgresql-airbyte-config-v1 postgresql-airbyte-config
secret lakehouse-staging_postgresql-airbyte-temporal-v1 postgresql-airbyte-temporal
secret lakehouse-staging_postgresql-airbyte-temporal-visibility-v1 postgresql-airbyte-temporal-visibility
secret lakehouse-staging_postgresql-dremio-database-v1 postgresql-dremio-database
secret lakehouse-staging_postgresql-exporter-v1 postgresql-exporter
secret lakehouse-staging_postgresql-grafana-database-v1 postgresql-grafana-database
secret lakehouse-staging_postgresql-replicator-v1 postgresql-replicator
secret lakehouse-staging_postgresql-superset-activity-v1 postgresql-superset-activity
secret lakehouse-staging_postgresql-superset-metadata-v1 postgresql-superset-metadata
secret lakehouse-staging_postgresql-superuser-v1 postgresql-superuser
secret lakehouse-staging_superset-admin-v1 superset-admin
secret lakehouse-staging_superset-async-key-v1 superset-async-key
secret lakehouse-staging_superset-guest-key-v1 superset-guest-key
secret lakehouse-staging_superset-secret-key-v1 superset-secret-key
secret lakehouse-staging_valkey-health-v1 valkey-health
secret lakehouse-staging_valkey-metrics-v1 valkey-metrics
secret lakehouse-staging_valkey-superset-cache-v1 valkey-superset-cache
if variable TLS_AUTHORITY secrets/tls/ca.crt; then
  TLS_AUTHORITY=${print}
  secret "lakehouse-staging_tls-authority-${TLS_AUTHORITY:?deploy with ./deploy.sh}" tls/ca.crt
fi
if variable TLS_ALERTMANAGER secrets/tls/alertmanager/tls.crt; then
  TLS_ALERTMANAGER=${print}
  secret "lakehouse-staging_tls-alertmanager-crt-${TLS_ALERTMANAGER:?deploy with ./deploy.sh}" tls/alertmanager/tls.crt
  secret "lakehouse-staging_tls-alertmanager-key-${TLS_ALERTMANAGER:?deploy with ./deploy.sh}" tls/alertmanager/tls.key
fi
if variable TLS_BLACKBOX secrets/tls/blackbox/tls.crt; then
  TLS_BLACKBOX=${print}
  secret "lakehouse-staging_tls-blackbox-crt-${TLS_BLACKBOX:?deploy with ./deploy.sh}" tls/blackbox/tls.crt
  secret "lakehouse-staging_tls-blackbox-key-${TLS_BLACKBOX:?deploy with ./deploy.sh}" tls/blackbox/tls.key
fi
if variable TLS_ELASTICSEARCH secrets/tls/elasticsearch/tls.crt; then
  TLS_ELASTICSEARCH=${print}
  secret "lakehouse-staging_tls-elasticsearch-crt-${TLS_ELASTICSEARCH:?deploy with ./deploy.sh}" tls/elasticsearch/tls.crt
  secret "lakehouse-staging_tls-elasticsearch-key-${TLS_ELASTICSEARCH:?deploy with ./deploy.sh}" tls/elasticsearch/tls.key
fi
if variable TLS_FILEBEAT secrets/tls/filebeat/tls.crt; then
  TLS_FILEBEAT=${print}
  secret "lakehouse-staging_tls-filebeat-crt-${TLS_FILEBEAT:?deploy with ./deploy.sh}" tls/filebeat/tls.crt
  secret "lakehouse-staging_tls-filebeat-key-${TLS_FILEBEAT:?deploy with ./deploy.sh}" tls/filebeat/tls.key
fi
if variable TLS_JAEGER secrets/tls/jaeger/tls.crt; then
  TLS_JAEGER=${print}
  secret "lakehouse-staging_tls-jaeger-crt-${TLS_JAEGER:?deploy with ./deploy.sh}" tls/jaeger/tls.crt
  secret "lakehouse-staging_tls-jaeger-key-${TLS_JAEGER:?deploy with ./deploy.sh}" tls/jaeger/tls.key
fi
if variable TLS_LOGSTASH secrets/tls/logstash/tls.crt; then
  TLS_LOGSTASH=${print}
  secret "lakehouse-staging_tls-logstash-crt-${TLS_LOGSTASH:?deploy with ./deploy.sh}" tls/logstash/tls.crt
  secret "lakehouse-staging_tls-logstash-key-${TLS_LOGSTASH:?deploy with ./deploy.sh}" tls/logstash/tls.key
fi
if variable TLS_OTEL_COLLECTOR secrets/tls/otel-collector/tls.crt; then
  TLS_OTEL_COLLECTOR=${print}
  secret "lakehouse-staging_tls-otel-collector-crt-${TLS_OTEL_COLLECTOR:?deploy with ./deploy.sh}" tls/otel-collector/tls.crt
  secret "lakehouse-staging_tls-otel-collector-key-${TLS_OTEL_COLLECTOR:?deploy with ./deploy.sh}" tls/otel-collector/tls.key
fi
if variable TLS_PROMETHEUS secrets/tls/prometheus/tls.crt; then
  TLS_PROMETHEUS=${print}
  secret "lakehouse-staging_tls-prometheus-crt-${TLS_PROMETHEUS:?deploy with ./deploy.sh}" tls/prometheus/tls.crt
  secret "lakehouse-staging_tls-prometheus-key-${TLS_PROMETHEUS:?deploy with ./deploy.sh}" tls/prometheus/tls.key
fi
if variable TLS_PUBLIC secrets/tls/public/tls.crt; then
  TLS_PUBLIC=${print}
  secret "lakehouse-staging_tls-public-crt-${TLS_PUBLIC:?deploy with ./deploy.sh}" tls/public/tls.crt
  secret "lakehouse-staging_tls-public-key-${TLS_PUBLIC:?deploy with ./deploy.sh}" tls/public/tls.key
fi

if [ -n "${missing}" ]; then
  say "These files are missing or empty in ./secrets:${missing}"
  say 'Make them: lakewright secrets init .   ./tls/issue.sh   Those that come from elsewhere are listed in README.md.'
  exit 1
fi

if [ -n "${prune}" ]; then
  # Going back to a value that was rotated does not work anyway.
  used=$(docker service ls --quiet | xargs docker service inspect --format \
    '{{with .Spec.TaskTemplate.ContainerSpec}}{{range .Secrets}}{{.SecretName}} {{end}}{{end}}' 2>/dev/null |
    tr '\n' ' ' || :)
  for name in $(docker secret ls --filter "label=${label}" --format '{{.Name}}'); do
    case " ${known} ${used} " in
      *" ${name} "*) continue ;;
      *) ;;
    esac
    if [ -n "${yes}" ] && [ -z "${dry_run}" ]; then
      docker secret rm "${name}" >/dev/null
      say "deleted: the secret ${name}"
    else
      say "no service refers to the secret ${name}; --prune --yes deletes it"
    fi
  done
fi
