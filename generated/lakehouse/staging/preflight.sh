#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Says what the hosts and the Swarm lack for this bundle: everything at once, each with what to do.
# Functions are called in conditions on purpose: each says by its status how it went.
# shellcheck disable=SC2310,SC2311
set -eu

usage() {
  cat <<'END'
Usage: ./preflight.sh [OPTION]...
Says what the hosts and the Swarm lack for this bundle; run it on a manager. It changes nothing, but starts a container on
every host for a moment, to see what only the host itself can tell.

  --host NAME=NODE     the host NAME of the topology is this node; otherwise it is the node that was it before, or the one
                       that is called so
  --move SERVICE       accept that this service starts on another host, without the data that it has where it runs
  --small-hosts        accept hosts with less memory and fewer processors than the topology says
  --no-images          do not ask registries for images
  --no-probe           start nothing on the hosts
  --probe-image IMAGE  what is started there: any image with a shell and its usual programs
  --nodes              only print which node each host is: name and id
  --help               show this

--host and --move may be given several times.
Exit status: 0 nothing is lacking, 1 something is, or the engine does not answer, 2 wrong usage.
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

given=''
moved=''
small=''
images=yes
probe=yes
only_nodes=''
probe_image=docker.io/library/busybox:1.37.0

# Usage: give NAME=NODE
give() {
  case "$1" in
    ?*=?*) given="${given}$1
" ;;
    *) wrong "--host needs NAME=NODE, not $1" ;;
  esac
}

while [ "$#" -gt 0 ]; do
  case "$1" in
    --host | --move | --probe-image)
      [ "$#" -gt 1 ] || wrong "$1 needs a value"
      case "$1" in
        --host) give "$2" ;;
        --move) moved="${moved} $2" ;;
        *) probe_image=$2 ;;
      esac
      shift
      ;;
    --host=*) give "${1#--host=}" ;;
    --move=*) moved="${moved} ${1#--move=}" ;;
    --probe-image=*) probe_image=${1#--probe-image=} ;;
    --small-hosts) small=yes ;;
    --no-images) images='' ;;
    --no-probe) probe='' ;;
    --nodes) only_nodes=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "unknown option $1" ;;
  esac
  shift
done

CDPATH='' cd -- "$(dirname -- "$0")"
project=lakehouse-staging
lacks=0

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

# Inspects all services of the Swarm, or those of the stack.
# Usage: services FORMAT [FILTER]
services() {
  format=$1
  shift
  docker service ls --quiet "$@" | xargs docker service inspect --format "${format}" 2>/dev/null || :
}

# --- the engine
if ! command -v docker >/dev/null; then
  lack 'docker is not installed' 'https://docs.docker.com/engine/install'
  exit 1
fi
if ! versions=$(docker version --format '{{.Client.Version}} {{.Server.Version}}'); then
  lack 'the engine does not answer' 'Run this on a manager of the Swarm, as a user who may use Docker.'
  exit 1
fi
manager=$(docker info --format '{{.Swarm.ControlAvailable}}')
if [ "${manager}" != true ]; then
  lack 'this is no manager of a Swarm' 'docker swarm init on the first host, docker swarm join on the others; then run this on a manager.'
  exit 1
fi

# --- hosts
# A line for each node: id, name, which host it is, state, availability, bytes of memory, billionths of processors, version.
label=lakehouse-staging.host
nodes=$(docker node ls --quiet | xargs docker node inspect --format "{{.ID}}|{{.Description.Hostname}}|{{index .Spec.Labels \"${label}\"}}|{{.Status.State}}|{{.Spec.Availability}}|{{.Description.Resources.MemoryBytes}}|{{.Description.Resources.NanoCPUs}}|{{.Description.Engine.EngineVersion}}")

# Prints the lines of the nodes that may be a host: the one that is named, those with its label, those with its name.
# Usage: candidates HOST
candidates() {
  named=$(printf '%s' "${given}" | sed -n "s/^$1=//p" | tail -n 1)
  if [ -n "${named}" ]; then
    named=$(docker node inspect --format '{{.ID}}' "${named}" 2>/dev/null) || named='none'
    printf '%s\n' "${nodes}" | awk -F '|' -v id="${named}" '$1 == id'
    return 0
  fi
  printf '%s\n' "${nodes}" | awk -F '|' -v host="$1" '
    $3 == host { labelled = labelled $0 "\n" }
    $3 == "" && $2 == host { called = called $0 "\n" }
    END { printf "%s", labelled != "" ? labelled : called }'
}

