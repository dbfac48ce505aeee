#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Says what the cluster lacks for this bundle: everything at once, each with what to do. Changes nothing.
# Functions are called in conditions on purpose: each says by its status how it went.
# Texts hold names of settings between backticks, and templates of kubectl's own.
# shellcheck disable=SC2016,SC2310,SC2311
set -eu

usage() {
  cat <<'END'
Usage: ./preflight.sh [OPTION]...
Says what the cluster lacks for this bundle. Changes nothing.

  --context NAME   use this context of kubectl's configuration
  --help           show this

Exit status: 0 nothing is lacking, 1 something is, or the cluster does not answer, 2 wrong usage.
END
}

say() {
  printf '%s\n' "$*" >&2
}

wrong() {
  say "preflight.sh: $1"
  say 'Try ./preflight.sh --help.'
  exit 2
}

context=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    --context)
      [ "$#" -gt 1 ] || wrong '--context needs a name'
      context=$2
      shift
      ;;
    --context=*) context=${1#--context=} ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "unknown option $1" ;;
  esac
  shift
done

CDPATH='' cd -- "$(dirname -- "$0")"
namespace=lakehouse
lacks=0
# Operators of which something is not served.
unserved='|'

kube() {
  kubectl ${context:+"--context=${context}"} "$@"
}

# Usage: lack WHAT WHAT_TO_DO
lack() {
  lacks=$((lacks + 1))
  printf 'lacking: %s\n         %s\n' "$1" "$2" >&2
}

# Usage: note WHAT
note() {
  printf 'note:    %s\n' "$1" >&2
}

# Says whether a version is at least another; both are numbers with dots.
# Usage: at_least HAVE NEED
at_least() {
  printf '%s\n%s\n' "$2" "$1" | sort -c -t . -k 1,1n -k 2,2n -k 3,3n 2>/dev/null
}

# Says whether the cluster serves an API with some kinds, and what of it is missing.
# Usage: served OPERATOR HELP API_VERSION KIND...
served() {
  operator=$1
  help=$2
  api=$3
  shift 3
  kinds=$(kube get --raw "/apis/${api}" 2>/dev/null) || kinds=''
  if [ -z "${kinds}" ]; then
    lack "${operator}: the cluster does not serve ${api}" "${help}"
    unserved="${unserved}${operator}|"
    return 0
  fi
  for kind in "$@"; do
    case "${kinds}" in
      *"\"kind\":\"${kind}\""*) ;;
      *) lack "${operator}: the cluster does not serve ${kind} of ${api}" "${help}" ;;
    esac
  done
}

# Compares the version of an operator, if there is one and it can be told.
# Usage: version OPERATOR NEED HELP HAVE
version() {
  case "${unserved}" in
    *"|$1|"*) return 0 ;;
    *) ;;
  esac
  have=${4#v}
  case "${have}" in
    [0-9]*.[0-9]*)
      at_least "${have}" "$2" || lack "$1: its version is ${have}; this bundle was made for $2 or newer" "$3"
      ;;
    *) note "the version of $1 cannot be told; this bundle was made for $2 or newer" ;;
  esac
}

# Tells the tag of the image of a Deployment that bears some labels.
# Usage: tag LABELS
tag() {
  image=$(kube get deployments --all-namespaces --selector="$1" \
    --output='jsonpath={.items[0].spec.template.spec.containers[0].image}' 2>/dev/null) || image=''
  image=${image%%@*}
  case "${image##*/}" in
    *:*) printf '%s\n' "${image##*:}" ;;
    *) ;;
  esac
}

# Tells what an annotation of a CustomResourceDefinition says.
# Usage: annotation CRD KEY
annotation() {
  key=$(printf '%s\n' "$2" | sed 's/\./\\./g')
  kube get crd "$1" --output="jsonpath={.metadata.annotations.${key}}" 2>/dev/null || :
}

if ! command -v kubectl >/dev/null; then
  lack 'kubectl is not installed' 'https://kubernetes.io/docs/tasks/tools/'
  exit 1
