#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Builds the images of this bundle and pushes them to their registry. A tag follows from what is built: what the registry
# has already is not built again.
set -eu

usage() {
  cat <<'END'
Usage: ./images.sh [OPTION]...
Builds and pushes the images that the registry does not have yet.

  --engine docker|podman   the program that builds (docker)
  --dry-run                say what would be built and pushed
  --help                   show this

Exit status: 0 done, 1 something failed, 2 wrong usage.
END
}

say() {
  printf '%s\n' "$*" >&2
}

wrong() {
  say "images.sh: $1"
  say 'Try ./images.sh --help.'
  exit 2
}

engine=docker
dry_run=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    --engine)
      [ "$#" -gt 1 ] || wrong '--engine needs a name'
      engine=$2
      shift
      ;;
    --engine=*) engine=${1#--engine=} ;;
    --dry-run) dry_run=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "unknown option $1" ;;
  esac
  shift
done
case "${engine}" in
  docker | podman) ;;
  *) wrong "no engine ${engine}; there are docker and podman" ;;
esac
if ! command -v "${engine}" >/dev/null; then
  say "${engine} is not installed"
  exit 1
fi

CDPATH='' cd -- "$(dirname -- "$0")"

# Usage: image REFERENCE FOLDER
image() {
  if "${engine}" manifest inspect "$1" >/dev/null 2>&1; then
    say "there already: $1"
    return 0
  fi
  if [ -n "${dry_run}" ]; then
    say "would be built from $2 and pushed: $1"
    return 0
  fi
  "${engine}" build --tag "$1" "$2"
  "${engine}" push "$1"
}

image registry.example.com/lakehouse/dbt-dbt:1.11.16-04466076d76c images/dbt-dbt
image registry.example.com/lakehouse/dremio-backup:26.0.5-c3d1728114e8 images/dremio-backup
image registry.example.com/lakehouse/elasticsearch-backup:9.5.2-9f33da6a2564 images/elasticsearch-backup
image registry.example.com/lakehouse/minio-backup:RELEASE.2026-09-16T00-00-00Z-7724263bef66 images/minio-backup
image registry.example.com/lakehouse/postgresql-backup:17.11-2039e8613c54 images/postgresql-backup
image registry.example.com/lakehouse/superset-app:6.1.0-a8a2c7e4da78 images/superset-app
