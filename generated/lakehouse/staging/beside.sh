#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Runs what Swarm runs for nobody: services with all rights on their machine. They are a Compose project on one host, in
# the stack's networks. What is interrupted can be run again.
# Functions are called in conditions on purpose: each says by its status how it went.
# What another machine is told is put together here, also on purpose.
# shellcheck disable=SC2029,SC2310,SC2311,SC2312
set -eu

project=lakehouse-staging-beside
stack=lakehouse-staging
host=staging-2
label=lakehouse-staging.host
seconds=2400
folder="/opt/${stack}"

usage() {
  cat <<END
Usage: ./beside.sh up|down|status [OPTION]...
Runs beside.yaml on the host ${host}, beside the stack ${stack}, whose networks it joins: deploy the stack first.

  up      start it, or restart what changed, and wait until it is healthy
  down    stop it; its volumes stay. Do this before the stack is taken out, which otherwise cannot let go of its networks,
          and before it moves to another host
  status  show what runs; the exit status says whether all of it is healthy

  --here           this machine is ${host}: on a worker nothing can say so, since only managers see labels of nodes
  --ssh USER@HOST  do it on that machine: what is needed is copied there, of the secrets only those that are read there
  --folder FOLDER  the folder on that machine; unless said otherwise ${folder}
  --timeout N      seconds to wait until it is healthy; unless said otherwise ${seconds}
  --help           show this

Exit status: 0 done, 1 something failed, 2 wrong usage.
END
}

say() {
  printf '%s\n' "$*" >&2
}

wrong() {
  say "beside.sh: $1"
  say 'Try ./beside.sh --help.'
  exit 2
}

fail() {
  say "beside.sh: $1"
  exit 1
}

action=''
here=''
ssh=''
while [ "$#" -gt 0 ]; do
  word=$1
  shift
  case "${word}" in
    --ssh=* | --folder=* | --timeout=*)
      set -- "${word#*=}" "$@"
      word=${word%%=*}
      ;;
    *) ;;
  esac
  case "${word}" in
    --ssh | --folder | --timeout) [ "$#" -gt 0 ] || wrong "${word} needs a value" ;;
    *) ;;
  esac
  case "${word}" in
    up | down | status)
      [ -z "${action}" ] || wrong "${action} and ${word}: say one"
      action=${word}
      ;;
    --here) here=yes ;;
    --ssh)
      ssh=$1
      shift
      ;;
    --folder)
      folder=$1
      shift
      ;;
    --timeout)
      seconds=$1
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "unknown word ${word}" ;;
  esac
done
[ -n "${action}" ] || wrong 'say up, down or status'
case "${ssh}" in
  -* | *[[:space:]]*) wrong "${ssh} is no USER@HOST" ;;
  *) ;;
esac
case "${folder}" in
  *[!A-Za-z0-9/._-]*) wrong '--folder takes letters, digits and / . _ -' ;;
  /?*) ;;
  *) wrong '--folder takes an absolute path' ;;
esac
case "${seconds}" in
  '' | *[!0-9]*) wrong '--timeout takes a number of seconds' ;;
  *) ;;
esac

CDPATH='' cd -- "$(dirname -- "$0")"

services='k3s'
# Prints what beside.yaml mounts, one a line.
mounted() {
  cat <<'END'
./k3s/entry.sh
./k3s/manifests/00-namespace.yaml
./k3s/manifests/10-network-policies.yaml
./k3s/manifests/20-outside.yaml
./k3s/manifests/30-airbyte.yaml
./k3s/outside.sh
./k3s/ready.sh
./k3s/resolv.conf
./prepare/prepare.sh
END
}

# Prints the files of the secrets that it reads, one a line.
secrets() {
  cat <<'END'
secrets/airbyte-admin-client-id
secrets/airbyte-admin-client-secret
secrets/airbyte-admin-password
secrets/airbyte-jwt-signature
secrets/minio-airbyte-storage
secrets/postgresql-airbyte-activity
secrets/postgresql-airbyte-config
secrets/postgresql-airbyte-temporal
secrets/postgresql-airbyte-temporal-visibility
END
}

# Prints those that it reads if they are there.
optional() {
  cat <<'END'
END
}

# Prints the networks of the stack that it joins.
networks() {
  cat <<'END'
lakehouse-staging_airbyte-to-minio
lakehouse-staging_airbyte-to-postgresql
lakehouse-staging_nginx-to-airbyte
lakehouse-staging_prometheus-to-airbyte
END
}

# Runs a command on the machine that is meant.
there() {
  if [ -n "${ssh}" ]; then
    ssh "${ssh}" "$1"
  else
    sh -c "$1"
  fi
}

