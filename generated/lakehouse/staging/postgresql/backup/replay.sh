# shellcheck shell=sh disable=SC2312
# Puts the roles and databases of a copy into the server that the environment names. Read by restore.sh and drill.sh.
#
# A database that is there already is set aside first, and only dropped when the copy of it is in place. A run that was cut
# off is simply run again: what was set aside is then the older one, and stays until the end.

get() {
  sh "${BACKUP_PROGRAM:?}" get "$@"
}

ask() {
  psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=on "$@"
}

# Roles that are there already are changed, not made. The superuser keeps the password that the platform's secret has.
roles() {
  # shellcheck disable=SC2016 # dollar quotes of SQL
  sed -E \
    -e 's/^CREATE ROLE (.*);$/DO $lw$ BEGIN CREATE ROLE \1; EXCEPTION WHEN duplicate_object THEN NULL; END $lw$;/' \
    -e "/^ALTER ROLE postgres /s/ PASSWORD '[^']*'//" \
    -e '/^CREATE TABLESPACE /d' |
    ask --output=/dev/null
}

replay_one() {
  number=$1
  database=$2
  # Names have at most 63 bytes.
  aside=lakewright_aside_$(printf '%s' "${database}" | md5sum | cut -c 1-16)
  ask --set=database="${database}" --set=aside="${aside}" <<'END'
SELECT EXISTS (SELECT FROM pg_database WHERE datname = :'aside') AS kept,
       EXISTS (SELECT FROM pg_database WHERE datname = :'database') AS present \gset
\if :present
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = :'database' AND NOT active;
\if :kept
-- What is there was not put back completely.
DROP DATABASE :"database" WITH (FORCE);
\else
ALTER DATABASE :"database" WITH ALLOW_CONNECTIONS false;
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = :'database';
ALTER DATABASE :"database" RENAME TO :"aside";
\endif
\endif
END
  if ! get "${number}.dump" pg_restore --no-password --create --exit-on-error --dbname="${PGDATABASE:?}"; then
    printf '%s could not be put back; what was there before is %s\n' "${database}" "${aside}" >&2
    ask --set=database="${database}" --set=aside="${aside}" <<'END'
DROP DATABASE IF EXISTS :"database" WITH (FORCE);
SELECT EXISTS (SELECT FROM pg_database WHERE datname = :'aside') AS kept \gset
\if :kept
ALTER DATABASE :"aside" RENAME TO :"database";
ALTER DATABASE :"database" WITH ALLOW_CONNECTIONS true;
\endif
END
    return 1
  fi
  ask --set=aside="${aside}" <<'END'
SET client_min_messages = warning;
DROP DATABASE IF EXISTS :"aside" WITH (FORCE);
END
  PGDATABASE="${database}" ask --command='ANALYZE'
}

# Compares what is in a database with what was counted when it was copied.
compare() {
  number=$1
  database=$2
  get "${number}.rows" >"${BACKUP_WORK:?}/expected"
  PGDATABASE="${database}" ask --field-separator='	' --file="${0%/*}/rows.sql" >"${BACKUP_WORK}/found"
  if ! cmp -s "${BACKUP_WORK}/expected" "${BACKUP_WORK}/found"; then
    printf '%s differs from its copy: < copied, > put back\n' "${database}" >&2
    diff "${BACKUP_WORK}/expected" "${BACKUP_WORK}/found" >&2 || :
    return 1
  fi
  printf '%s: %s tables, %s rows, all as they were copied\n' "${database}" "$(wc -l <"${BACKUP_WORK}/found" | tr -d ' ')" \
    "$(awk -F '\t' '{ sum += $2 } END { printf "%.0f", sum }' "${BACKUP_WORK}/found")" >&2
}

replay() {
  get roles.sql >"${BACKUP_WORK:?}/roles"
  roles <"${BACKUP_WORK}/roles"
  rm -f "${BACKUP_WORK}/roles"
  list=${BACKUP_WORK}/list
  get databases >"${list}"
  at=0
  while IFS= read -r name; do
    at=$((at + 1))
    printf 'puts back %s\n' "${name}" >&2
    replay_one "${at}" "${name}" </dev/null
    compare "${at}" "${name}" </dev/null
  done <"${list}"
}
