#!/bin/bash
# Made by lakewright from blueprint dremio, entry.sh.tera. Change that and build again: edits here are lost.
# Makes a configuration folder in memory from the image's own and the bundle's, adds the credentials of the object store
# to it, and becomes Dremio.
set -euo pipefail
umask 077

conf=/run/lakewright/conf
mkdir -p "${conf}" /opt/dremio/data/tmp /opt/dremio/data/log
cp /opt/dremio/conf/* "${conf}/"
cp /opt/lakewright/dremio.conf "${conf}/dremio.conf"

property() {
  local value="$2"
  value="${value//&/\&amp;}"
  value="${value//</\&lt;}"
  value="${value//>/\&gt;}"
  printf '  <property><name>%s</name><value>%s</value></property>\n' "$1" "${value}"
}

secret_key="$(cat /run/secrets/minio-dremio-storage)"
{
  printf '<?xml version="1.0"?>\n<configuration>\n'
  property fs.dremioS3.impl com.dremio.plugins.s3.store.S3FileSystem
  property fs.s3a.aws.credentials.provider org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider
  property fs.s3a.access.key dremio-storage
  property fs.s3a.secret.key "${secret_key}"
  property fs.s3a.endpoint minio:9000
  property fs.s3a.connection.ssl.enabled false
  property fs.s3a.path.style.access true
  property dremio.s3.compat true
  # On the volume: /tmp is memory.
  property fs.s3a.buffer.dir /opt/dremio/data/tmp
  printf '</configuration>\n'
} > "${conf}/core-site.xml"
unset secret_key

# The name under which the other nodes reach this one: a container on several networks must not guess it.
name=dremio
printf '\nregistration.publish-host: "%s"\n' "${name}" >> "${conf}/dremio.conf"

export DREMIO_CONF_DIR="${conf}"
cd /opt/dremio
exec bin/dremio start-fg
