#!/bin/sh
set -eu
case "${1:-}" in
    -*) set -- haproxy "$@" ;;
    *) ;;
esac
if [ "${1:-}" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi
exec "$@"
