#!/bin/sh
# Made by lakewright from blueprint postgresql, status.sh.tera. Change that and build again: edits here are lost.
# Who is the primary, and who follows it. Exit status 1 when something is missing.
set -eu
cd "$(dirname "$0")/.."
exec ./run.sh postgresql-status
