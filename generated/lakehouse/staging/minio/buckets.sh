#!/bin/sh
# Made by lakewright from blueprint minio, buckets.sh.tera. Change that and build again: edits here are lost.
# Creates the lake's buckets, the buckets of the dependents, and a user with a policy of its own for each dependent.
# Runs at every start and may run any number of times; nothing is ever removed. The image has a shell, coreutils, curl and
# the client, and no more.
set -eu
umask 077

endpoint=http://minio:9000
# The client's configuration is in memory and goes with the container.
export MC_CONFIG_DIR=/tmp/mc
export MC_NO_COLOR=1
mkdir -p "${MC_CONFIG_DIR}"

tries=60
# 200 only when enough drives are there for writes.
until curl --silent --fail --output /dev/null --max-time 5 "${endpoint}/minio/health/cluster"; do
  tries=$((tries - 1))
  if [ "${tries}" -eq 0 ]; then
    printf '%s: no quorum for writes\n' "${endpoint}" >&2
    exit 1
  fi
  sleep 5
done

# The first line of a secret's file. Read by the shell itself, so that no process has it among its arguments.
secret() {
  value=
  IFS= read -r value <"$1" || [ -n "${value}" ] || {
    printf '%s: empty or missing\n' "$1" >&2
    return 1
  }
}

# Keys come through standard input, never as arguments.
secret /run/secrets/minio-root-password
printf '%s\n%s\n' root "${value}" | mc --quiet alias set lake "${endpoint}" >/dev/null

# Replaces the rules of a bucket as a whole; adding them one by one would double them at every run.
cat >/tmp/lifecycle.json <<'JSON'
{
  "Rules": [
    {
      "ID": "lakewright-noncurrent",
      "Status": "Enabled",
      "Expiration": { "ExpiredObjectDeleteMarker": true },
      "NoncurrentVersionExpiration": { "NoncurrentDays": 30 }
    }
  ]
}
JSON

# Whoever collects metrics: may read them, and nothing else.
cat >/tmp/policy.json <<'JSON'
{ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": ["admin:Prometheus"] }] }
JSON
secret /run/secrets/minio-metrics
printf '%s\n%s\n' metrics "${value}" | mc --quiet admin user add lake >/dev/null
mc --quiet admin policy create lake metrics /tmp/policy.json >/dev/null
mc --quiet admin policy attach lake metrics --user metrics >/dev/null

# What people may do, by their role. Admins may do what the built-in `consoleAdmin` may; Viewers see no objects.
engineer='{
  "Effect": "Allow",
  "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
  "Resource": ["arn:aws:s3:::bronze", "arn:aws:s3:::silver", "arn:aws:s3:::gold"]
}, {
  "Effect": "Allow",
  "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
  "Resource": ["arn:aws:s3:::bronze/*", "arn:aws:s3:::silver/*", "arn:aws:s3:::gold/*"]
}'
analyst='{ "Effect": "Allow", "Action": ["s3:GetBucketLocation", "s3:ListBucket"], "Resource": ["arn:aws:s3:::gold"] }, { "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::gold/*"] }'

# policy NAME STATEMENT...
policy() {
  name=$1
  shift
  statements=$1
  shift
  for statement in "$@"; do
    statements="${statements}, ${statement}"
  done
  printf '{ "Version": "2012-10-17", "Statement": [%s] }\n' "${statements}" >/tmp/policy.json
  mc --quiet admin policy create lake "${name}" /tmp/policy.json >/dev/null
}

policy lake-engineer "${engineer}"
policy lake-analyst "${analyst}"

mc --quiet mb --ignore-existing --region us-east-1 lake/bronze
mc --quiet encrypt set sse-s3 lake/bronze
mc --quiet version enable lake/bronze
mc --quiet ilm rule import lake/bronze </tmp/lifecycle.json

mc --quiet mb --ignore-existing --region us-east-1 lake/silver
mc --quiet encrypt set sse-s3 lake/silver
mc --quiet version enable lake/silver
mc --quiet ilm rule import lake/silver </tmp/lifecycle.json

mc --quiet mb --ignore-existing --region us-east-1 lake/gold
mc --quiet encrypt set sse-s3 lake/gold
mc --quiet version enable lake/gold
mc --quiet ilm rule import lake/gold </tmp/lifecycle.json


