#!/bin/sh
set -eu
case "${1:-minio}" in
    minio|silo) ;;
    *) set -- minio "$@" ;;
esac
exec "$@"