# Finds the node of a host, and says what keeps it from being one.
# Usage: host NAME BYTES MILLI_CPUS
host() {
  node=$(candidates "$1")
  case "${node}" in
    '')
      lack "no node is the host $1" "Join one that is called so, or say which it is: --host $1=NODE. There are: $(printf '%s\n' "${nodes}" | cut -d '|' -f 2 | paste -s -d ' ' -)"
      return 0
      ;;
    *'
'*)
      lack "several nodes are the host $1: $(printf '%s\n' "${node}" | cut -d '|' -f 2 | paste -s -d ' ' -)" "Say which it is: --host $1=NODE"
      return 0
      ;;
    *) ;;
  esac
  IFS='|' read -r id name _ state availability memory cpus version <<END
${node}
END
  if printf '%s' "${found}" | grep -q " ${id}\$"; then
    lack "$1 and another host are the same node, ${name}" "Say which node is which: --host $1=NODE"
    return 0
  fi
  found="${found}$1 ${id}
"
  [ -z "${only_nodes}" ] || return 0
  if [ "${state}" != ready ]; then
    lack "$1: the node ${name} is ${state}" 'Start its engine, or put another node in its place: see README.md.'
  elif [ "${availability}" != active ]; then
    lack "$1: the node ${name} is on ${availability}" "docker node update --availability active ${name}"
  fi
  if ! at_least "${version%%[!0-9.]*}" 20.10; then
    lack "$1: its engine is ${version}; jobs need 20.10 or newer" 'Update it.'
  fi
  # A machine's own software keeps some of its memory from being seen.
  if [ "${memory}" -lt "$(($2 * 15 / 16))" ]; then
    less "$1: it has $((memory / 1048576)) MiB of memory; the topology says $(($2 / 1048576))"
  fi
  if [ "$((cpus / 1000000))" -lt "$3" ]; then
    less "$1: it has $((cpus / 1000000))m processors; the topology says $3m"
  fi
}

# Usage: less WHAT
less() {
  if [ -n "${small}" ]; then
    note "$1"
  else
    lack "$1" 'Correct the topology and build again, or accept it: --small-hosts. What is reserved may find no room then.'
  fi
}

# Lines of host and id.
found=''
host staging-1 17179869184 8000
host staging-2 17179869184 8000
host staging-3 17179869184 8000

if [ -n "${only_nodes}" ]; then
  printf '%s' "${found}"
  [ "${lacks}" -eq 0 ] || exit 1
  exit 0
fi
declared=' staging-1 staging-2 staging-3 '
for name in $(printf '%s' "${given}" | sed 's/=.*//'); do
  case "${declared}" in
    *" ${name} "*) ;;
    *) lack "--host ${name}: the topology has no such host" 'Correct the name.' ;;
  esac
done

client=${versions%% *}
# A certificate that is missing is told below.
if variables=$(./secrets.sh --variables 2>/dev/null) &&
  ! said=$(printf '%s\n' "${variables}" |
    xargs sh -c 'exec env "$@" docker stack config --compose-file stack.yaml' sh 2>&1 >/dev/null); then
  lack "docker ${client} does not read stack.yaml: ${said}" 'The command line must be 25 or newer; engines 20.10.'
fi
managers=$(docker info --format '{{.Swarm.Managers}}')
if [ "$((managers % 2))" -eq 0 ]; then
  note "the Swarm has ${managers} managers, an even number: one less would stand the same losses"
elif [ "${managers}" -eq 1 ]; then
  note 'the Swarm has one manager: nothing is moved or restarted elsewhere while that is lost'
fi
note 'hosts reach each other by TCP 2377 and 7946, UDP 7946 and 4789, and IP protocol 50 (ESP); that cannot be seen from here'

# --- data
# Usage: keeps SERVICE HOST
keeps() {
  case " ${moved} " in
    *" $1 "*) return 0 ;;
    *) ;;
  esac
  was=$(printf '%s\n' "${pinned}" | sed -n "s/^${project}_$1|.*node\.labels\.${label}==\([^|]*\)|.*/\1/p")
  if [ -n "${was}" ] && [ "${was}" != "$2" ]; then
    lack "$1 runs on ${was} and keeps data there; now it would start on $2, with none" \
      "Pin it in the topology: host_labels = { host = \"${was}\" }. Or move the data first, see README.md, then accept it: --move $1"
  fi
}

pinned=$(services '{{.Spec.Name}}|{{with .Spec.TaskTemplate.Placement}}{{range .Constraints}}{{.}}|{{end}}{{end}}' \
  --filter "label=com.docker.stack.namespace=${project}" | tr -d ' ')
