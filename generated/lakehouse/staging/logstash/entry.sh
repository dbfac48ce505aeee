#!/bin/bash
# Made by lakewright from blueprint logstash, entry.sh.tera. Change that and build again: edits here are lost.
# Puts the settings folder together and starts Logstash. The image's own entrypoint is not used: it rewrites its settings,
# and needs a writable root.
set -euo pipefail

home=/usr/share/logstash
settings=/run/logstash

umask 0027
cp -R "${home}/config/." "${settings}/"
cp /opt/lakewright/logstash.yml "${settings}/logstash.yml"
cp /opt/lakewright/pipelines.yml "${settings}/pipelines.yml"

# Logstash reads passwords from its environment or from a keystore whose own password would be there.
STORE_PASSWORD=$(</run/secrets/elasticsearch-logstash-store)
[[ -n ${STORE_PASSWORD} ]] || {
  printf 'entry: the password of %s is empty\n' logstash-store >&2
  exit 1
}
export STORE_PASSWORD
export LS_JAVA_OPTS='-Xms403m -Xmx403m -XX:MaxDirectMemorySize=128m -Djava.io.tmpdir=/tmp -Dls.cgroup.cpuacct.path.override=/ -Dls.cgroup.cpu.path.override=/'

exec "${home}/bin/logstash" --path.settings "${settings}" --path.logs /tmp