fi

# --- versions
if ! server=$(kube get --raw /version); then
  lack 'the cluster does not answer' 'Look at `kubectl config get-contexts`, and choose one: --context NAME.'
  exit 1
fi
minor=$(printf '%s' "${server}" | tr -d ' \n' | sed -n 's/.*"minor":"\([0-9]*\).*/\1/p')
if [ "${minor:-0}" -lt 36 ]; then
  lack "the cluster is Kubernetes 1.${minor:-?}; this bundle is made for 1.36" \
    "Update the cluster, or set \`kubernetes.version = \"1.${minor}\"\` in the environment and build again."
elif [ "${minor}" -gt 37 ]; then
  note "the cluster is Kubernetes 1.${minor}, newer than any that this bundle was tried with (1.37)"
elif [ "${minor}" -gt 36 ]; then
  note "the cluster is Kubernetes 1.${minor}; the bundle is checked against 1.36, as the topology says"
fi
client=$(kubectl version --client --output=json | tr -d ' \n' | sed -n 's/.*"minor":"\([0-9]*\).*/\1/p')
if [ "$((${client:-0} + 1))" -lt "${minor:-0}" ] || [ "${client:-0}" -gt "$((${minor:-0} + 1))" ]; then
  note "kubectl is 1.${client:-?}, which is not supported with a cluster of 1.${minor:-?}: at most one apart"
fi

# --- operators
served CloudNativePG 'https://cloudnative-pg.io/docs, Helm chart cloudnative-pg/cloudnative-pg' postgresql.cnpg.io/v1 Cluster
served 'Gateway API' 'kubectl apply --server-side --filename=https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.1/standard-install.yaml' gateway.networking.k8s.io/v1 GRPCRoute Gateway HTTPRoute
served Istio 'https://istio.io/latest/docs/setup/install/helm (charts base, cni and istiod), with prerequisites/istio-values.yaml for istiod' networking.istio.io/v1 DestinationRule ServiceEntry Sidecar
served Istio 'https://istio.io/latest/docs/setup/install/helm (charts base, cni and istiod), with prerequisites/istio-values.yaml for istiod' security.istio.io/v1 AuthorizationPolicy PeerAuthentication
served Istio 'https://istio.io/latest/docs/setup/install/helm (charts base, cni and istiod), with prerequisites/istio-values.yaml for istiod' telemetry.istio.io/v1 Telemetry
served 'Prometheus operator' 'https://prometheus-operator.dev/docs/getting-started/installation, or its Helm chart prometheus-community/kube-prometheus-stack' monitoring.coreos.com/v1 Probe Prometheus PrometheusRule ServiceMonitor
served 'Prometheus operator' 'https://prometheus-operator.dev/docs/getting-started/installation, or its Helm chart prometheus-community/kube-prometheus-stack' monitoring.coreos.com/v1alpha1 ScrapeConfig
served cert-manager 'https://cert-manager.io/docs/installation/helm, with crds.enabled=true' cert-manager.io/v1 Certificate Issuer
have=$(tag app.kubernetes.io/name=cloudnative-pg)
version CloudNativePG 1.30 'https://cloudnative-pg.io/docs, Helm chart cloudnative-pg/cloudnative-pg' "${have}"
have=$(annotation gateways.gateway.networking.k8s.io gateway.networking.k8s.io/bundle-version)
version 'Gateway API' 1.6 'kubectl apply --server-side --filename=https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.1/standard-install.yaml' "${have}"
have=$(tag app=istiod)
version Istio 1.30 'https://istio.io/latest/docs/setup/install/helm (charts base, cni and istiod), with prerequisites/istio-values.yaml for istiod' "${have}"
have=$(tag app.kubernetes.io/name=prometheus-operator)
version 'Prometheus operator' 0.93 'https://prometheus-operator.dev/docs/getting-started/installation, or its Helm chart prometheus-community/kube-prometheus-stack' "${have}"
have=$(tag app.kubernetes.io/name=cert-manager,app.kubernetes.io/component=controller)
version cert-manager 1.21 'https://cert-manager.io/docs/installation/helm, with crds.enabled=true' "${have}"