keeps alertmanager-1 staging-1
keeps alertmanager-2 staging-3
keeps dbt-pushgateway staging-3
keeps dremio staging-3
keeps dremio-executor-1 staging-1
keeps dremio-executor-2 staging-2
keeps dremio-zookeeper-1 staging-3
keeps dremio-zookeeper-2 staging-1
keeps dremio-zookeeper-3 staging-2
keeps dremio-backup staging-3
keeps dremio-drill staging-3
keeps dremio-restore staging-3
keeps elasticsearch-1 staging-1
keeps elasticsearch-2 staging-3
keeps elasticsearch-3 staging-2
keeps elasticsearch-backup staging-3
keeps elasticsearch-drill staging-3
keeps elasticsearch-restore staging-3
keeps filebeat-1 staging-1
keeps filebeat-2 staging-2
keeps filebeat-3 staging-3
keeps logstash staging-3
keeps minio-1 staging-3
keeps minio-2 staging-1
keeps minio-3 staging-2
keeps minio-backup staging-2
keeps minio-drill staging-2
keeps minio-restore staging-2
keeps postgresql-1 staging-1
keeps postgresql-2 staging-3
keeps postgresql-backup staging-3
keeps postgresql-drill staging-3
keeps postgresql-restore staging-3
keeps prometheus staging-1
keeps backups staging-1
keeps valkey staging-1

# --- what leaves
known=' lakewright-prepare-staging-1 lakewright-prepare-staging-2 lakewright-prepare-staging-3 blackbox dbt-pushgateway elasticsearch-backup elasticsearch-drill elasticsearch-restore logstash-exporter minio-1 minio-2 minio-3 minio-backup minio-drill minio-restore otel-collector postgresql-router postgresql-backup postgresql-drill postgresql-promote postgresql-recopy postgresql-rejoin postgresql-restore postgresql-resume postgresql-status prometheus superset-statsd backups valkey-exporter valkey nginx-exporter nginx alertmanager-1 alertmanager-2 containers-1 containers-2 containers-3 dremio-zookeeper-1 dremio-zookeeper-2 dremio-zookeeper-3 elasticsearch-1 elasticsearch-2 elasticsearch-3 filebeat-1 filebeat-2 filebeat-3 node-exporter-1 node-exporter-2 node-exporter-3 node-exporter-network-1 node-exporter-network-2 node-exporter-network-3 postgresql-1 postgresql-2 elasticsearch-access minio-buckets postgresql-databases dremio dremio-backup dremio-drill dremio-restore elasticsearch-exporter grafana jaeger jaeger-cleaner kibana logstash-store logstash-trim superset-metrics superset-init postgresql-exporter-1 postgresql-exporter-2 dremio-init kibana-data-views logstash superset-beat superset-web superset-worker dremio-executor-1 dremio-executor-2 dbt-build dremio-metrics '
for service in $(services '{{.Spec.Name}}' --filter "label=com.docker.stack.namespace=${project}"); do
  case "${known}" in
    *" ${service#"${project}"_} "*) ;;
    *) note "${service} runs and is not in this bundle: it will be removed; its volumes stay" ;;
  esac
done

# --- published ports
taken=$(services '{{with .Spec.EndpointSpec}}{{range .Ports}}{{$.Spec.Name}}|{{.PublishedPort}}|
{{end}}{{end}}' | sort -u)
ports='80 443 32010'
for port in ${ports}; do
  for service in $(printf '%s\n' "${taken}" | sed -n "s/^\(.*\)|${port}|\$/\1/p"); do
    case "${service}" in
      "${project}"_*) ;;
      *) lack "the port ${port} is taken by the service ${service}" 'Remove that service, or publish another port.' ;;
    esac
  done
done

