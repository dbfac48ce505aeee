#!/bin/bash
# Made by lakewright from blueprint dremio, zookeeper.sh.tera. Change that and build again: edits here are lost.
# ZooKeeper's ensemble: each member must know its own number among the same list of servers.
set -euo pipefail

hosts=(dremio-zookeeper-1 dremio-zookeeper-2 dremio-zookeeper-3)

own_number() {
  local self address addresses i
  self="$(hostname)"
  for i in "${!hosts[@]}"; do
    if [[ "${hosts[i]}" == "${self}" || "${hosts[i]}" == "${self}".* ]]; then
      printf '%s' "$((i + 1))"
      return
    fi
  done
  addresses=" $(hostname -i) "
  for i in "${!hosts[@]}"; do
    read -r address _ < <(getent ahostsv4 "${hosts[i]}" || true) || continue
    if [[ "${addresses}" == *" ${address} "* ]]; then
      printf '%s' "$((i + 1))"
      return
    fi
  done
  printf 'none of %s is this container (%s)\n' "${hosts[*]}" "${self}" >&2
  exit 1
}

number="$(own_number)"
conf=/run/lakewright/conf
mkdir -p "${conf}" /data/snapshots
# logback.xml of the image: log to the console
cp /conf/* "${conf}/"
printf '%s\n' "${number}" > /data/snapshots/myid
{
  printf 'tickTime=2000\ninitLimit=10\nsyncLimit=5\nclientPort=2181\ndataDir=/data/snapshots\n'
  printf 'maxClientCnxns=60\nautopurge.snapRetainCount=5\nautopurge.purgeInterval=12\n'
  printf 'standaloneEnabled=false\nadmin.enableServer=false\n4lw.commands.whitelist=ruok,srvr\n'
  for i in "${!hosts[@]}"; do
    # Members bind to every address: their own name may resolve to one network of several.
    host="${hosts[i]}"
    if [[ "$((i + 1))" == "${number}" ]]; then host=0.0.0.0; fi
    printf 'server.%s=%s:2888:3888\n' "$((i + 1))" "${host}"
  done
} > "${conf}/zoo.cfg"

export ZOOCFGDIR="${conf}" ZOO_LOG_DIR=/tmp ZK_SERVER_HEAP=128
exec zkServer.sh start-foreground
