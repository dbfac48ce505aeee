#!/bin/sh
# Made by lakewright from the topology. Change that and build again: edits here are lost.
#
# Makes, renews and checks the certificates of this bundle. Keys are made on this machine, lie beside the secrets, readable
# by their owner only, and are nowhere else in the bundle.
set -eu
umask 077

usage() {
  cat <<'END'
Usage: ./tls/issue.sh [OPTION]...
Makes what is missing in ./secrets/tls: ca.crt and ca.key, the authority of this platform, and for each certificate a
folder with tls.crt and tls.key. Renews certificates that end within 30 days, whose names changed, or whose key is not
theirs. The authority is never replaced.

  --renew NAME   renew this certificate in any case; may be given several times
  --check        say what is missing, wrong or about to end, and change nothing
  --dry-run      say what would be done, and change nothing
  --help         show this

Certificates: filebeat logstash prometheus
Exit status: 0 all is well, 1 something is missing or wrong, 2 wrong usage.
END
}

say() {
  printf '%s\n' "$*" >&2
}

wrong() {
  say "issue.sh: $1"
  say 'Try ./tls/issue.sh --help.'
  exit 2
}

folder=secrets/tls
renew_before=2592000
mode=issue
failed=''
lifetime=90
renew=''

known() {
  case "$1" in
    filebeat | logstash | prometheus) ;;
    *) wrong "no certificate $1 is made here" ;;
  esac
  renew="${renew} $1"
}

while [ "$#" -gt 0 ]; do
  case "$1" in
    --renew)
      [ "$#" -gt 1 ] || wrong '--renew needs the name of a certificate'
      known "$2"
      shift
      ;;
    --renew=*) known "${1#--renew=}" ;;
    --check | --dry-run)
      [ "${mode}" = issue ] || wrong 'choose one of --check and --dry-run'
      mode=${1#--}
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) wrong "unknown option $1" ;;
  esac
  shift
done
if [ "${mode}" = check ] && [ -n "${renew}" ]; then
  wrong '--check renews nothing'
fi

version=$(openssl version 2>/dev/null || true)
case "${version}" in
  'OpenSSL '[3-9].* | 'OpenSSL '[1-9][0-9].*) ;;
  *)
    say "issue.sh needs OpenSSL 3 or newer; there is: ${version:-none}"
    exit 1
    ;;
esac

CDPATH='' cd -- "$(dirname -- "$0")/.."

# Runs a program that has nothing to say unless it fails.
quiet() {
  if ! said=$("$@" 2>&1); then
    say "${said}"
    return 1
  fi
}

# Usage: bad NAME WHAT HELP
bad() {
  say "$1: $2${3:+; $3}"
  failed=yes
}

# Usage: ends CERTIFICATE
ends() {
  openssl x509 -in "$1" -noout -enddate | sed 's/^notAfter=//'
}

# Usage: ends_within SECONDS CERTIFICATE
ends_within() {
  ! openssl x509 -in "$2" -noout -checkend "$1" >/dev/null
}

# Usage: fits CERTIFICATE KEY. Says whether the key is that of the certificate.
fits() {
  of_certificate=$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null) || return 1
  of_key=$(openssl pkey -in "$2" -passin pass: -pubout 2>/dev/null) || return 1
  [ "${of_certificate}" = "${of_key}" ]
}

# Usage: kind CERTIFICATE. Says what its key is: the algorithm and the bits.
kind() {
  openssl x509 -in "$1" -noout -text |
    sed -n 's/^ *Public Key Algorithm: //p; s/^ *Public-Key: (\([0-9]*\) bit.*/\1/p' | tr '\n' ' ' | sed 's/ $//'
}

# Usage: fault FOLDER. Says what is wrong with a pair, whoever made it.
fault() {
  if [ ! -s "$1/tls.crt" ] || [ ! -s "$1/tls.key" ]; then
    echo 'is missing'
  elif ! openssl x509 -in "$1/tls.crt" -noout 2>/dev/null; then
    echo 'cannot be read'
  elif ! fits "$1/tls.crt" "$1/tls.key"; then
    echo 'does not fit its key, or the key has a password'
  elif ends_within 0 "$1/tls.crt"; then
    echo 'has ended'
  fi
}

# Usage: names CERTIFICATE. Lists the host names that it bears, sorted.
names() {
  openssl x509 -in "$1" -noout -ext subjectAltName | tr ',' '\n' | sed -n 's/^ *DNS://p' | LC_ALL=C sort
}

# Usage: renewed NAME. Says whether a certificate is to be renewed in any case.
renewed() {
  case " ${renew} " in
    *" $1 "*) ;;
    *) return 1 ;;
  esac
}

# Usage: own_fault NAME DNS... Says why a certificate of this authority has to be made again.
own_fault() {
  at="${folder}/$1"
  shift
  what=$(fault "${at}")
  if [ -n "${what}" ]; then
    echo "${what}"
    return 0
  fi
  wanted=$(printf '%s\n' "$@" | LC_ALL=C sort)
  if ! openssl verify -CAfile "${folder}/ca.crt" -no_check_time -purpose sslserver "${at}/tls.crt" >/dev/null 2>&1; then
    echo 'is not of this authority'
  elif [ "$(names "${at}/tls.crt")" != "${wanted}" ]; then
    echo 'bears other names'
  elif [ "$(kind "${at}/tls.crt")" != 'id-ecPublicKey 256' ]; then
    echo 'has a key of another kind than ecdsa-p256'
  elif ends_within "${renew_before}" "${at}/tls.crt"; then
    echo "ends on $(ends "${at}/tls.crt")"
  fi
}