# --- secrets
missing=''
secrets='
  airbyte-admin-client-id
  airbyte-admin-client-secret
  airbyte-admin-password
  airbyte-jwt-signature
  backup-identity
  backup-store
  dremio-admin
  dremio-backup
  dremio-dbt-engine
  dremio-metrics
  dremio-superset-engine
  elasticsearch-backup-mirror
  elasticsearch-dremio-search
  elasticsearch-elastic
  elasticsearch-grafana-logs
  elasticsearch-jaeger-storage
  elasticsearch-kibana-reader
  elasticsearch-kibana-store
  elasticsearch-kibana-views
  elasticsearch-logstash-setup
  elasticsearch-logstash-store
  elasticsearch-metrics
  grafana-admin
  grafana-metrics
  grafana-secret-key
  kibana-reporting-key
  kibana-saved-objects-key
  kibana-session-key
  minio-airbyte-lake
  minio-airbyte-storage
  minio-backup-mirror
  minio-dremio-storage
  minio-elasticsearch-snapshots
  minio-encryption-key
  minio-metrics
  minio-metrics-token
  minio-root-password
  postgresql-airbyte-activity
  postgresql-airbyte-config
  postgresql-airbyte-temporal
  postgresql-airbyte-temporal-visibility
  postgresql-dremio-database
  postgresql-exporter
  postgresql-grafana-database
  postgresql-replicator
  postgresql-superset-activity
  postgresql-superset-metadata
  postgresql-superuser
  superset-admin
  superset-async-key
  superset-guest-key
  superset-secret-key
  valkey-health
  valkey-metrics
  valkey-superset-cache'
for name in ${secrets}; do
  [ -s "secrets/${name}" ] || missing="${missing} ${name}"
done
if [ -n "${missing}" ]; then
  lack "these files are missing or empty in ./secrets:${missing}" 'Make them: lakewright secrets init .   Those that come from elsewhere are listed in README.md.'
fi

# --- certificates
if ! said=$(./tls/issue.sh --check 2>&1); then
  lack "certificates: ${said}" './tls/issue.sh makes and renews them.'
fi

# --- images
# Usage: image REFERENCE WHAT_TO_DO
image() {
  if ! said=$(docker manifest inspect "$1" 2>&1 >/dev/null); then
    lack "the image $1 cannot be had: ${said}" "$2"
  fi
}

if [ -n "${images}" ]; then
  help='docker login, if its registry wants that; mirror it, if the hosts cannot reach it; --no-images leaves this out.'
  image docker.elastic.co/beats/filebeat:9.5.2 "${help}"
  image docker.elastic.co/elasticsearch/elasticsearch:9.5.2 "${help}"
  image docker.elastic.co/kibana/kibana:9.5.2 "${help}"
  image docker.elastic.co/logstash/logstash:9.5.2 "${help}"
  image docker.io/dremio/dremio-oss:26.0.5 "${help}"
  image docker.io/grafana/grafana:13.1.3 "${help}"
  image docker.io/jaegertracing/jaeger-es-index-cleaner:2.20.0 "${help}"
  image docker.io/jaegertracing/jaeger:2.20.0 "${help}"
  image docker.io/library/busybox:1.37.0 "${help}"
  image docker.io/library/haproxy:3.4.3-alpine "${help}"
  image docker.io/library/nginx:1.30.4-alpine-otel "${help}"
  image docker.io/library/postgres:17.11-trixie "${help}"
  image docker.io/library/python:3.13.15-slim "${help}"
  image docker.io/library/zookeeper:3.9.4-jre-17 "${help}"
  image docker.io/nginx/nginx-prometheus-exporter:1.5.3 "${help}"
  image docker.io/oliver006/redis_exporter:v1.88.0-alpine "${help}"
  image docker.io/otel/opentelemetry-collector-contrib:0.159.0 "${help}"
  image docker.io/pgsty/silo:RELEASE.2026-09-16T00-00-00Z "${help}"
  image docker.io/valkey/valkey:9.1.2-trixie "${help}"
  image ghcr.io/kuskoman/logstash-exporter:v1.9.1 "${help}"
  image quay.io/prometheus/alertmanager:v0.34.0 "${help}"
  image quay.io/prometheus/blackbox-exporter:v0.28.0 "${help}"
  image quay.io/prometheus/node-exporter:v1.12.1 "${help}"
  image quay.io/prometheus/prometheus:v3.14.0 "${help}"
  image quay.io/prometheus/pushgateway:v1.11.3 "${help}"
  image quay.io/prometheus/statsd-exporter:v0.30.0 "${help}"
  image quay.io/prometheuscommunity/elasticsearch-exporter:v1.11.0 "${help}"
  image quay.io/prometheuscommunity/postgres-exporter:v0.20.1 "${help}"
  image registry.example.com/lakehouse/dbt-dbt:1.11.16-04466076d76c './images.sh builds and pushes it.'
  image registry.example.com/lakehouse/dremio-backup:26.0.5-c3d1728114e8 './images.sh builds and pushes it.'
  image registry.example.com/lakehouse/elasticsearch-backup:9.5.2-9f33da6a2564 './images.sh builds and pushes it.'
  image registry.example.com/lakehouse/minio-backup:RELEASE.2026-09-16T00-00-00Z-7724263bef66 './images.sh builds and pushes it.'
  image registry.example.com/lakehouse/postgresql-backup:17.11-2039e8613c54 './images.sh builds and pushes it.'
  image registry.example.com/lakehouse/superset-app:6.1.0-e8e41163e62a './images.sh builds and pushes it.'
