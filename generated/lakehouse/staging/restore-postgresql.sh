#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Puts a copy of postgresql back. What depends on it is stopped before and started afterwards.
# Functions are called in conditions on purpose: each says by its status how it went.
# shellcheck disable=SC2310,SC2311,SC2312
set -eu
cd "$(dirname "$0")"

usage() {
  cat <<'END'
Usage: ./restore-postgresql.sh [COPY] [--from local|offsite] [--dry-run] [--yes]
Puts the newest copy that is whole back, or the one that is named. It is compared with its checksums first.

  COPY       its name, as --list shows it
  --from     where it is taken from: here, or off site where there is none here
  --list     list the copies
  --dry-run  say what would be done
  --yes      do not ask

Exit status: 0 done, 1 something failed, 2 wrong usage, 3 a backup is under way, 4 there is no such copy.
END
}

# What reads or writes postgresql.
dependents='dremio dremio-executor-1 dremio-executor-2 grafana superset-metrics superset-web superset-worker'
# What of its own must not run while its data is replaced.
own=''
yes=''
dry=''
arguments=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    --yes) yes=yes ;;
    --dry-run)
      dry=yes
      arguments="${arguments} --dry-run"
      ;;
    --list) exec ./backup-job.sh postgresql-restore list ;;
    --from)
      [ "$#" -gt 1 ] || { usage >&2; exit 2; }
      arguments="${arguments} --from $2"
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*)
      usage >&2
      exit 2
      ;;
    *) arguments="${arguments} $1" ;;
  esac
  shift
done
case "${arguments}" in
  *[!A-Za-z0-9\ -]*)
    usage >&2
    exit 2
    ;;
  *) ;;
esac
set -f
# shellcheck disable=SC2086 # words, of letters and digits
set -- ${arguments}
if [ -n "${dry}" ]; then
  exec ./backup-job.sh postgresql-restore restore "$@"
fi
if [ -z "${yes}" ]; then
  everybody="${own}${own:+${dependents:+ }}${dependents}"
  printf 'The data of %s will be replaced by a copy.%s\nGo on? [y/N] ' postgresql "${everybody:+ Stopped for it: ${everybody}.}"
  read -r answer || answer=''
  case "${answer}" in
    y | Y | yes | o | O | oui) ;;
    *) exit 1 ;;
  esac
fi

# halt SERVICE...: how many of each there were stands in ${halted} then.
halt() {
  halted=''
  for service in "$@"; do
    replicas=$(docker service inspect --format '{{with .Spec.Mode.Replicated}}{{.Replicas}}{{end}}' lakehouse-staging"_${service}" 2>/dev/null) || continue
    if [ "${replicas:-0}" -gt 0 ]; then
      halted="${halted} lakehouse-staging_${service}=${replicas}"
    fi
  done
  for service in ${halted}; do
    docker service scale "${service%=*}=0"
  done
}
resume() {
  [ "$#" -eq 0 ] || docker service scale "$@"
}
# What is in these lists are names, each of one word.
# shellcheck disable=SC2086,SC2248
halt ${dependents}
stopped="${halted}"
# shellcheck disable=SC2086,SC2248
halt ${own}
status=0
./backup-job.sh postgresql-restore restore "$@" || status=$?
if [ "${status}" -eq 0 ]; then
  # shellcheck disable=SC2086,SC2248
  resume ${halted}
  halted=''
fi
if [ "${status}" -eq 0 ]; then
  # It runs once for each version of itself: asked to, once more.
  docker service update --force --quiet lakehouse-staging_postgresql-databases >/dev/null || status=$?
fi
if [ "${status}" -ne 0 ]; then
  still="${halted}${stopped}"
  printf 'restore-postgresql.sh: it was not put back (status %s).%s\n' "${status}" "${still:+ Still stopped:${still}; run this again, or start them.}" >&2
  exit "${status}"
fi
# shellcheck disable=SC2086,SC2248
resume ${stopped}
