#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Runs a job that waits to be told to, and waits for its end.
# Functions are called in conditions on purpose: each says by its status how it went.
# shellcheck disable=SC2310,SC2311
set -eu

usage() {
  cat <<'END'
Usage: ./run.sh JOB [ARGUMENT]...
       ./run.sh --list
Runs a job now; run it on a manager of the Swarm. What the job says is printed when it has ended. Arguments are given to it in
place of its own, for this run.

  --list   list the jobs there are
  --help   show this

Exit status: that of the job; 1 if it runs already or did not start; 2 wrong usage.
END
}

say() {
  printf '%s\n' "$*" >&2
}

wrong() {
  say "run.sh: $1"
  say 'Try ./run.sh --help.'
  exit 2
}

job=''
list=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    --list) list=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*) wrong "unknown option $1" ;;
    *)
      job=$1
      shift
      break
      ;;
  esac
  shift
done

if [ -n "${list}" ]; then
  cat <<'END'
dbt-build   30 5 * * *
dremio-backup   0 2 * * *
dremio-drill   0 5 * * 0
dremio-restore
elasticsearch-backup   0 2 * * *
elasticsearch-drill   0 5 * * 0
elasticsearch-restore
jaeger-cleaner   20 1 * * *
logstash-trim   23 * * * *
minio-backup   0 2 * * *
minio-drill   0 5 * * 0
minio-restore
postgresql-backup   0 2 * * *
postgresql-drill   0 5 * * 0
postgresql-promote
postgresql-recopy
postgresql-rejoin
postgresql-restore
postgresql-resume
postgresql-status
END
  exit 0
fi
# Seconds that a run may take; there is no limit if it is 0.
case "${job}" in
  '') wrong 'the name of a job is missing' ;;
  dbt-build) limit=7200 ;;
  dremio-backup) limit=21600 ;;
  dremio-drill) limit=21600 ;;
  dremio-restore) limit=21600 ;;
  elasticsearch-backup) limit=43200 ;;
  elasticsearch-drill) limit=43200 ;;
  elasticsearch-restore) limit=43200 ;;
  jaeger-cleaner) limit=1800 ;;
  logstash-trim) limit=600 ;;
  minio-backup) limit=72000 ;;
  minio-drill) limit=72000 ;;
  minio-restore) limit=72000 ;;
  postgresql-backup) limit=43200 ;;
  postgresql-drill) limit=43200 ;;
  postgresql-promote) limit=0 ;;
  postgresql-recopy) limit=0 ;;
  postgresql-rejoin) limit=0 ;;
  postgresql-restore) limit=43200 ;;
  postgresql-resume) limit=0 ;;
  postgresql-status) limit=0 ;;
  *) wrong "no job ${job}" ;;
esac
service=lakehouse-staging_${job}

given=''
for word in "$@"; do
  case "${word}" in
    '' | *[!A-Za-z0-9._=-]*) wrong "${word} cannot be given to a job here: letters, digits, . _ = - only" ;;
    *) given="${given:+${given} }${word}" ;;
  esac
done

# Prints the tasks that are not over.
alive() {
  docker service ps --quiet --no-trunc --filter desired-state=running "${service}" | while read -r id; do
    state=$(docker inspect --type task --format '{{.Status.State}}' "${id}" 2>/dev/null) || continue
    case "${state}" in
      complete | failed | rejected | shutdown | orphaned | remove) ;;
      *) echo "${id}" ;;
    esac
  done
}

scale() {
  docker service update --detach --quiet --replicas "$1" "${service}" >/dev/null
}

if ! docker service inspect "${service}" >/dev/null 2>&1; then
  say "${job} is not deployed: ./deploy.sh"
  exit 1
fi
running=$(alive)
if [ -n "${running}" ]; then
  say "${job} runs already"
  exit 1
fi
# What a run that was killed has left.
scale 0
before=$(docker service ps --quiet --no-trunc "${service}" 2>/dev/null) || before=''

# Swarm keeps the arguments with the service: they are taken back when it is over.
own=$(docker service inspect --format '{{range .Spec.TaskTemplate.ContainerSpec.Args}}{{.}} {{end}}' "${service}")
restore() {
  scale 0
  if [ -n "${given}" ]; then
    docker service update --detach --quiet --args "${own}" "${service}" >/dev/null
  fi
}
trap restore EXIT
trap 'exit 1' HUP INT TERM
if [ -n "${given}" ]; then
  docker service update --detach --quiet --args "${given}" --replicas 1 "${service}" >/dev/null
else
  scale 1
fi
started=$(date +%s)
task=''
while :; do
  if [ -z "${task}" ]; then
    for id in $(docker service ps --quiet --no-trunc "${service}"); do
      case "${before}" in
        *"${id}"*) ;;
        *) task=${id} ;;
      esac
    done
  fi
  if [ -n "${task}" ]; then
    status=$(docker inspect --type task --format '{{.Status.State}} {{with .Status.ContainerStatus}}{{.ExitCode}}{{end}} {{.Status.Err}}' "${task}")
    case "${status%% *}" in
      complete | failed | rejected | shutdown | orphaned | remove) break ;;
      *) ;;
    esac
  fi
  time=$(date +%s)
  if [ "${limit}" -gt 0 ] && [ "$((time - started))" -ge "${limit}" ]; then
    say "${job} has not ended in ${limit} s, and is stopped. What it said:"
    docker service logs --raw "${task:-${service}}" || :
    exit 1
  fi
  sleep 1
done
docker service logs --raw "${task}" || :
read -r state code why <<END
${status}
END
case "${state} ${code}" in
  'complete 0') ;;
  'failed '[1-9]*)
    say "${job} has failed: ${why}"
    exit "${code}"
    ;;
  *)
    say "${job} did not run: ${state} ${code} ${why}"
    exit 1
    ;;
esac