fi

# --- what only a host itself can tell
# Usage: name_of ID
name_of() {
  printf '%s' "${found}" | sed -n "s/ $1\$//p"
}

# Usage: setting HOST NAME LEAST WHY
setting() {
  have=$(printf '%s\n' "${told}" | sed -n "s/^$1 $2 //p" | head -n 1)
  case "${have}" in
    '') ;;
    *[!0-9]*) lack "$1: $2 cannot be read there" 'Look at it yourself.' ;;
    *) [ "${have}" -ge "$3" ] ||
      lack "$1: $2 is ${have}, and must be $3 or more: $4" "There: sudo sysctl -w $2=$3, and the same line in /etc/sysctl.d/." ;;
  esac
}

# Lines of host, setting and value.
told=''
here=$(docker info --format '{{.Swarm.NodeID}}')
name=$(name_of "${here}")
keys='vm.max_map_count '
for key in ${keys}; do
  file=/proc/sys/$(echo "${key}" | tr . /)
  if [ -n "${name}" ] && [ -r "${file}" ]; then
    value=$(cat "${file}")
    told="${told}${name} ${key} ${value}
"
  fi
done
others=$(printf '%s' "${found}" | grep -cv " ${here}\$" || :)
if [ -z "${probe}" ]; then
  [ "${others}" -eq 0 ] || note 'settings and mounts of other hosts were not looked at: --no-probe'
elif [ "${others}" -gt 0 ]; then
  prober="${project}-preflight-$$"
  trap 'docker service rm "${prober}" >/dev/null 2>&1 || :' EXIT
  trap 'exit 1' HUP INT TERM
  # Where it runs is what its first word says.
  # shellcheck disable=SC2016
  program='for key; do value=$(cat "/proc/sys/$(echo "$key" | tr . /)") || value=unknown; echo "$NODE $key $value"; done'
  if ! said=$(docker service create --detach --quiet --name "${prober}" --mode global-job --restart-condition none \
    --env 'NODE={{.Node.ID}}' --no-resolve-image  \
    --entrypoint sh "${probe_image}" -c "${program}" sh vm.max_map_count 2>&1); then
    lack "no container can be started on the hosts: ${said}" 'Correct that, or leave it out: --no-probe'
  fi
  turn=0
  while :; do
    states=$(docker service ps --no-trunc --format '{{.Node}}|{{.CurrentState}}|{{.Error}}' "${prober}" 2>/dev/null) || states=''
    turn=$((turn + 1))
    # A job needs some moments to begin.
    if [ "${turn}" -gt 120 ] || { [ "${turn}" -gt 2 ] && ! printf '%s\n' "${states}" |
      awk -F '|' '$2 !~ /^(Complete|Failed|Rejected|Shutdown|Orphaned)/ { waits = 1 } END { exit !waits }'; }; then
      break
    fi
    sleep 1
  done
  for pair in $(printf '%s' "${found}" | tr ' ' '='); do
    name=${pair%%=*}
    host_name=$(printf '%s\n' "${nodes}" | sed -n "s/^${pair#*=}|\([^|]*\)|.*/\1/p")
    state=$(printf '%s\n' "${states}" | awk -F '|' -v node="${host_name}" '$1 == node' | head -n 1)
    case "${state}" in
      *'|Complete'*) ;;
      '') lack "${name}: nothing could be started there" 'Look at its engine, or leave this out: --no-probe' ;;
      *) lack "${name}: what was started there: ${state#*|}" 'See whether it can pull images; another image: --probe-image, nothing at all: --no-probe' ;;
    esac
  done
  lines=$(docker service logs --raw "${prober}" 2>/dev/null) || lines=''
  told=$(printf '%s\n' "${lines}" | while read -r id line; do
    name=$(name_of "${id}")
    [ -z "${name}" ] || echo "${name} ${line}"
  done)
fi
setting staging-1 vm.max_map_count 262144 'elasticsearch: Lucene maps its index files into memory.'
setting staging-2 vm.max_map_count 262144 'elasticsearch: Lucene maps its index files into memory.'
setting staging-3 vm.max_map_count 262144 'elasticsearch: Lucene maps its index files into memory.'

if [ "${lacks}" -gt 0 ]; then
  say "${lacks} lacking, see above"
  exit 1
fi
say 'nothing is lacking'
