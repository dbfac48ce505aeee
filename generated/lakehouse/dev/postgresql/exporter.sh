#!/bin/sh
# Made by lakewright from blueprint postgresql, exporter.sh.tera. Change that and build again: edits here are lost.
# Starts the exporter for the member of the same number. The password stays in its file.
set -eu

server=postgresql
export DATA_SOURCE_URI="${server}:5432/postgres?sslmode=disable&connect_timeout=5&application_name=postgres_exporter"
export DATA_SOURCE_USER=postgres_exporter
export DATA_SOURCE_PASS_FILE=/run/secrets/postgresql-exporter

# Statistics of tables come from queries.yaml, once for each database rather than for each table.
exec /bin/postgres_exporter \
  --web.listen-address=:9187 \
  --log.format=json \
  --extend.query-path=/opt/lakewright/queries.yaml \
  --auto-discover-databases \
  --collector.database_wraparound \
  --collector.stat_checkpointer \
  --no-collector.roles \
  --no-collector.stat_user_tables \
  --no-collector.statio_user_tables
