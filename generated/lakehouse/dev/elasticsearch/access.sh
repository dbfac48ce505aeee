#!/bin/bash
# Made by lakewright from blueprint elasticsearch, access.sh.tera. Change that and build again: edits here are lost.
# Gives every dependent a user and a role, and new indices their defaults. Runs at every start of the platform: each
# request says how things should be, so repeating it changes nothing.
set -euo pipefail
umask 077
readonly url=http://elasticsearch:9200
# In memory. Passwords reach curl by file or standard input, never as arguments, which every process could see.
scratch=$(mktemp -d)
readonly scratch
trap 'rm -rf -- "${scratch}"' EXIT

fail() {
  printf 'access: %s\n' "$1" >&2
  exit 1
}

# A text in double quotes; JSON and curl's configuration agree on these escapes.
quoted() {
  local text=$1
  case ${text} in *[[:cntrl:]]*) fail 'a password has a control character in it' ;; *) ;; esac
  text=${text//"\\"/"\\\\"}
  text=${text//'"'/'\"'}
  printf '"%s"' "${text}"
}

# The content of a secret's file; an empty one would make an account that anybody can use, or none at all.
secret() {
  local text
  text=$(<"$1") || fail "cannot read $1"
  [[ -n ${text} ]] || fail "$1 is empty"
  printf '%s' "${text}"
}

# request METHOD PATH, body from standard input: prints the status (000 without an answer), leaves the answer in
# $scratch/answer.
request() {
  : >"${scratch}/answer"
  curl --disable --config "${scratch}/curl" --request "$1" --data-binary @- --output "${scratch}/answer" \
    --write-out '%{http_code}' "${url}$2" || true
}

put() {
  local status answer
  status=$(request PUT "$1")
  case ${status} in
    2??) ;;
    *)
      answer=$(head -c 1000 "${scratch}/answer")
      fail "PUT $1: status ${status}: ${answer}"
      ;;
  esac
}

# make_role NAME CLUSTER INDICES PRIVILEGES: all but the name are JSON lists.
make_role() {
  printf '{"cluster":%s,"indices":[{"names":%s,"privileges":%s}],"metadata":{"managed_by":"lakewright"}}' \
    "$2" "$3" "$4" | put "/_security/role/$1"
}

# make_user NAME PASSWORD_FILE ROLES: a JSON list.
make_user() {
  local password
  password=$(secret "$2")
  password=$(quoted "${password}")
  printf '{"password":%s,"roles":%s,"enabled":true,"metadata":{"managed_by":"lakewright"}}' \
    "${password}" "$3" | put "/_security/user/$1"
  printf 'access: %s is set\n' "$1"
}

password=$(secret /run/secrets/elasticsearch-elastic)
login=$(quoted "elastic:${password}")
cat >"${scratch}/curl" <<END
silent
show-error
noproxy = "*"
connect-timeout = 5
max-time = 60
header = "Content-Type: application/json"
user = ${login}
END
unset password login

# Security keeps its users in an index: until that is there, even the right password may be refused.
for ((attempt = 1; ; attempt++)); do
  status=$(request GET '/_cluster/health?wait_for_status=yellow&timeout=10s' </dev/null)
  [[ ${status} != 200 ]] || break
  if ((attempt >= 60)); then
    case ${status} in
      401) fail 'elastic is refused: its password was changed through the API, put the same into the secret' ;;
      *) fail "Elasticsearch is not ready: status ${status}" ;;
    esac
  fi
  sleep 2
done

# Indices without a template of their own: as many copies as there are other nodes to hold them, at most one.
printf '%s' '{"index_patterns":["*"],"priority":0,"template":{"settings":{"index.number_of_replicas":0}},"_meta":{"managed_by":"lakewright"}}' |
  put /_index_template/lakewright-defaults

# The exporter: the state of the cluster and of its snapshots, no document.
make_role metrics '["monitor","monitor_snapshot","read_slm","cluster:admin/slm/stats"]' '["*"]' '["monitor"]'
make_user metrics /run/secrets/elasticsearch-metrics '["metrics"]'

make_role dremio-search '["monitor"]' '["data-*"]' \
  '["read","view_index_metadata","monitor"]'
make_user dremio-search /run/secrets/elasticsearch-dremio-search '["dremio-search"]'
make_role grafana-logs '["monitor"]' '["logs-*"]' \
  '["read","view_index_metadata","monitor"]'
make_user grafana-logs /run/secrets/elasticsearch-grafana-logs '["grafana-logs"]'
make_user kibana-reader /run/secrets/elasticsearch-kibana-reader '["viewer"]'
make_user kibana-views /run/secrets/elasticsearch-kibana-views '["kibana_admin"]'
make_role logstash-setup '["monitor","manage_ilm","manage_index_templates"]' '["logs-*-dev"]' \
  '["read","write","create_index","auto_configure","view_index_metadata","monitor","manage","delete_index"]'
make_user logstash-setup /run/secrets/elasticsearch-logstash-setup '["logstash-setup"]'
make_role logstash-store '["monitor"]' '["logs-*-dev"]' \
  '["create_doc","auto_configure","view_index_metadata"]'
make_user logstash-store /run/secrets/elasticsearch-logstash-store '["logstash-store"]'

# A built-in user: its password is all that can be set.
password=$(secret /run/secrets/elasticsearch-kibana-store)
password=$(quoted "${password}")
printf '{"password":%s}' "${password}" | put /_security/user/kibana_system/_password
unset password
printf 'access: %s is set\n' kibana_system