is_manager() {
  manager=$(docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null) && [ "${manager}" = true ]
}

# Says whether the machine that is meant is the declared host.
check_host() {
  node=$(there "docker info --format '{{.Swarm.NodeID}}'") || fail "no engine answers${ssh:+ on ${ssh}}"
  # What the other side prints when it lets somebody in comes before.
  node=$(printf '%s\n' "${node}" | tail -n 1)
  [ -n "${node}" ] || fail "the engine${ssh:+ on ${ssh}} is in no Swarm: see ./preflight.sh"
  [ -z "${here}" ] || return 0
  if ! is_manager; then
    fail "this machine is no manager, so it cannot see whether it is ${host}: if it is, say --here"
  fi
  found=$(docker node inspect --format "{{index .Spec.Labels \"${label}\"}}" "${node}") ||
    fail "the engine${ssh:+ on ${ssh}} is in another Swarm"
  if [ "${found}" != "${host}" ]; then
    say "beside.sh: ${ssh:-this machine} is ${found:-no host of this stack}, and this belongs on ${host}"
    fail "run it there, or from here with --ssh USER@${host}"
  fi
}

# Says whether the networks are there. A worker knows only those that it uses already.
check_networks() {
  is_manager || return 0
  lost=''
  for network in $(networks); do
    docker network inspect "${network}" >/dev/null 2>&1 || lost="${lost} ${network}"
  done
  [ -z "${lost}" ] || fail "the stack's networks are missing:${lost}; deploy it first: ./deploy.sh"
}

check_secrets() {
  lost=''
  for path in $(secrets); do
    [ -s "${path}" ] || lost="${lost} ${path}"
  done
  [ -z "${lost}" ] || fail "missing:${lost}; make them: lakewright secrets init .; certificates: ./tls/issue.sh"
}

# Copies what is needed to the other machine. Secrets that were there and are read no more go.
send() {
  ssh "${ssh}" "set -eu; umask 077; mkdir -p ${folder}; cd ${folder}
    if [ -e stack.yaml ]; then echo '${folder} has a whole bundle: choose another --folder' >&2; exit 1; fi
    rm -rf secrets" || fail "cannot write to ${folder} on ${ssh}"
  {
    printf '%s\n' beside.yaml beside.sh
    mounted
    secrets
    for path in $(optional); do
      [ ! -e "${path}" ] || printf '%s\n' "${path}"
    done
  } | tar -cf - -T - | ssh "${ssh}" "cd ${folder} && tar -xpf -" || fail "cannot copy to ${folder} on ${ssh}"
}

compose() {
  docker compose --file beside.yaml --project-name "${project}" "$@"
}

# Prints how a service stands: its state, and its health, or `none` where nothing asks for it.
state() {
  id=$(compose ps --all --quiet "$1" 2>/dev/null | head -n 1) || :
  if [ -z "${id}" ]; then
    echo 'missing none'
    return 0
  fi
  docker inspect --format '{{.State.Status}} {{with .State.Health}}{{.Status}}{{else}}none{{end}}' "${id}" 2>/dev/null ||
    echo 'missing none'
}

# Says of each service that is not up how it stands; all are up if it says nothing.
troubles() {
  for service in ${services}; do
    found=$(state "${service}")
    case "${found}" in
      'running healthy' | 'running none') ;;
      *) printf '%s: %s\n' "${service}" "${found% none}" ;;
    esac
  done
}

up() {
  check_secrets
  check_networks
  compose up --detach --remove-orphans || fail 'it does not start'
  say "Waiting up to ${seconds} s until it is healthy: the first start pulls all images."
  started=$(date +%s)
  while :; do
    found=$(troubles)
    [ -n "${found}" ] || break
    if printf '%s\n' "${found}" | grep -Eq ': (missing|exited|dead)' || [ "$(($(date +%s) - started))" -ge "${seconds}" ]; then
      say "${found}"
      for service in ${services}; do
        compose logs --no-color --tail 20 "${service}" >&2 || :
      done
      fail 'not healthy; when the cause is gone, run this again'
    fi
    sleep 2
  done
  say "${project} is up."
}

if [ -n "${ssh}" ]; then
  check_host
  if [ "${action}" = up ]; then
    check_secrets
    check_networks
    send
  fi
  exec ssh "${ssh}" "cd ${folder} && ./beside.sh ${action} --here --timeout ${seconds}"
fi

case "${action}" in
  up)
    check_host
    up
    ;;
  down)
    check_host
    compose down --remove-orphans
    ;;
  *)
    compose ps --all
    found=$(troubles)
    if [ -n "${found}" ]; then
      say "${found}"
      exit 1
    fi
    ;;
esac
