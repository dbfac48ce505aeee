#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Deploys this bundle in the order in which its parts need each other, and waits for each. What is interrupted can be run
# again.
# Functions are called in conditions on purpose: each says by its status how it went.
# shellcheck disable=SC2310,SC2311
set -eu

usage() {
  cat <<'END'
Usage: ./deploy.sh [OPTION]...
Deploys stack.yaml wave by wave, waits for each, and asks at the end whether everything answers; run it on a manager of the
Swarm. Also what brings a new build of this bundle into the Swarm: only what changed is replaced.

  --dry-run         say what would be done, and change nothing
  --no-preflight    do not ask ./preflight.sh first
  --no-smoke        do not ask what is published at the end
  --keep-configs    keep the configs of earlier versions that nothing refers to any more
  --beside-ssh USER@HOST
                    reach the host staging-2 this way for what runs beside the stack, see ./beside.sh --help
  --no-beside       leave what runs beside the stack as it is
  --host NAME=NODE, --move SERVICE, --small-hosts, --no-images, --no-probe, --probe-image IMAGE
                    see ./preflight.sh --help
  --help            show this

A job runs again at every deployment: it finds that there is nothing to do.
Exit status: 0 done, 1 something failed, 2 wrong usage.
END
}

say() {
  printf '%s\n' "$*" >&2
}

wrong() {
  say "deploy.sh: $1"
  say 'Try ./deploy.sh --help.'
  exit 2
}

dry_run=''
preflight=yes
smoke=yes
keep_configs=''
beside=yes
beside_ssh=''
# What is left of the words is for preflight.sh.
left=$#
while [ "${left}" -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case "${word}" in
    --dry-run) dry_run=yes ;;
    --no-preflight) preflight='' ;;
    --no-smoke) smoke='' ;;
    --keep-configs) keep_configs=yes ;;
    --no-beside) beside='' ;;
    --beside-ssh=*) beside_ssh=${word#*=} ;;
    --beside-ssh)
      [ "${left}" -gt 0 ] || wrong "${word} needs a value"
      beside_ssh=$1
      shift
      left=$((left - 1))
      ;;
    --host | --move | --probe-image)
      [ "${left}" -gt 0 ] || wrong "${word} needs a value"
      set -- "$@" "${word}" "$1"
      shift
      left=$((left - 1))
      ;;
    --host=* | --move=* | --probe-image=* | --small-hosts | --no-images | --no-probe) set -- "$@" "${word}" ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "unknown option ${word}" ;;
  esac
done

CDPATH='' cd -- "$(dirname -- "$0")"
project=lakehouse-staging
stack_label="com.docker.stack.namespace=${project}"
# What runs when it is told to.
told=' dbt-build dremio-backup dremio-drill dremio-restore elasticsearch-backup elasticsearch-drill elasticsearch-restore jaeger-cleaner logstash-trim minio-backup minio-drill minio-restore postgresql-backup postgresql-drill postgresql-promote postgresql-recopy postgresql-rejoin postgresql-restore postgresql-resume postgresql-status '

now() {
  date +%s
}

# Inspects all services of the stack.
# Usage: services FORMAT
services() {
  docker service ls --quiet --filter "label=${stack_label}" | xargs docker service inspect --format "$1" 2>/dev/null || :
}

# --- waiting

# Says why a service is not up.
# Usage: blame NAME WHY
blame() {
  say "$1: $2. Its latest tasks, and what they said last:"
  docker service ps --no-trunc --format '  {{.Name}} on {{.Node}}: {{.CurrentState}} {{.Error}}' "${project}_$1" 2>/dev/null |
    head -n 5 >&2 || :
  # Of a host that is lost no log comes, nor an end.
  timeout 20 docker service logs --raw --tail 20 "${project}_$1" 2>&1 | sed 's/^/  | /' >&2 || :
}