# --- the mesh
mesh_help='Set the values of prerequisites/istio-values.yaml: helm upgrade istiod istio/istiod --namespace istio-system --reuse-values --values prerequisites/istio-values.yaml'
if mesh=$(kube --namespace istio-system get configmap istio --output='jsonpath={.data.mesh}' 2>/dev/null); then
  for setting in meshMTLS tlsDefaults; do
    if ! printf '%s\n' "${mesh}" | awk -v "key=${setting}:" '
      /^[^ ]/ { inside = ($1 == key) }
      inside && /minProtocolVersion: *"?TLSV1_3/ { found = 1 }
      END { exit !found }'; then
      lack "Istio: meshConfig.${setting}.minProtocolVersion is not TLSV1_3" "${mesh_help}"
    fi
  done
else
  lack 'Istio: its configuration, ConfigMap istio in istio-system, cannot be read' "${mesh_help}"
fi
native=$(kube --namespace istio-system get deployments --selector=app=istiod \
  --output='jsonpath={.items[*].spec.template.spec.containers[*].env[?(@.name=="ENABLE_NATIVE_SIDECARS")].value}' 2>/dev/null) || native=''
case "${native}" in
  *false*) lack 'Istio: ENABLE_NATIVE_SIDECARS is false; jobs in the mesh would never end' "${mesh_help}" ;;
  *) ;;
esac
cni=$(kube get daemonsets --all-namespaces --selector=k8s-app=istio-cni-node --output=name 2>/dev/null) || cni=''
if [ -z "${cni}" ]; then
  lack 'Istio: its CNI plugin is not installed; without it, Pod Security refuses every pod of the mesh' \
    'helm install istio-cni istio/cni --namespace istio-system, then cni.enabled for istiod: prerequisites/istio-values.yaml'
fi

# --- nodes
nodes=$(kube get nodes --output='jsonpath={range .items[*]}{.metadata.labels.topology\.kubernetes\.io/zone}|{.spec.unschedulable}{"\n"}{end}')
usable=$(printf '%s\n' "${nodes}" | grep '|$' || :)
if ! printf '%s\n' "${usable}" | grep -Fqx 'eu-west-3a|'; then
  lack 'no node for pods is in zone eu-west-3a' 'Add one, or name the zones that there are, as the label topology.kubernetes.io/zone of nodes says them.'
fi
if ! printf '%s\n' "${usable}" | grep -Fqx 'eu-west-3b|'; then
  lack 'no node for pods is in zone eu-west-3b' 'Add one, or name the zones that there are, as the label topology.kubernetes.io/zone of nodes says them.'
fi
if ! printf '%s\n' "${usable}" | grep -Fqx 'eu-west-3c|'; then
  lack 'no node for pods is in zone eu-west-3c' 'Add one, or name the zones that there are, as the label topology.kubernetes.io/zone of nodes says them.'
fi
count=$(printf '%s\n' "${usable}" | grep -Fx -e 'eu-west-3a|' -e 'eu-west-3b|' -e 'eu-west-3c|' | grep -c '|$' || :)
if [ "${count}" -lt 6 ]; then
  lack "there are ${count} nodes for pods; minio needs 6, one for each replica" 'Add nodes.'
fi

# --- autoscalers
if ! kube get --raw /apis/metrics.k8s.io/v1beta1 >/dev/null 2>&1; then
  lack 'nothing serves metrics.k8s.io; autoscalers cannot tell the load of pods' 'Install metrics-server: https://github.com/kubernetes-sigs/metrics-server'
fi

