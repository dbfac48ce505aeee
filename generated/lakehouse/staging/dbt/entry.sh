#!/bin/sh
# Made by lakewright from blueprint dbt, entry.sh.tera. Change that and build again: edits here are lost.
# Runs dbt on a copy of the project, with the password of Dremio from its secret.
set -eu
umask 077

# dbt hides variables of this prefix from its logs; the profile alone may use them.
DBT_ENV_SECRET_DREMIO_PASSWORD="$(cat /run/secrets/dremio-dbt-engine)"
export DBT_ENV_SECRET_DREMIO_PASSWORD
cd /usr/app/dbt

case "$1" in
  build)
    # First whether the sources are fresh. What is built on stale data is built all the same, but the run then fails,
    # so that somebody looks.
    started="$(date +%s)"
    stale=0
    dbt source freshness || stale=$?
    built=0
    dbt build || built=$?
    # What is measured of a run never decides how it ends.
    python /opt/lakewright/metrics.py "${started}" "${stale}" "${built}" || printf 'dbt: the measurements of this run were not sent\n' >&2

    if [ "${built}" -ne 0 ]; then
      exit "${built}"
    fi
    if [ "${stale}" -ne 0 ]; then
      printf 'dbt: sources are stale or could not be checked (see above)\n' >&2
      exit "${stale}"
    fi
    ;;
  *)
    exec dbt "$@"
    ;;
esac
