#!/bin/sh
# Made by lakewright from blueprint k3s, entry.sh.tera. Change that and build again: edits here are lost.
# Hands k3s the objects of what runs in it, and the secrets that they name, then becomes k3s.
set -eu

# Whatever lies in this folder is applied. It is in memory, so secrets do not stay on the volume as files.
manifests=/var/lib/rancher/k3s/server/manifests
cp /opt/lakewright/manifests/*.yaml "$manifests/"
chmod 0600 "$manifests"/*.yaml

secret() {
    object=$1
    shift
    echo ---
    kubectl create secret generic "$object" --namespace='lakehouse' "$@" --dry-run=client --output=yaml
}
(
    umask 077
    {
        secret 'airbyte-admin-client-id-v1' --from-file='value=/run/secrets/airbyte-admin-client-id'
        secret 'airbyte-admin-client-secret-v1' --from-file='value=/run/secrets/airbyte-admin-client-secret'
        secret 'airbyte-admin-password-v1' --from-file='value=/run/secrets/airbyte-admin-password'
        secret 'airbyte-jwt-signature-v1' --from-file='value=/run/secrets/airbyte-jwt-signature'
        secret 'minio-airbyte-storage-v1' --from-file='password=/run/secrets/minio-airbyte-storage' --from-literal='username=airbyte-storage'
        secret 'postgresql-airbyte-activity-v1' --from-file='password=/run/secrets/postgresql-airbyte-activity' --from-literal='username=airbyte_metrics'
        secret 'postgresql-airbyte-config-v1' --from-file='password=/run/secrets/postgresql-airbyte-config' --from-literal='username=airbyte'
        secret 'postgresql-airbyte-temporal-v1' --from-file='password=/run/secrets/postgresql-airbyte-temporal' --from-literal='username=airbyte_temporal'
        secret 'postgresql-airbyte-temporal-visibility-v1' --from-file='password=/run/secrets/postgresql-airbyte-temporal-visibility' --from-literal='username=airbyte_temporal_visibility'
    } > "$manifests/05-secrets.yaml"
)

# The password that this machine is known by in its cluster must outlive the container.
mkdir -p /etc/rancher /var/lib/rancher/k3s/node
ln -sfn /var/lib/rancher/k3s/node /etc/rancher/node

# As the first process: k3s then arranges the control groups of the container by itself.
exec /bin/k3s server \
    --node-name='k3s' \
    --cluster-cidr='10.214.0.0/16' \
    --service-cidr='10.215.0.0/16' \
    --service-node-port-range='7233-9187' \
    --flannel-backend=host-gw \
    --resolv-conf=/opt/lakewright/resolv.conf \
    --disable=traefik,servicelb,metrics-server \
    --disable-helm-controller \
    --write-kubeconfig-mode=0600
