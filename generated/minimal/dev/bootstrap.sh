#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Brings up this bundle from nothing, or after a change: looks whether all is there, makes what is missing, starts, waits, and
# asks every service. What is interrupted can be run again; what is done already is left as it is.
# Functions are called in conditions on purpose: each says by its status how it went.
# shellcheck disable=SC2310,SC2311
# What is asked is run in containers, whose shells expand it.
# shellcheck disable=SC2016
set -eu

usage() {
  cat <<'END'
Usage: ./bootstrap.sh [OPTION]...
Makes secrets, builds images, starts everything in its order, waits, and asks every service whether it is well.

  --dry-run      say what would be done, and change nothing
  --no-smoke     neither wait nor ask at the end
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
  for name in minio-root-password postgresql-superset-metadata postgresql-superuser superset-admin superset-async-key superset-guest-key superset-secret-key valkey-health valkey-superset-cache; do
    [ -s "secrets/${name}" ] || return 1
  done
  return 0
}

# --- what must be there

program docker 'the container engine'

program curl 'to ask what is published'

secrets_made || program lakewright 'to make secrets'
if docker info >/dev/null 2>&1; then
  docker compose version >/dev/null 2>&1 || lack 'the Compose plugin of Docker'
  memory=$(docker info --format '{{.MemTotal}}')
  # In MiB, which every shell can count; a machine has a little less than it is sold with.
  [ "$((memory / 1048576))" -ge 7372 ] || lack 'memory: this machine should have 8GiB'
else
  lack 'a container engine that answers, for this user'
fi
[ "${lacking}" -eq 0 ] || [ -n "${dry_run}" ] || exit 1

# --- make what is missing, then start

if [ -n "${start}" ]; then
  secrets_made || step 'secrets' lakewright secrets init .
  step 'images' docker compose build --quiet
  step 'start' docker compose up --detach
fi

# --- ask

# A start takes its time: until then those that are not well are asked again.
deadline=$(date +%s)
[ -z "${start}" ] || deadline=$((deadline + 2880))

# Asks all containers of a service the way its health check does, from within.
# Usage: ask SERVICE COMMAND...
ask() {
  name=$1
  shift
  ids=$(docker compose ps --quiet "${name}" 2>/dev/null) || ids=''
  if [ -z "${ids}" ]; then
    # What starts with a profile only need not run.
    case "${optional}" in *" ${name} "*) return 0 ;; *) ;; esac
    say "  ${name}: does not run"
    unwell=1
    return 0
  fi
  for id in ${ids}; do
    until docker exec "${id}" "$@" >/dev/null 2>&1; do
      now=$(date +%s)
      if [ "${now}" -ge "${deadline}" ]; then
        say "  ${name}: not well. What it said last:"
        docker logs --tail 10 "${id}" 2>&1 | sed 's/^/    | /' >&2 || :
        unwell=1
        return 0
      fi
      sleep 5
    done
  done
  say "  ${name}: well"
}

# Asks for a published page as browsers do.
# Usage: page TITLE HOST PORT URL
page() {
  status=$(curl --silent --output /dev/null --max-time 20 --insecure --write-out '%{http_code}' \
    --resolve "$2:$3:127.0.0.1" "$4" 2>/dev/null) || :
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
  say '  7 would be asked'
elif [ -n "${smoke}" ]; then
  say '== ask every service'
  optional='  '
  ask minio curl --fail --silent --show-error --output /dev/null --max-time 5 http://127.0.0.1:9000/minio/health/live
  ask postgresql /bin/sh -c 'exec pg_isready --quiet --host=127.0.0.1 --username=postgres --dbname=postgres'
  ask superset-beat /bin/sh -c 'test -n "$(find /tmp/beat.alive -mmin -3)"'
  ask superset-web curl --fail --silent --show-error --output /dev/null --max-time 5 http://127.0.0.1:8088/health
  ask superset-worker /bin/sh -c 'test -n "$(find /tmp/worker.alive -mmin -1)"'
  ask valkey /bin/sh /opt/lakewright/health.sh
  ask nginx curl --fail --silent --show-error --output /dev/null --max-time 3 http://127.0.0.1:8404/healthz
  page 'Object storage console' minio.localhost 8080 http://minio.localhost:8080
  page 'S3 API' s3.localhost 8080 http://s3.localhost:8080
  page Superset superset.localhost 8080 http://superset.localhost:8080
fi
if [ "${unwell}" -ne 0 ] || [ "${lacking}" -ne 0 ]; then
  say 'not everything is well'
  exit 1
fi
say 'done'
