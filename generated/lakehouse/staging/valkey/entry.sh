#!/bin/sh
# Made by lakewright from blueprint valkey, entry.sh.tera. Change that and build again: edits here are lost.
# Writes the users from the secrets of the dependents, into memory, then starts the server.
set -eu
umask 077

acl=/run/valkey/users.acl

# user NAME FILE RULES: one line of the ACL file. Valkey takes the SHA-256 of a password, so that not even this file has
# the password itself. A last line break in the secret's file does not count.
user() {
  value=
  IFS= read -r value <"$2" || [ -n "${value}" ] || {
    printf '%s: empty or missing\n' "$2" >&2
    return 1
  }
  hash="$(printf '%s' "${value}" | sha256sum)"
  printf 'user %s on #%s %s\n' "$1" "${hash%% *}" "$3"
}

{
  printf 'user default off\n'
  # May ping, and see nothing.
  user health /run/secrets/valkey-health 'resetkeys resetchannels -@all +ping'
  # Statistics. Not the slow log's entries, nor the configuration: they show what others store.
  user metrics /run/secrets/valkey-metrics 'resetkeys resetchannels -@all +ping +info +slowlog|len +latency|latest +latency|histogram'

  # All keys and channels, and no command that harms the others: no FLUSHALL, CONFIG, SHUTDOWN, DEBUG. INFO and KEYS are
  # what Celery and Flask-Caching ask for.
  user superset-cache /run/secrets/valkey-superset-cache '~* &* +@all -@dangerous -@admin +info +keys'

} >"${acl}"

exec docker-entrypoint.sh valkey-server /etc/valkey/valkey.conf
