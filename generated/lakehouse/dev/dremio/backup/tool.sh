# shellcheck shell=sh disable=SC2312
# Dremio's own tool, and how a copy is laid out for it. Read by the other scripts.

put() {
  sh "${BACKUP_PROGRAM:?}" put "$@"
}

get() {
  sh "${BACKUP_PROGRAM:?}" get "$@"
}

# property NAME VALUE: a setting of Hadoop.
property() {
  printf '  <property><name>%s</name><value>%s</value></property>\n' "$1" \
    "$(printf '%s' "$2" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g')"
}

# trust FILE: a store of Java's form, of what the image knows and the platform's authority.
trust() {
  java=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
  cp "${java}/lib/security/cacerts" "$1"
  chmod 0600 "$1"
  "${java}/bin/keytool" -importcert -noprompt -alias platform -storepass changeit -file "${AUTHORITY:?}" -keystore "$1" >/dev/null
  DREMIO_JAVA_EXTRA_OPTS="${DREMIO_JAVA_EXTRA_OPTS} -Djavax.net.ssl.trustStore=$1 -Djavax.net.ssl.trustStorePassword=changeit"
}

# configure DATA DIST: the tool is that of a coordinator with this folder for its data and this place for what all nodes share.
configure() {
  export DREMIO_CONF_DIR="${BACKUP_WORK:?}/conf" DREMIO_LOG_DIR="${BACKUP_WORK}"
  rm -rf "${DREMIO_CONF_DIR}"
  mkdir -p "${DREMIO_CONF_DIR}" "$1/tmp"
  # Native libraries are unpacked there, which must be a place that may execute.
  export DREMIO_JAVA_EXTRA_OPTS="-Djava.io.tmpdir=$1/tmp"
  cp "${DREMIO_HOME:?}"/conf/* "${DREMIO_CONF_DIR}/"
  pages=''
  if [ -n "${AUTHORITY:-}" ]; then
    trust "${DREMIO_CONF_DIR}/authorities"
    pages=', web.ssl: { enabled: true, auto-certificate.enabled: false }'
  fi
  cat >"${DREMIO_CONF_DIR}/dremio.conf" <<END
paths: { local: "$1", dist: "$2" }
services: {
  coordinator: { enabled: true, master.enabled: true, web.port: ${DREMIO_PORT:?}${pages} }
  executor.enabled: false
}
registration.publish-host: "${DREMIO_HOST:?}"
END
  {
    printf '<?xml version="1.0"?>\n<configuration>\n'
    property fs.dremioS3.impl com.dremio.plugins.s3.store.S3FileSystem
    property fs.s3a.aws.credentials.provider org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider
    property fs.s3a.access.key "${S3_ACCESS_KEY:?}"
    property fs.s3a.secret.key "$(cat "${S3_SECRET_FILE:?}")"
    property fs.s3a.endpoint "${S3_ENDPOINT:?}"
    property fs.s3a.connection.ssl.enabled "${S3_TLS:-false}"
    property fs.s3a.path.style.access true
    property dremio.s3.compat true
    property fs.s3a.buffer.dir "$1/tmp"
    printf '</configuration>\n'
  } >"${DREMIO_CONF_DIR}/core-site.xml"
}

# admin COMMAND ARGUMENT...: what it says is shown when it fails, and is in ${said}.
admin() {
  said=${BACKUP_WORK:?}/said
  if ! "${DREMIO_HOME:?}/bin/dremio-admin" "$@" >"${said}" 2>&1; then
    tail -n 40 "${said}" >&2
    return 1
  fi
}

# lay_out FOLDER: a copy as the tool wrote it.
lay_out() {
  told=$(get version) || return 1
  if [ "${told}" != "${DREMIO_VERSION:?}" ]; then
    printf 'the copy is of Dremio %s, and only that version can read it; this is %s\n' "${told}" "${DREMIO_VERSION}" >&2
    return 1
  fi
  get objects >"${BACKUP_WORK:?}/objects" || return 1
  number=0
  while IFS= read -r path; do
    number=$((number + 1))
    mkdir -p "$(dirname "$1/${path}")" && get "object-${number}" >"$1/${path}" </dev/null || return 1
  done <"${BACKUP_WORK}/objects"
}