# Usage: put NAME FILE... Moves a pair that is complete to its place. A run that is killed in between leaves the rest, and
# the next one finishes it.
put() {
  ready="${folder}/.$1.ready"
  target="${folder}/$2"
  shift 2
  mkdir -p "${target}"
  for file in "$@"; do
    if [ -e "${ready}/${file}" ]; then
      mv -f "${ready}/${file}" "${target}/${file}"
    fi
  done
  rmdir "${ready}"
}

# Finishes, or clears away, what an earlier run has left.
recover() {
  if [ -d "${folder}/.ca.ready" ]; then
    put ca . ca.key ca.crt
  fi
  for left in "${folder}"/.*.ready; do
    [ -d "${left}" ] || continue
    name=${left##*/.}
    name=${name%.ready}
    put "${name}" "${name}" tls.key tls.crt
  done
  for left in "${folder}"/.*.new; do
    [ -d "${left}" ] || continue
    rm -rf "${left}"
  done
}


# What makes it impossible to issue anything, if something does.
blocked=''

authority() {
  if [ -e "${folder}/ca.crt" ] && [ -e "${folder}/ca.key" ]; then
    if ! fits "${folder}/ca.crt" "${folder}/ca.key"; then
      blocked="ca.key is not the key of ca.crt, or has a password"
    fi
  elif [ -e "${folder}/ca.crt" ]; then
    blocked='ca.key is missing'
    return 0
  elif [ -e "${folder}/ca.key" ]; then
    blocked='ca.crt is missing beside ca.key'
  elif [ "${mode}" = issue ]; then
    new="${folder}/.ca.new"
    mkdir "${new}"
    quiet openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -sha256 -days 3650 \
      -config tls/ca.cnf -keyout "${new}/ca.key" -out "${new}/ca.crt"
    mv "${new}" "${folder}/.ca.ready"
    put ca . ca.key ca.crt
    say "ca: made, good until $(ends "${folder}/ca.crt")"
  elif [ "${mode}" = check ]; then
    bad ca 'is missing'
    return 0
  else
    say 'ca: would be made'
    return 0
  fi
  if [ -z "${blocked}" ] && ends_within "$((lifetime * 86400))" "${folder}/ca.crt"; then
    blocked="the authority ends on $(ends "${folder}/ca.crt"), before a certificate would that is made now"
  fi
  if [ -n "${blocked}" ] && [ "${mode}" = check ]; then
    bad ca "${blocked}" 'to replace the authority, move ca.crt and ca.key away and run ./tls/issue.sh: it makes all anew'
  fi
}

# Usage: make NAME
make() {
  new="${folder}/.$1.new"
  mkdir "${new}"
  serial=$(openssl rand -hex 16)
  quiet openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -sha256 \
    -config "tls/$1.cnf" -keyout "${new}/tls.key" -out "${new}/tls.csr"
  quiet openssl x509 -req -in "${new}/tls.csr" -sha256 -days "${lifetime}" -set_serial "0x${serial}" \
    -CA "${folder}/ca.crt" -CAkey "${folder}/ca.key" \
    -extfile "tls/$1.cnf" -extensions certificate -out "${new}/tls.crt"
  rm -f "${new}/tls.csr"
  mv "${new}" "${folder}/.$1.ready"
  put "$1" "$1" tls.key tls.crt
}

# Usage: issue NAME DNS...
issue() {
  why=$(own_fault "$@")
  if renewed "$1"; then
    why=${why:-is to be renewed}
  fi
  if [ -z "${why}" ]; then
    return 0
  fi
  if [ "${mode}" = check ]; then
    bad "$1" "${why}" 'run ./tls/issue.sh'
  elif [ -n "${blocked}" ]; then
    bad "$1" "${why}" "and cannot be made: ${blocked}"
  elif [ "${mode}" = dry-run ]; then
    say "$1: ${why}; would be made"
  else
    make "$1"
    say "$1: ${why}; made, good until $(ends "${folder}/$1/tls.crt")"
  fi
}

if [ "${mode}" = issue ]; then
  mkdir -p "${folder}"
  # Two runs at a time would mix their files.
  lock="${folder}/.lock"
  if ! mkdir "${lock}" 2>/dev/null; then
    holder=$(cat "${lock}/process" 2>/dev/null || true)
    if [ -n "${holder}" ] && kill -0 "${holder}" 2>/dev/null; then
      say "issue.sh: process ${holder} is at it; if that is something else, remove ${lock}"
      exit 1
    fi
    rm -rf "${lock}"
    mkdir "${lock}"
  fi
  echo "$$" >"${lock}/process"
  trap 'rm -rf "${lock}"' EXIT
  trap 'exit 1' HUP INT TERM
  recover
fi
authority
issue filebeat filebeat localhost
issue logstash logstash localhost
issue prometheus prometheus localhost

if [ -n "${failed}" ]; then
  exit 1
fi