# Prints how services stand, a line for each: its name, then `done`, `waiting`, or `failed` and why.
# Usage: states NAME...
states() {
  {
    docker service ls --filter "label=${stack_label}" --format 'count|{{.Name}}|{{.Mode}}|{{.Replicas}}'
    # Nothing changes where only labels did.
    services 'update|{{.Spec.Name}}|{{with .UpdateStatus}}{{.State}}{{end}}|{{with .PreviousSpec}}{{if eq (json .TaskTemplate) (json $.Spec.TaskTemplate)}}same{{end}}{{end}}'
  } | awk -F '|' -v project="${project}_" -v names="$*" '
    { name = substr($2, length(project) + 1) }
    $1 == "count" { mode[name] = $3; count[name] = $4 }
    $1 == "update" { update[name] = $3; same[name] = $4 }
    END {
      total = split(names, wanted, " ")
      for (at = 1; at <= total; at++) {
        name = wanted[at]
        # "2/3 (max 1 per node)", or "0/1 (1/1 completed)" of a job.
        text = count[name]
        job = mode[name] ~ /job/
        if (job) sub(/^.*\(/, "", text)
        sub(/[ )].*$/, "", text)
        split(text, number, "/")
        if (text == "") state = "failed is not in the Swarm"
        else if (update[name] == "rollback_completed") state = "failed its change was taken back, since it did not come up"
        else if (update[name] ~ /paused$/) state = "failed its change has stopped half-way: " update[name]
        else if (update[name] ~ /^(updating|rollback_started)$/ || number[1] != number[2]) state = "waiting"
        else if (job || same[name] != "") state = "done still"
        else state = "done"
        print name, state
      }
    }'
}

# Says whether the Swarm has given a service up: its tasks failed as often as they may, and none is left.
# Usage: given_up NAME
given_up() {
  docker service ps --format '{{.CurrentState}}' "${project}_$1" 2>/dev/null | awk '
    $1 ~ /^(New|Pending|Assigned|Accepted|Preparing|Ready|Starting|Running)$/ { alive = 1 }
    $1 ~ /^(Failed|Rejected)$/ { failed = 1 }
    END { exit !(failed && !alive) }'
}

# Waits until services are as they should be, for some moments in a row: what ends at once was up, too.
# Usage: settle SECONDS NAME...
settle() {
  limit=$1
  shift
  started=$(now)
  shown=${started}
  calm=0
  while :; do
    found=$(states "$@")
    if printf '%s\n' "${found}" | grep -q '^[^ ]* failed'; then
      printf '%s\n' "${found}" | while read -r name state why; do
        [ "${state}" != failed ] || blame "${name}" "${why}"
      done
      return 1
    fi
    waiting=$(printf '%s\n' "${found}" | sed -n 's/ waiting$//p')
    if [ -z "${waiting}" ]; then
      calm=$((calm + 1))
      if [ "${calm}" -ge 4 ] || ! printf '%s\n' "${found}" | grep -q ' done$'; then
        return 0
      fi
    else
      calm=0
      for name in ${waiting}; do
        if given_up "${name}"; then
          blame "${name}" 'it has failed too often'
          return 1
        fi
      done
      time=$(now)
      if [ "$((time - started))" -ge "${limit}" ]; then
        for name in ${waiting}; do
          blame "${name}" "not up in ${limit} s"
        done
        return 1
      fi
      if [ "$((time - shown))" -ge 30 ]; then
        shown=${time}
        for name in ${waiting}; do
          last=$(docker service ps --no-trunc --format '{{.CurrentState}} {{.Error}}' "${project}_${name}" 2>/dev/null | head -n 2 | paste -s -d ';' -)
          say "  $((limit + started - time)) s more for ${name}: ${last}"
        done
      fi
    fi
    sleep 1
  done
}

# --- deploying

