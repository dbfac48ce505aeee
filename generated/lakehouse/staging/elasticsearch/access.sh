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

# grant NAME INDICES PRIVILEGES PASSWORD_FILE: a role, and a user who has it. INDICES and PRIVILEGES are JSON lists.
grant() {
  local password
  password=$(secret "$4")
  password=$(quoted "${password}")
  printf '{"cluster":["monitor"],"indices":[{"names":%s,"privileges":%s}],"metadata":{"managed_by":"lakewright"}}' \
    "$2" "$3" | put "/_security/role/$1"
  printf '{"password":%s,"roles":["%s"],"enabled":true,"metadata":{"managed_by":"lakewright"}}' \
    "${password}" "$1" | put "/_security/user/$1"
  printf 'access: %s is set\n' "$1"
}

password=$(secret /run/secrets/elasticsearch-elastic)
user=$(quoted "elastic:${password}")
cat >"${scratch}/curl" <<END
silent
show-error
noproxy = "*"
connect-timeout = 5
max-time = 60
header = "Content-Type: application/json"
user = ${user}
END
unset password user

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
printf '%s' '{"index_patterns":["*"],"priority":0,"template":{"settings":{"index.number_of_replicas":1}},"_meta":{"managed_by":"lakewright"}}' |
  put /_index_template/lakewright-defaults

grant dremio-search '["data-*"]' \
  '["read","view_index_metadata","monitor"]' /run/secrets/elasticsearch-dremio-search
