#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Puts everything back, in the order in which systems depend on each other. Options are those of the single scripts.
set -eu
cd "$(dirname "$0")"
./restore-minio.sh "$@"
./restore-postgresql.sh "$@"
./restore-elasticsearch.sh "$@"
./restore-dremio.sh "$@"