# Prints stack.yaml without the services that are not named.
# Usage: subset NAME...
subset() {
  awk -v names=" $* " '
    /^[^ #]/ { services = ($1 == "services:"); keep = 1 }
    services && /^  [^ #]/ { name = $1; gsub(/[":]/, "", name); keep = index(names, " " name " ") > 0 }
    keep' stack.yaml
}

# Deploys services all at once, and waits for them.
# Usage: together SECONDS NAME...
together() {
  seconds=$1
  shift
  if ! subset "$@" |
    docker stack deploy ${detach:+"${detach}"} ${auth:+"${auth}"} --resolve-image changed --compose-file - "${project}" >/dev/null; then
    stop
  fi
  settle "${seconds}" "$@" || stop
}

stop() {
  say 'Stopped here. What came before is up, what comes after was not touched. Correct the cause, then run this again.'
  exit 1
}

# Deploys a wave: what is new and what keeps no state all at once; then members of a set that exist, one after the other.
# Usage: wave NUMBER SECONDS [NAME...] [-- SECONDS MEMBER...]
wave() {
  say "== wave $1 of ${waves}"
  wave_seconds=$2
  shift 2
  at_once=''
  one_by_one=''
  member_seconds=''
  members=''
  for name in "$@"; do
    if [ "${name}" = -- ]; then
      members=yes
    elif [ -n "${members}" ] && [ -z "${member_seconds}" ]; then
      member_seconds=${name}
    elif is_busy "${name}"; then
      say "${name} runs just now: it stays as it is; deploy again when it is over"
    elif [ -n "${members}" ] && exists "${name}"; then
      one_by_one="${one_by_one} ${name}"
    else
      at_once="${at_once} ${name}"
    fi
  done
  if [ -n "${dry_run}" ]; then
    would 'all at once' "${at_once}"
    would 'one after the other' "${one_by_one}"
    return 0
  fi
  if [ -n "${at_once}" ]; then
    say "  ${at_once# }"
    # Names have no spaces.
    # shellcheck disable=SC2086
    together "${wave_seconds}" ${at_once}
  fi
  for member in ${one_by_one}; do
    say "  ${member}"
    together "${member_seconds}" "${member}"
  done
}

# Usage: would HOW NAMES
would() {
  new=''
  old=''
  for name in $2; do
    if exists "${name}"; then
      old="${old} ${name}"
    else
      new="${new} ${name}"
    fi
  done
  [ -z "${new}" ] || say "  would be started, $1:${new}"
  [ -z "${old}" ] || say "  would be replaced where they changed, $1:${old}"
}

# Usage: exists NAME
exists() {
  case "${there}" in
    *" ${project}_$1 "*) return 0 ;;
    *) return 1 ;;
  esac
}

# Says whether something that runs when it is told to does so now.
# Usage: is_busy NAME
is_busy() {
  case "${told}" in
    *" $1 "*) docker service ps --filter desired-state=running --format '{{.CurrentState}}' "${project}_$1" 2>/dev/null |
      grep -Eqv '^(Complete|Failed|Rejected|Shutdown)' ;;
    *) return 1 ;;
  esac
}

# --- hosts

# Prints the labels that hosts have, each with the name of the host.
labels() {
  cat <<'END'
staging-1 lakehouse-staging.host=staging-1
staging-1 lakehouse-staging.member=true
staging-2 lakehouse-staging.host=staging-2
staging-2 lakehouse-staging.member=true
staging-3 lakehouse-staging.host=staging-3
staging-3 lakehouse-staging.member=true
END
}

# Prints the labels of this project that a node has.
# Usage: labels_of NODE
labels_of() {
  docker node inspect --format '{{range $key, $value := .Spec.Labels}}{{$key}}={{$value}}
{{end}}' "$1" | grep "^${project}\." || :
}

# Gives a host the labels that it lacks.
# Usage: label HOST NODE
label() {
  have=$(labels_of "$2")
  labels | sed -n "s/^$1 //p" | while read -r wanted; do
    if ! printf '%s\n' "${have}" | grep -Fqx "${wanted}"; then
      if [ -n "${dry_run}" ]; then
        say "would be labelled: $1 with ${wanted}"
      else
        docker node update --label-add "${wanted}" "$2" >/dev/null
      fi
    fi
  done
}

