#!/bin/sh
# Made by lakewright from blueprint postgresql, entry.sh.tera. Change that and build again: edits here are lost.
set -eu
# Starts the server through the image's own entry point, with the configuration that the bundle brings.
exec docker-entrypoint.sh postgres \
  -c config_file=/etc/postgresql/postgresql.conf \
  -c hba_file=/etc/postgresql/pg_hba.conf
