#!/bin/bash
# Made by lakewright from blueprint elasticsearch, entry.sh.tera. Change that and build again: edits here are lost.
# Puts the configuration folder together and starts Elasticsearch. The image's own entrypoint is not used: it would
# export the password to the environment of Elasticsearch, and needs a writable root.
set -euo pipefail

export ES_PATH_CONF=/run/elasticsearch
home=/usr/share/elasticsearch

# The folder is in memory, hence new at every start: nothing of an earlier start can contradict the files below.
umask 0027
cp -R "${home}/config/." "${ES_PATH_CONF}/"
cp /opt/lakewright/elasticsearch.yml "${ES_PATH_CONF}/elasticsearch.yml"
cp /opt/lakewright/memory.options "${ES_PATH_CONF}/jvm.options.d/memory.options"

# The password of `elastic` for as long as nobody changes it through the API. --force makes the keystore if need be.
"${home}/bin/elasticsearch-keystore" add --stdin --force bootstrap.password </run/secrets/elasticsearch-elastic

# The account for snapshots. Through standard input: arguments can be seen by every process.
snapshots=$(</run/secrets/minio-elasticsearch-snapshots)
printf '%s\n%s\n' elasticsearch-snapshots "${snapshots}" |
  "${home}/bin/elasticsearch-keystore" add --stdin --force s3.client.lakewright.access_key s3.client.lakewright.secret_key
unset snapshots

settings=()
# Every member has a name of its own, by which the others find it and which its certificate bears. The first part of it is
# the host name.
own=${HOSTNAME}
for name in elasticsearch-1 elasticsearch-2 elasticsearch-3; do
  if [[ ${name} == "${HOSTNAME}".* ]]; then own=${name}; fi
done
settings+=("-Enode.name=${own}" "-Enetwork.publish_host=${own}")
# A new name takes a moment to be known; Elasticsearch would give up at once.
for ((attempt = 1; attempt <= 60; attempt++)); do
  if getent hosts "${own}" >/dev/null; then break; fi
  sleep 1
done
if [[ -n ${ZONE:-} ]]; then
  # Copies of a shard go to different zones.
  settings+=("-Enode.attr.zone=${ZONE}" "-Ecluster.routing.allocation.awareness.attributes=zone")
fi
# Who elects the first master ever: said until this node has seen a master, and never again, since with an old list it could
# found a second cluster. A start that came to nothing, because the others were late, must not count.
joined="${home}/data/lakewright-joined"
if [[ ! -e ${joined} ]]; then
  masters=elasticsearch-1,elasticsearch-2,elasticsearch-3
  settings+=("-Ecluster.initial_master_nodes=${masters}")
  # In a shell of its own without a parent, for tini to clean up after. The port opens once there is a master.
  (
    (
      until (exec 3<>/dev/tcp/127.0.0.1/9399) 2>/dev/null; do sleep 5; done
      : >"${joined}"
    ) &
  )
fi

exec "${home}/bin/elasticsearch" "${settings[@]}" </dev/null
