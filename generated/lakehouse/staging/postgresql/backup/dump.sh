#!/bin/sh
# Makes a copy: the roles, then a dump of each database with what is in it at that moment.
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/connect.sh"

put() {
  sh "${BACKUP_PROGRAM:?}" put "$@"
}

# One session holds the moment: the dump and the count see the same rows.
dump() {
  number=$1
  database=$2
  questions=${BACKUP_WORK:?}/questions
  answers=${BACKUP_WORK}/answers
  rm -f "${questions}" "${answers}"
  mkfifo "${questions}" "${answers}"
  PGDATABASE="${database}" psql --no-psqlrc --no-password --quiet --tuples-only --no-align --field-separator='	' \
    --set=ON_ERROR_STOP=on --set=rows="${here}/rows.sql" <"${questions}" >"${answers}" &
  session=$!
  exec 7>"${questions}" 8<"${answers}"
  printf 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot();\n' >&7
  IFS= read -r snapshot <&8
  put "${number}.dump" pg_dump --no-password --format=custom --snapshot="${snapshot}" --dbname="${database}"
  printf '\\i :rows\n\\q\n' >&7
  exec 7>&-
  put "${number}.rows" cat <&8
  exec 8<&-
  wait "${session}"
}

put roles.sql pg_dumpall --globals-only --no-password
list=${BACKUP_WORK:?}/list
psql --no-psqlrc --no-password --tuples-only --no-align \
  --command="SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' ORDER BY 1" >"${list}"
put databases cat "${list}"
number=0
while IFS= read -r database; do
  number=$((number + 1))
  printf '%s\n' "${database}" >&2
  # Not from the list that is being read.
  dump "${number}" "${database}" </dev/null
done <"${list}"
