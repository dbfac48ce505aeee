#!/bin/bash
# Made by lakewright from blueprint logstash, trim.sh.tera. Change that and build again: edits here are lost.
# Makes room: while all logs together take more than they may, the oldest index goes, errors and audit after the rest.
# An index that is written to stays.
set -euo pipefail
umask 077

readonly scheme=http
readonly url="${scheme}://"elasticsearch:9200
readonly most=4294967296
scratch=$(mktemp -d)
readonly scratch
trap 'rm -rf -- "${scratch}"' EXIT

password=$(</run/secrets/elasticsearch-logstash-setup)
printf 'user = "%s:%s"\n' logstash-setup "${password}" >"${scratch}/curl"
unset password

# request METHOD PATH: prints the answer; fails unless it is a good one.
request() {
  curl --disable --config "${scratch}/curl" --silent --show-error --fail --noproxy '*' --connect-timeout 5 --max-time 60 \
    --request "$1" "${url}$2"
}

# Their names end in the day and the number of their beginning: the last of a stream is the one that is written to.
request GET '/_cat/indices/.ds-logs-*-dev-*?h=index,store.size&bytes=b&s=index' >"${scratch}/indices"
total=0
declare -A last=()
while read -r index size; do
  total=$((total + ${size:-0}))
  last[${index%-*-*}]=${index}
done <"${scratch}/indices"
printf 'trim: logs take %s of %s bytes\n' "${total}" "${most}"

for kind in access application error audit; do
  while read -r index size; do
    ((total > most)) || break 2
    stream=.ds-logs-${kind}-dev
    [[ ${index%-*-*} == "${stream}" && ${index} != "${last[${stream}]}" ]] || continue
    request DELETE "/${index}" >/dev/null
    total=$((total - ${size:-0}))
    printf 'trim: %s is gone\n' "${index}"
  done <"${scratch}/indices"
done
((total <= most)) || printf 'trim: what is left is written to, and stays\n'
