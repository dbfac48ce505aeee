#!/bin/sh
# Made by lakewright from blueprint k3s, ready.sh.tera. Change that and build again: edits here are lost.
# Says whether the API answers, and whether all that should run in the cluster does.
set -eu

kubectl get --raw=/readyz > /dev/null
kubectl wait --namespace='lakehouse' --for=condition=Available --timeout=5s 'deployment/airbyte-cron' 'deployment/airbyte-exporter' 'deployment/airbyte-manifest-server' 'deployment/airbyte' 'deployment/airbyte-temporal' 'deployment/airbyte-worker' 'deployment/airbyte-workload-api-server' 'deployment/airbyte-workload-launcher' > /dev/null
