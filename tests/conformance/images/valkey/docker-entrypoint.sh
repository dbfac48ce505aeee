#!/bin/sh
set -eu
case "${1:-}" in
    -*|*.conf) set -- valkey-server "$@" ;;
    *) ;;
esac
# As root the server drops to its own user, as in the real image.
uid=$(id -u)
if [ "${1:-}" = valkey-server ] && [ "${uid}" = 0 ]; then
    find . \! -user valkey -exec chown valkey '{}' +
    exec setpriv --reuid=valkey --regid=valkey --clear-groups "$0" "$@"
fi
umask 0077
# Protected mode is compiled off in the real image; off here too, so that a missing password shows the same way.
if [ "${1:-}" = valkey-server ]; then
    shift
    exec valkey-server "$@" --protected-mode no
fi
exec "$@"