# airbyte, lake
secret /run/secrets/minio-airbyte-lake
printf '%s\n%s\n' airbyte-lake "${value}" | mc --quiet admin user add lake >/dev/null
cat >/tmp/policy.json <<'JSON'
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ["arn:aws:s3:::bronze", "arn:aws:s3:::silver", "arn:aws:s3:::gold"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
      "Resource": ["arn:aws:s3:::bronze/*", "arn:aws:s3:::silver/*", "arn:aws:s3:::gold/*"]
    }
  ]
}
JSON
mc --quiet admin policy create lake airbyte-lake /tmp/policy.json >/dev/null
mc --quiet admin policy attach lake airbyte-lake --user airbyte-lake >/dev/null
printf 'user %s: ready\n' airbyte-lake


# airbyte, storage
mc --quiet mb --ignore-existing --region us-east-1 lake/airbyte-logs
mc --quiet encrypt set sse-s3 lake/airbyte-logs
mc --quiet mb --ignore-existing --region us-east-1 lake/airbyte-state
mc --quiet encrypt set sse-s3 lake/airbyte-state
mc --quiet mb --ignore-existing --region us-east-1 lake/airbyte-workload-output
mc --quiet encrypt set sse-s3 lake/airbyte-workload-output
mc --quiet mb --ignore-existing --region us-east-1 lake/airbyte-activity-payload
mc --quiet encrypt set sse-s3 lake/airbyte-activity-payload
mc --quiet mb --ignore-existing --region us-east-1 lake/airbyte-audit
mc --quiet encrypt set sse-s3 lake/airbyte-audit
secret /run/secrets/minio-airbyte-storage
printf '%s\n%s\n' airbyte-storage "${value}" | mc --quiet admin user add lake >/dev/null
cat >/tmp/policy.json <<'JSON'
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ["arn:aws:s3:::airbyte-logs", "arn:aws:s3:::airbyte-state", "arn:aws:s3:::airbyte-workload-output", "arn:aws:s3:::airbyte-activity-payload", "arn:aws:s3:::airbyte-audit"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
      "Resource": ["arn:aws:s3:::airbyte-logs/*", "arn:aws:s3:::airbyte-state/*", "arn:aws:s3:::airbyte-workload-output/*", "arn:aws:s3:::airbyte-activity-payload/*", "arn:aws:s3:::airbyte-audit/*"]
    }
  ]
}
JSON
mc --quiet admin policy create lake airbyte-storage /tmp/policy.json >/dev/null
mc --quiet admin policy attach lake airbyte-storage --user airbyte-storage >/dev/null
printf 'user %s: ready\n' airbyte-storage


# dremio, storage
mc --quiet mb --ignore-existing --region us-east-1 lake/dremio
mc --quiet encrypt set sse-s3 lake/dremio
mc --quiet mb --ignore-existing --region us-east-1 lake/dremio-backups
mc --quiet encrypt set sse-s3 lake/dremio-backups
secret /run/secrets/minio-dremio-storage
printf '%s\n%s\n' dremio-storage "${value}" | mc --quiet admin user add lake >/dev/null
cat >/tmp/policy.json <<'JSON'
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ["arn:aws:s3:::dremio", "arn:aws:s3:::dremio-backups"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
      "Resource": ["arn:aws:s3:::dremio/*", "arn:aws:s3:::dremio-backups/*"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ["arn:aws:s3:::bronze", "arn:aws:s3:::silver", "arn:aws:s3:::gold"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
      "Resource": ["arn:aws:s3:::bronze/*", "arn:aws:s3:::silver/*", "arn:aws:s3:::gold/*"]
    }
  ]
}
JSON
mc --quiet admin policy create lake dremio-storage /tmp/policy.json >/dev/null
mc --quiet admin policy attach lake dremio-storage --user dremio-storage >/dev/null
printf 'user %s: ready\n' dremio-storage


# elasticsearch, snapshots
mc --quiet mb --ignore-existing --region us-east-1 lake/elasticsearch-snapshots
mc --quiet encrypt set sse-s3 lake/elasticsearch-snapshots
secret /run/secrets/minio-elasticsearch-snapshots
printf '%s\n%s\n' elasticsearch-snapshots "${value}" | mc --quiet admin user add lake >/dev/null
cat >/tmp/policy.json <<'JSON'
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ["arn:aws:s3:::elasticsearch-snapshots"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
      "Resource": ["arn:aws:s3:::elasticsearch-snapshots/*"]
    }
  ]
}
JSON
mc --quiet admin policy create lake elasticsearch-snapshots /tmp/policy.json >/dev/null
mc --quiet admin policy attach lake elasticsearch-snapshots --user elasticsearch-snapshots >/dev/null
printf 'user %s: ready\n' elasticsearch-snapshots

