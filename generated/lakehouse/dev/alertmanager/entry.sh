#!/bin/sh
# Made by lakewright from blueprint alertmanager, entry.sh.tera. Change that and build again: edits here are lost.
# Starts Alertmanager.
set -eu

set -- \
  --config.file=/etc/alertmanager/alertmanager.yml \
  --storage.path=/alertmanager \
  --data.retention=432000s \
  --web.listen-address=0.0.0.0:9093 \
  --web.external-url=http://alertmanager:9093 \
  --log.level=info \
  --log.format=json
# Alone it has nobody to agree with.
set -- "$@" --cluster.listen-address=

exec /bin/alertmanager "$@"
