#!/bin/sh
# Made by lakewright from blueprint alertmanager, entry.sh.tera. Change that and build again: edits here are lost.
# Starts Alertmanager as one of several members.
set -eu

set -- \
  --config.file=/etc/alertmanager/alertmanager.yml \
  --storage.path=/alertmanager \
  --data.retention=432000s \
  --web.listen-address=0.0.0.0:9093 \
  --web.external-url=http://alertmanager:9093 \
  --log.level=info \
  --log.format=json

own="$(hostname)"

# Each member tells the others at which address it is reached. A container on several networks must not guess that: it is the
# one from which another member is reached. Prints nothing as long as no other is known.
reached_at() {
  for name in alertmanager-1 alertmanager-2; do
    if [ "${name}" = "${own}" ]; then continue; fi
    # What stands before the name is the name server's own address.
    peer="$(timeout 3 nslookup "${name}" 2>/dev/null | sed -n '/^Name:/,$ s/^Address[^:]*:[[:space:]]*\([0-9][0-9.]*\).*/\1/p' | head -n 1)"
    if [ -z "${peer}" ]; then continue; fi
    ip -4 route get "${peer}" | sed -n 's/.* src \([0-9.]*\).*/\1/p'
    return
  done
}

address="$(reached_at)"
if [ -z "${address}" ]; then
  # Swarm knows a member by its name once it is healthy, so somebody has to begin. Alone it tells people all the same.
  echo "no other member is known: this one begins alone" >&2
  /bin/alertmanager "$@" --cluster.listen-address= &
  server=$!
  trap 'kill -TERM "${server}"' INT TERM
  while [ -z "${address}" ]; do
    sleep 5 &
    wait "$!" || :
    if ! kill -0 "${server}" 2>/dev/null; then
      code=0
      wait "${server}" || code=$?
      exit "${code}"
    fi
    address="$(reached_at)"
  done
  echo "another member is known: this one starts again and joins it" >&2
  trap - INT TERM
  kill -TERM "${server}"
  wait "${server}" || :
fi
set -- "$@" "--cluster.advertise-address=${address}:9094"
set -- "$@" --cluster.peer=alertmanager-1:9094
set -- "$@" --cluster.peer=alertmanager-2:9094
set -- "$@" --cluster.tls-config=/etc/alertmanager/cluster.yml --cluster.listen-address=0.0.0.0:9094

exec /bin/alertmanager "$@"
