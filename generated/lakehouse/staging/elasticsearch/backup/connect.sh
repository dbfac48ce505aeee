# Made by lakewright from blueprint elasticsearch, backup/connect.sh.tera. Change that and build again: edits here are lost.
# shellcheck shell=sh
# Where Elasticsearch is, and the bucket of its snapshots as rclone's `lake:`. Read by the other scripts.
export ELASTICSEARCH=http://elasticsearch:9200
export ELASTIC_PASSWORD_FILE=/run/secrets/elasticsearch-elastic
export BUCKET=elasticsearch-snapshots
export RCLONE_CONFIG_LAKE_TYPE=s3 RCLONE_CONFIG_LAKE_PROVIDER=Minio RCLONE_CONFIG_LAKE_REGION=us-east-1
export RCLONE_CONFIG_LAKE_ENDPOINT=http://minio:9000
export RCLONE_CONFIG_LAKE_ACCESS_KEY_ID=elasticsearch-snapshots
RCLONE_CONFIG_LAKE_SECRET_ACCESS_KEY=$(cat /run/secrets/minio-elasticsearch-snapshots)
export RCLONE_CONFIG_LAKE_SECRET_ACCESS_KEY RCLONE_CONFIG_LAKE_NO_CHECK_BUCKET=true
# The key of the mirror, for a new copy; each copy brings the one that it was made with.
MIRROR_KEY=/run/secrets/elasticsearch-backup-mirror
export MIRROR_KEY