# Takes away the labels that nodes have from earlier, so that nothing is placed by them any more.
unlabel() {
  for node in $(docker node ls --quiet --filter role=manager) $(docker node ls --quiet --filter role=worker); do
    host=$(printf '%s\n' "${hosts}" | sed -n "s/ ${node}\$//p")
    labels_of "${node}" | while read -r have; do
      if [ -n "${host}" ] && labels | sed -n "s/^${host} //p" | grep -Fq "${have%%=*}="; then
        continue
      fi
      if [ -n "${dry_run}" ]; then
        say "would be taken from the node ${node}: the label ${have}"
      else
        docker node update --label-rm "${have%%=*}" "${node}" >/dev/null
      fi
    done
  done
}

# --- what is left over

# Removes services that are not in this bundle any more.
leave() {
  for service in $(services '{{.Spec.Name}}'); do
    case "${names}" in
      *" ${service#"${project}"_} "*) ;;
      *)
        if [ -n "${dry_run}" ]; then
          say "would be removed: the service ${service}"
        else
          say "removed: the service ${service}; its volumes stay"
          docker service rm "${service}" >/dev/null
        fi
        ;;
    esac
  done
}

# Removes configs of earlier versions. Those that `docker service rollback` would go back to stay.
tidy() {
  used=$(services '{{with .Spec.TaskTemplate.ContainerSpec}}{{range .Configs}}{{.ConfigName}} {{end}}{{end}}{{with .PreviousSpec}}{{with .TaskTemplate.ContainerSpec}}{{range .Configs}}{{.ConfigName}} {{end}}{{end}}{{end}}' | tr '\n' ' ')
  for config in $(docker config ls --filter "label=${stack_label}" --format '{{.Name}}'); do
    case " ${used} " in
      *" ${config} "*) continue ;;
      *) ;;
    esac
    # What a bundle names and no service has is there for the next one.
    if grep -Fq "name: ${config}" stack.yaml; then
      continue
    fi
    if [ -n "${dry_run}" ]; then
      say "would be removed: the config ${config}"
    else
      docker config rm "${config}" >/dev/null || :
    fi
  done
}

# --- does it answer?

# Prints the addresses of the hosts that the proxy runs on, each with the name of its node.
doors() {
  docker service ps --filter desired-state=running --format '{{.Node}}' "${project}_nginx" | sort -u | while read -r node; do
    address=$(docker node inspect --format '{{.Status.Addr}}' "${node}")
    case "${address}" in
      '' | 0.0.0.0 | 127.*) address=$(docker node inspect --format '{{with .ManagerStatus}}{{.Addr}}{{end}}' "${node}" | sed 's/:[0-9]*$//') ;;
      *) ;;
    esac
    echo "${address} ${node}"
  done
}

# Usage: row WHAT NODE OUTCOME
row() {
  printf '  %-48s %-24s %s\n' "$1" "$2" "$3" >&2
}

# Asks for a page.
# Usage: page URL HOST PORT
page() {
  while read -r address node; do
    set -- "$1" "$2" "$3" --silent --output /dev/null --max-time 20 --resolve "$2:$3:${address}" --write-out '%{http_code}'
    set -- "$@" --cacert secrets/tls/ca.crt
    url=$1
    if code=$(shift 3 && curl "$@" "${url}" 2>/dev/null) && [ "${code}" -lt 500 ]; then
      row "${url}" "${node}" "${code}"
    else
      row "${url}" "${node}" "FAILED: ${code}"
      failed=yes
    fi
  done <<END
${doors}
END
}

