# Made by lakewright from blueprint postgresql, backup/connect.sh.tera. Change that and build again: edits here are lost.
# shellcheck shell=sh
# Connects as the superuser to whichever member takes writes. Read by the other scripts.
export PGHOST=postgresql-1,postgresql-2
export PGPORT=5432
export PGTARGETSESSIONATTRS=read-write
export PGUSER=postgres
export PGDATABASE=template1
export PGCONNECT_TIMEOUT=10
export PGAPPNAME=lakewright-backup
# The password goes into libpq's own file, in memory: neither the environment nor the arguments of a process show it.
# A colon or a backslash in it is escaped, as that file asks.
export PGPASSFILE="${BACKUP_WORK:?}/pgpass"
printf '*:*:*:postgres:' >"${PGPASSFILE}"
sed 's/[\\:]/\\&/g' /run/secrets/postgresql-superuser >>"${PGPASSFILE}"
