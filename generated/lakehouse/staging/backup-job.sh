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
exec ./run.sh "${job}" "$@"
