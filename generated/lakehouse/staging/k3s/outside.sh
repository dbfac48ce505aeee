#!/bin/sh
# Made by lakewright from blueprint k3s, outside.sh.tera. Change that and build again: edits here are lost.
# Finds the addresses of what lies outside the cluster and hands them to k3s, which applies the file again when it changed.
# The engine's names are unknown to pods, and its tasks get another address whenever they start.
set -eu

known=/var/lib/rancher/k3s/outside
manifests=/var/lib/rancher/k3s/server/manifests
mkdir -p "${known}"

# Prints the addresses behind names of the engine.
# Usage: resolve HOST...
resolve() {
    for host in "$@"; do
        # The resolver's own address comes before the first name. With a dot at its end a name is asked for as it is.
        nslookup -type=a "${host}." 2>/dev/null |
            sed -n '/^Name:/,$ s/^Address[ 0-9]*:[[:space:]]*\([0-9][0-9.]*[0-9]\)[[:space:]]*$/\1/p' || :
    done | sort -u
}

# Finds the addresses of a name and prints the object that says so. Where nobody answers, those stay that were known last.
# Usage: slice NAME PORTS HOST...
slice() {
    name=$1
    ports=$2
    shift 2
    found=$(resolve "$@")
    if [ -n "${found}" ] && [ "${found}" != "$(cat "${known}/${name}" 2>/dev/null)" ]; then
        echo "${found}" > "${known}/.new"
        mv "${known}/.new" "${known}/${name}"
        printf '%s is at %s\n' "${name}" "$(echo "${found}" | tr '\n' ' ')" >&2
    fi
    cat <<END
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${name}
  namespace: lakehouse
  labels:
    endpointslice.kubernetes.io/managed-by: lakewright
    kubernetes.io/service-name: ${name}
addressType: IPv4
ports: ${ports}
END
    if [ ! -s "${known}/${name}" ]; then
        echo 'endpoints: []'
        return
    fi
    echo 'endpoints:'
    while read -r address; do
        printf '  - addresses: ["%s"]\n    conditions: { ready: true }\n' "${address}"
    done < "${known}/${name}"
}

# A file that begins with a dot is not applied, and one that is renamed is never half there.
{
    :
    slice minio '[{ name: s3, port: 9000, protocol: TCP, appProtocol: http }]' minio-1 minio-2 minio-3
    slice minio-1 '[{ name: s3, port: 9000, protocol: TCP, appProtocol: http }]' minio-1
    slice minio-2 '[{ name: s3, port: 9000, protocol: TCP, appProtocol: http }]' minio-2
    slice minio-3 '[{ name: s3, port: 9000, protocol: TCP, appProtocol: http }]' minio-3
    slice postgresql-router '[{ name: sql, port: 5432, protocol: TCP, appProtocol: tcp }]' postgresql-router
} > "${manifests}/.25-addresses"
if cmp -s "${manifests}/.25-addresses" "${manifests}/25-addresses.yaml"; then
    rm "${manifests}/.25-addresses"
else
    chmod 0600 "${manifests}/.25-addresses"
    mv "${manifests}/.25-addresses" "${manifests}/25-addresses.yaml"
fi
