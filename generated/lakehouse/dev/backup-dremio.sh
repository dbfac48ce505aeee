#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Makes a copy of dremio now. --dry-run says what would be done.
set -eu
cd "$(dirname "$0")"
exec ./backup-job.sh dremio-backup run "$@"
