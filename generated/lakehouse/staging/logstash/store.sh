#!/bin/bash
# Made by lakewright from blueprint logstash, store.sh.tera. Change that and build again: edits here are lost.
# Says how long lines are kept, and how their indices look. Runs at every start of the platform: each request says how
# things should be, so repeating it changes nothing.
set -euo pipefail
umask 077

readonly scheme=http
readonly url="${scheme}://"elasticsearch:9200
scratch=$(mktemp -d)
readonly scratch
trap 'rm -rf -- "${scratch}"' EXIT

fail() {
  printf 'store: %s\n' "$1" >&2
  exit 1
}

# In a file: arguments of a program can be seen by every other.
password=$(</run/secrets/elasticsearch-logstash-setup)
[[ -n ${password} ]] || fail 'the password is empty'
printf 'user = "%s:%s"\n' logstash-setup "${password}" >"${scratch}/curl"
unset password

# put PATH, body from standard input.
put() {
  local status answer
  : >"${scratch}/answer"
  status=$(curl --disable --config "${scratch}/curl" --silent --show-error --noproxy '*' --connect-timeout 5 --max-time 60 \
    --header 'Content-Type: application/json' --request PUT --data-binary @- --output "${scratch}/answer" \
    --write-out '%{http_code}' "${url}$1" || true)
  case ${status} in
    2??) ;;
    *)
      answer=$(head -c 1000 "${scratch}/answer")
      fail "PUT $1: status ${status}: ${answer}"
      ;;
  esac
}

mappings=$(</opt/lakewright/mappings.json)
readonly mappings

# keep KIND SECONDS ROLLOVER_SECONDS: how long lines of a kind are kept. They go by whole indices, the younger ones begun
# after the second time.
keep() {
  local name=lakewright-logs-$1-staging
  printf '{"policy":{"_meta":{"managed_by":"lakewright"},"phases":{"hot":{"actions":{"rollover":{"max_age":"%ss","max_primary_shard_size":"%sb"}}},"delete":{"min_age":"%ss","actions":{"delete":{}}}}}}' \
    "$3" 1073741824 "$2" | put "/_ilm/policy/${name}"
  printf '{"index_patterns":["logs-%s-staging"],"data_stream":{},"priority":500,"_meta":{"managed_by":"lakewright"},"template":{"settings":{"index":{"lifecycle":{"name":"%s"},"number_of_shards":1,"auto_expand_replicas":"0-1","codec":"best_compression","refresh_interval":"10s","mapping":{"ignore_malformed":true}}},"mappings":%s}}' \
    "$1" "${name}" "${mappings}" | put "/_index_template/${name}"
  printf 'store: lines of kind %s are kept for %s days\n' "$1" "$(($2 / 86400))"
}

keep application 1209600 86400
keep access 2592000 86400
keep audit 31536000 1051200
keep error 7776000 259200
