# Made by lakewright from blueprint minio, backup/connect.sh.tera. Change that and build again: edits here are lost.
# shellcheck shell=sh
# The platform's store, as rclone's `lake:`. Read by the other scripts.
export RCLONE_CONFIG_LAKE_TYPE=s3 RCLONE_CONFIG_LAKE_PROVIDER=Minio RCLONE_CONFIG_LAKE_REGION=us-east-1
export RCLONE_CONFIG_LAKE_ENDPOINT=http://minio:9000
export RCLONE_CONFIG_LAKE_ACCESS_KEY_ID=root
RCLONE_CONFIG_LAKE_SECRET_ACCESS_KEY=$(cat /run/secrets/minio-root-password)
export RCLONE_CONFIG_LAKE_SECRET_ACCESS_KEY
# The key of the mirror, for a new copy; each copy brings the one that it was made with.
MIRROR_KEY=/run/secrets/minio-backup-mirror
export MIRROR_KEY
# Names of buckets that others copy, a line each; the first is nobody's, so that there is one.
LEFT_OUT='/
dremio-backups/
elasticsearch-snapshots/'
export LEFT_OUT
