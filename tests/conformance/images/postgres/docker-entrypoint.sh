#!/bin/bash
# What bundles rely on in the official image's entrypoint: users, *_FILE variables, first initialisation, hand-over.
set -euo pipefail
: "${PGDATA:?}"

if [[ "${1:-postgres}" == -* ]]; then
    set -- postgres "$@"
fi
if [[ "${1:-}" != postgres ]]; then
    exec "$@"
fi

for word in "$@"; do
    case "${word}" in
        -V|--version|--help|--describe-config) exec "$@" ;;
        *) ;;
    esac
done

# As root: give the data folder to the database user, then start again as that user.
if [[ "${EUID}" == 0 ]]; then
    mkdir -p "${PGDATA}" /var/run/postgresql
    find "${PGDATA}" /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    chmod 0700 "${PGDATA}"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
fi

# file_env NAME: the value of NAME or of the file that NAME_FILE names, never both.
file_env() {
    local name=$1 file_name="${1}_FILE"
    if [[ -n "${!name:-}" && -n "${!file_name:-}" ]]; then
        echo "error: both ${name} and ${file_name} are set (but are exclusive)" >&2
        exit 1
    fi
    local value=${!name:-${2:-}}
    if [[ -n "${!file_name:-}" ]]; then
        value=$(<"${!file_name}")
    fi
    export "${name}=${value}"
    unset "${file_name}"
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case "${file}" in
            *.sh)
                echo "running ${file}"
                if [[ -x "${file}" ]]; then
                    "${file}"
                else
                    # shellcheck disable=SC1090 # chosen by the user of the image
                    . "${file}"
                fi ;;
            *.sql) echo "running ${file}"; docker_process_sql --file "${file}" ;;
            *.sql.gz) echo "running ${file}"; gunzip -c "${file}" | docker_process_sql ;;
            *) ;;
        esac
    done
}

# The official name: init scripts that are sourced may call it.
docker_process_sql() {
    psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "${POSTGRES_USER:?}" --dbname "${POSTGRES_DB:?}" "$@"
}

if [[ ! -s "${PGDATA}/PG_VERSION" ]]; then
    mkdir -p "${PGDATA}"
    chmod 0700 "${PGDATA}" || true
    file_env POSTGRES_PASSWORD
    file_env POSTGRES_USER postgres
    file_env POSTGRES_DB "${POSTGRES_USER}"
    file_env POSTGRES_INITDB_ARGS
    : "${POSTGRES_USER:=}" "${POSTGRES_DB:=}" "${POSTGRES_INITDB_ARGS:=}"
    if [[ -z "${POSTGRES_PASSWORD}" && "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    read -r -a initdb_args <<<"${POSTGRES_INITDB_ARGS}"
    password_file=$(mktemp)
    printf '%s\n' "${POSTGRES_PASSWORD}" >"${password_file}"
    initdb --username="${POSTGRES_USER}" --pwfile="${password_file}" "${initdb_args[@]}"
    rm -f "${password_file}"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"${PGDATA}/pg_hba.conf"

    # Only on the socket: nobody may connect before initialisation is complete. The server's own arguments count here too.
    printf -v server_args '%q ' "${@:2}" -c listen_addresses= -p "${PGPORT:-5432}"
    pg_ctl -D "${PGDATA}" -o "${server_args}" -w start
    export PGHOST='' PGHOSTADDR=''
    if [[ "${POSTGRES_DB}" != postgres ]]; then
        psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "${POSTGRES_USER}" --dbname postgres \
            -v db="${POSTGRES_DB}" <<<'CREATE DATABASE :"db" ;'
    fi
    run_init_files
    pg_ctl -D "${PGDATA}" -m fast -w stop
    unset PGHOST PGHOSTADDR
    echo 'PostgreSQL init process complete; ready for start up.'
fi

exec "$@"
