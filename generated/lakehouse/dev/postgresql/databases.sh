#!/bin/sh
# Made by lakewright from blueprint postgresql, databases.sh.tera. Change that and build again: edits here are lost.
# Creates what the dependents need: a role and a database for each. Runs at every start and may run any number of times.
set -eu
umask 077

# All members, one of which takes writes.
export PGHOST=postgresql
export PGPORT=5432
export PGTARGETSESSIONATTRS=read-write
export PGUSER=postgres
export PGDATABASE=postgres
export PGCONNECT_TIMEOUT=10
export PGAPPNAME=lakewright-databases

# The password goes into libpq's own file, in memory: neither the environment nor the arguments of a process show it.
# A colon or a backslash in it is escaped, as that file asks.
export PGPASSFILE=/tmp/pgpass
printf '*:*:*:postgres:' >"${PGPASSFILE}"
sed 's/[\\:]/\\&/g' /run/secrets/postgresql-superuser >>"${PGPASSFILE}"

tries=60
until psql --no-psqlrc --no-password --quiet --command='' 2>/tmp/refused; do
  tries=$((tries - 1))
  if [ "${tries}" -eq 0 ]; then
    cat /tmp/refused >&2
    exit 1
  fi
  sleep 5
done

psql --no-psqlrc --no-password --quiet --file=/opt/lakewright/databases.sql
exec psql --no-psqlrc --no-password --quiet --file=/opt/lakewright/warehouse.sql
