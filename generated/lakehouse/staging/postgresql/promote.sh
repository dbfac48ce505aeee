#!/bin/sh
# Made by lakewright from blueprint postgresql, promote.sh.tera. Change that and build again: edits here are lost.
# Stops the primary, so that there are never two, and puts the standby in its place that has most of its data.
# A primary that still runs hands over everything first: nothing is lost. May run any number of times.
set -eu
cd "$(dirname "$0")/.."

case "${1:-}" in
  postgresql-1 | postgresql-2) primary=$1 ;;
  *)
    printf 'usage: %s PRIMARY\nPRIMARY is the member that gives up its place, one of: %s\n' "$0" 'postgresql-1 postgresql-2' >&2
    exit 2
    ;;
esac

service=lakehouse-staging_${primary}
docker service scale --detach "${service}=0"
tries=60
while [ -n "$(docker service ps --filter desired-state=running --quiet "${service}")" ]; do
  tries=$((tries - 1))
  if [ "${tries}" -eq 0 ]; then
    printf '%s still runs\n' "${primary}" >&2
    exit 1
  fi
  sleep 2
done
printf 'If the host of %s is only cut off from the others, switch it off now: its container cannot be stopped from here.\n' "${primary}"
./run.sh postgresql-promote

printf 'Next, when %s can run again: %s/rejoin.sh %s\n' "${primary}" postgresql "${primary}"
