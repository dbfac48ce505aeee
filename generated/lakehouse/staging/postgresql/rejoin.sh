#!/bin/sh
# Made by lakewright from blueprint postgresql, rejoin.sh.tera. Change that and build again: edits here are lost.
# Starts a member that is no more the primary, and lets it follow the one that is. What it alone had written is lost then:
# until this runs it keeps its data, and does not serve. May run any number of times.
set -eu
cd "$(dirname "$0")/.."

job=rejoin
case "${2:-}" in
  '') ;;
  --recopy) job=recopy ;;
  *) set -- '' ;;
esac
case "${1:-}" in
  postgresql-1 | postgresql-2) member=$1 ;;
  *)
    printf 'usage: %s MEMBER [--recopy]\nMEMBER is one of: %s\n--recopy gives up its data for a new copy, where it cannot be rewound.\n' "$0" 'postgresql-1 postgresql-2' >&2
    exit 2
    ;;
esac

docker service scale "lakehouse-staging_${member}=1"
./run.sh "postgresql-${job}"

