#!/bin/sh
# Made by lakewright from blueprint alertmanager, entry.sh.tera. Change that and build again: edits here are lost.
# Starts Alertmanager as one of several members.
set -eu

# Each member tells the others at which address it is reached. A container on several networks must not guess that: it is the
# one from which another member is reached, and on a cluster's pod the only one.
own="$(hostname)"
address=""
attempt=0
while [ -z "${address}" ] && [ "${attempt}" -lt 30 ]; do
  for name in alertmanager-1 alertmanager-2; do
    if [ "${name}" = "${own}" ]; then continue; fi
    # What stands before the name is the name server's own address.
    peer="$(nslookup "${name}" 2>/dev/null | sed -n '/^Name:/,$ s/^Address[^:]*:[[:space:]]*\([0-9][0-9.]*\).*/\1/p' | head -n 1)"
    if [ -z "${peer}" ]; then continue; fi
    address="$(ip -4 route get "${peer}" | sed -n 's/.* src \([0-9.]*\).*/\1/p')"
    break
  done
  attempt=$((attempt + 1))
  if [ -z "${address}" ]; then sleep 1; fi
done
# Alone it tells people all the same. Others that come find it by its name, and it learns of them.
if [ -n "${address}" ]; then
  set -- "--cluster.advertise-address=${address}:9094"
else
  echo "no other member is known: this one begins alone" >&2
fi
set -- "$@" --cluster.peer=alertmanager-1:9094
set -- "$@" --cluster.peer=alertmanager-2:9094
set -- "$@" --cluster.tls-config=/etc/alertmanager/cluster.yml --cluster.listen-address=0.0.0.0:9094

exec /bin/alertmanager "$@" \
  --config.file=/etc/alertmanager/alertmanager.yml \
  --storage.path=/alertmanager \
  --data.retention=432000s \
  --web.listen-address=0.0.0.0:9093 \
  --web.external-url=http://alertmanager:9093 \
  --log.level=info \
  --log.format=json