# Connects to a port.
# Usage: socket NAME PORT
socket() {
  while read -r address node; do
    answer=$(timeout 20 openssl s_client -connect "${address}:$2" -servername "$1" -CAfile secrets/tls/ca.crt </dev/null 2>&1) || :
    case "${answer}" in
      *'Verify return code: 0 '*) row "$1:$2" "${node}" 'accepted' ;;
      *)
        row "$1:$2" "${node}" "FAILED: $(printf '%s\n' "${answer}" | grep -Ei 'verif|errno|error|refused' | head -n 1)"
        failed=yes
        ;;
    esac
  done <<END
${doors}
END
}

ask() {
  doors=$(doors)
  failed=''
  if [ -z "${doors}" ]; then
    say 'nginx runs nowhere'
    exit 1
  fi
  page https://airbyte.staging.data.example.com airbyte.staging.data.example.com 443
  page https://dremio.staging.data.example.com dremio.staging.data.example.com 443
  page https://grafana.staging.data.example.com grafana.staging.data.example.com 443
  page https://kibana.staging.data.example.com kibana.staging.data.example.com 443
  page https://superset.staging.data.example.com superset.staging.data.example.com 443
  socket staging.data.example.com 32010
  if [ -n "${failed}" ]; then
    say "Everything runs, and not all of it answers, see above. What a service says: docker service logs ${project}_SERVICE"
    exit 1
  fi
}

# --- the way through

if ! command -v docker >/dev/null || ! docker info >/dev/null 2>&1; then
  say 'The engine does not answer: run this on a manager of the Swarm, as a user who may use Docker.'
  exit 1
fi
if ! grep -q '^services:$' stack.yaml; then
  say 'stack.yaml is not laid out as it was made: its services cannot be told apart.'
  exit 1
fi
if [ -n "${preflight}" ]; then
  probe=''
  if [ -n "${dry_run}" ]; then
    probe=--no-probe
  fi
  if ! ./preflight.sh ${probe:+"${probe}"} "$@"; then
    if [ -z "${dry_run}" ]; then
      say 'Nothing was deployed. To go on all the same: ./deploy.sh --no-preflight'
    fi
    exit 1
  fi
fi
hosts=$(./preflight.sh --nodes "$@")
detach=''
if docker stack deploy --help | grep -q -- --detach; then
  detach=--detach
fi
auth=--with-registry-auth
waves=6
names=' lakewright-prepare-staging-1 lakewright-prepare-staging-2 lakewright-prepare-staging-3 blackbox dbt-pushgateway elasticsearch-backup elasticsearch-drill elasticsearch-restore logstash-exporter minio-1 minio-2 minio-3 minio-backup minio-drill minio-restore otel-collector postgresql-router postgresql-backup postgresql-drill postgresql-promote postgresql-recopy postgresql-rejoin postgresql-restore postgresql-resume postgresql-status prometheus superset-statsd backups valkey-exporter valkey nginx-exporter nginx alertmanager-1 alertmanager-2 containers-1 containers-2 containers-3 dremio-zookeeper-1 dremio-zookeeper-2 dremio-zookeeper-3 elasticsearch-1 elasticsearch-2 elasticsearch-3 filebeat-1 filebeat-2 filebeat-3 node-exporter-1 node-exporter-2 node-exporter-3 node-exporter-network-1 node-exporter-network-2 node-exporter-network-3 postgresql-1 postgresql-2 elasticsearch-access minio-buckets postgresql-databases dremio dremio-backup dremio-drill dremio-restore elasticsearch-exporter grafana jaeger jaeger-cleaner kibana logstash-store logstash-trim superset-metrics superset-init postgresql-exporter-1 postgresql-exporter-2 dremio-init kibana-data-views logstash superset-beat superset-web superset-worker dremio-executor-1 dremio-executor-2 dbt-build dremio-metrics '

