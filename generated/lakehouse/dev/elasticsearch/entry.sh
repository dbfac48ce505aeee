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

exec "${home}/bin/elasticsearch" "${settings[@]}" </dev/null
