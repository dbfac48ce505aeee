#!/bin/sh
# Made by lakewright from blueprint elasticsearch, exporter.sh.tera. Change that and build again: edits here are lost.
# Starts the exporter. It takes the password from its environment only, so that is where it goes, for this process alone.
set -eu

value=
IFS= read -r value </run/secrets/elasticsearch-metrics || [ -n "${value}" ] || {
  printf '%s: empty or missing\n' /run/secrets/elasticsearch-metrics >&2
  exit 1
}
export ES_USERNAME=metrics
export ES_PASSWORD="${value}"

exec /bin/elasticsearch_exporter \
  --web.listen-address=:9114 \
  --log.format=json \
  --es.uri=http://elasticsearch:9200 \
  --es.timeout=8s \
  --es.all \
  --no-es.aliases \
  --collector.snapshots \
  --collector.slm
