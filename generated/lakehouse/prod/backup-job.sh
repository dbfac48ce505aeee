#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Runs a job of the backups now, with arguments for its program, and waits for its end: ./backup-job.sh JOB ARGUMENT...
# The other scripts call it; ./backup-job.sh postgresql-restore --help shows what the program can do.
set -eu
cd "$(dirname "$0")"
if [ "$#" -eq 0 ] || [ "$1" = --help ]; then
  sed -n '4,5s/^# //p' "$0"
  exit 2
fi
job=$1
shift
namespace=lakehouse
name="${job}-$(date +%s)"
arguments=''
for word in "$@"; do
  case "${word}" in
    *[!A-Za-z0-9._-]*)
      printf 'backup-job.sh: %s is no argument of the program\n' "${word}" >&2
      exit 2
      ;;
    *) arguments="${arguments:+${arguments},}\"${word}\"" ;;
  esac
done
kubectl --namespace "${namespace}" create job "${name}" --from="cronjob/${job}" --dry-run=client --output=yaml |
  kubectl patch --local --filename=- --type=json --output=yaml \
    --patch="[{\"op\":\"add\",\"path\":\"/spec/template/spec/containers/0/args\",\"value\":[${arguments}]},{\"op\":\"add\",\"path\":\"/spec/backoffLimit\",\"value\":0}]" |
  kubectl --namespace "${namespace}" create --filename=- >&2
while :; do
  state=$(kubectl --namespace "${namespace}" get "job/${name}" --output=jsonpath='{range .status.conditions[?(@.status=="True")]}{.type} {end}')
  case "${state}" in
    *Complete*)
      kubectl --namespace "${namespace}" logs "job/${name}" --all-containers || :
      exit 0
      ;;
    *Failed*)
      kubectl --namespace "${namespace}" logs "job/${name}" --all-containers || :
      printf '%s has failed\n' "${name}" >&2
      exit 1
      ;;
    *) sleep 2 ;;
  esac
done