# --- the certificate of the public names
ready=$(kube get clusterissuers.cert-manager.io letsencrypt --output='jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null) || ready=''
if [ "${ready}" != True ]; then
  lack 'there is no ClusterIssuer letsencrypt that is ready' 'Make it, or set `kubernetes.issuer` to one that is: https://cert-manager.io/docs/configuration'
fi

# --- Secrets: names and keys only
there=$(kube --namespace "${namespace}" get secrets \
  --output=go-template='{{range .items}}{{.metadata.name}}{{range $key, $value := .data}} {{$key}}{{end}}{{"\n"}}{{end}}' 2>/dev/null) || there=''

# Adds a Secret to `absent` if it is not there, or not with these keys.
# Usage: secret NAME KEY...
secret() {
  keys=$(printf '%s\n' "${there}" | sed -n "s/^$1 //p")
  name=$1
  shift
  for key in "$@"; do
    case " ${keys} " in
      *" ${key} "*) ;;
      *)
        absent="${absent} ${name}"
        return 0
        ;;
    esac
  done
}

absent=''
secret airbyte-admin-client-id-v1 value
secret airbyte-admin-client-secret-v1 value
secret airbyte-admin-password-v1 value
secret airbyte-jwt-signature-v1 value
secret backup-identity-v1 value
secret backup-store-v1 username password
secret dremio-admin-v1 username password
secret dremio-backup-v1 username password
secret dremio-dbt-engine-v1 username password
secret dremio-metrics-v1 username password
secret dremio-superset-engine-v1 username password
secret elasticsearch-backup-mirror-v1 value
secret elasticsearch-dremio-search-v1 username password
secret elasticsearch-elastic-v1 username password
secret elasticsearch-jaeger-storage-v1 username password
secret elasticsearch-metrics-v1 username password
secret grafana-admin-v1 username password
secret grafana-metrics-v1 username password
secret grafana-oidc-secret-v1 value
secret grafana-secret-key-v1 value
secret minio-airbyte-lake-v1 username password
secret minio-airbyte-storage-v1 username password
secret minio-backup-mirror-v1 value
secret minio-dremio-storage-v1 username password
secret minio-elasticsearch-snapshots-v1 username password
secret minio-encryption-key-v1 value
secret minio-metrics-v1 username password
secret minio-metrics-token-v1 value
secret minio-root-password-v1 username password
secret postgresql-airbyte-activity-v1 username password
secret postgresql-airbyte-config-v1 username password
secret postgresql-airbyte-temporal-v1 username password
secret postgresql-airbyte-temporal-visibility-v1 username password
secret postgresql-dremio-database-v1 username password
secret postgresql-grafana-database-v1 username password
secret postgresql-superset-activity-v1 username password
secret postgresql-superset-metadata-v1 username password
secret postgresql-superuser-v1 username password
secret superset-admin-v1 username password
secret superset-async-key-v1 value
secret superset-guest-key-v1 value
secret superset-oidc-secret-v1 value
secret superset-secret-key-v1 value
secret valkey-health-v1 username password
secret valkey-metrics-v1 username password
secret valkey-superset-cache-v1 username password
if [ -n "${absent}" ]; then
  lack "these Secrets of the namespace ${namespace} are missing, or have not the keys they should have:${absent}" \
    './secrets.sh makes them from ./secrets; it leaves those that are there as they are.'
fi

# --- images that are built
note './images.sh pushes registry.example.com/lakehouse/dbt-dbt:1.11.16-04466076d76c'
note './images.sh pushes registry.example.com/lakehouse/dremio-backup:26.0.5-c3d1728114e8'
note './images.sh pushes registry.example.com/lakehouse/elasticsearch-backup:9.5.2-9f33da6a2564'
note './images.sh pushes registry.example.com/lakehouse/minio-backup:RELEASE.2026-09-16T00-00-00Z-7724263bef66'
note './images.sh pushes registry.example.com/lakehouse/postgresql-backup:17.11-2039e8613c54'
note './images.sh pushes registry.example.com/lakehouse/superset-app:6.1.0-a8a2c7e4da78'

# --- settings of nodes, which the API does not tell
note 'nodes of elasticsearch need vm.max_map_count = 262144 or more: Lucene maps its index files into memory.'

if [ "${lacks}" -gt 0 ]; then
  say "${lacks} lacking, see above"
  exit 1
fi
say 'nothing is lacking'