# Two at once would undo what the other does, on whichever managers they are.
lock="${project}-deployment"
lock_label=lakewright.process
holder="$(uname -n):$$"
take() {
  echo "${holder}" | docker config create --label "${lock_label}=${holder}" "${lock}" - >/dev/null 2>&1
}
if [ -z "${dry_run}" ]; then
  if ! take; then
    other=$(docker config inspect --format "{{index .Spec.Labels \"${lock_label}\"}}" "${lock}")
    if [ "${other%:*}" != "${holder%:*}" ] || kill -0 "${other##*:}" 2>/dev/null; then
      say "Another deployment runs: process ${other##*:} on ${other%:*}. If it does not: docker config rm ${lock}"
      exit 1
    fi
    docker config rm "${lock}" >/dev/null
    take || exit 1
  fi
  trap 'docker config rm "${lock}" >/dev/null' EXIT
  trap 'exit 1' HUP INT TERM
fi

printf '%s\n' "${hosts}" | while read -r name node; do
  label "${name}" "${node}"
done
./secrets.sh ${dry_run:+--dry-run}
variables=$(./secrets.sh --variables)
for variable in ${variables}; do
  export "${variable?}"
done
there=$(services '{{.Spec.Name}}' | tr '\n' ' ')
there=" ${there}"
wave 1 300 \
  lakewright-prepare-staging-1 \
  lakewright-prepare-staging-2 \
  lakewright-prepare-staging-3
wave 2 1800 \
  blackbox \
  dbt-pushgateway \
  elasticsearch-backup \
  elasticsearch-drill \
  elasticsearch-restore \
  logstash-exporter \
  minio-1 \
  minio-2 \
  minio-3 \
  minio-backup \
  minio-drill \
  minio-restore \
  otel-collector \
  postgresql-router \
  postgresql-backup \
  postgresql-drill \
  postgresql-promote \
  postgresql-recopy \
  postgresql-rejoin \
  postgresql-restore \
  postgresql-resume \
  postgresql-status \
  prometheus \
  superset-statsd \
  backups \
  valkey-exporter \
  valkey \
  nginx-exporter \
  nginx \
  -- 1200 \
  alertmanager-1 \
  alertmanager-2 \
  containers-1 \
  containers-2 \
  containers-3 \
  dremio-zookeeper-1 \
  dremio-zookeeper-2 \
  dremio-zookeeper-3 \
  elasticsearch-1 \
  elasticsearch-2 \
  elasticsearch-3 \
  filebeat-1 \
  filebeat-2 \
  filebeat-3 \
  node-exporter-1 \
  node-exporter-2 \
  node-exporter-3 \
  node-exporter-network-1 \
  node-exporter-network-2 \
  node-exporter-network-3 \
  postgresql-1 \
  postgresql-2
wave 3 900 \
  elasticsearch-access \
  minio-buckets \
  postgresql-databases
wave 4 2100 \
  dremio \
  dremio-backup \
  dremio-drill \
  dremio-restore \
  elasticsearch-exporter \
  grafana \
  jaeger \
  jaeger-cleaner \
  kibana \
  logstash-store \
  logstash-trim \
  superset-metrics \
  superset-init \
  -- 600 \
  postgresql-exporter-1 \
  postgresql-exporter-2
wave 5 2190 \
  dremio-init \
  kibana-data-views \
  logstash \
  superset-beat \
  superset-web \
  superset-worker \
  -- 1260 \
  dremio-executor-1 \
  dremio-executor-2
wave 6 600 \
  dbt-build \
  dremio-metrics
if [ -n "${beside}" ]; then
  say '== beside the stack, on staging-2'
  if [ -n "${dry_run}" ]; then
    say '  ./beside.sh up would be run'
  elif ! ./beside.sh up ${beside_ssh:+"--ssh=${beside_ssh}"}; then
    say 'Everything else is up. To leave it out: ./deploy.sh --no-beside'
    exit 1
  fi
fi
leave
unlabel
[ -n "${keep_configs}" ] || tidy
if [ -n "${smoke}" ] && [ -z "${dry_run}" ]; then
  say '== what is published'
  ask
fi
say 'done'
