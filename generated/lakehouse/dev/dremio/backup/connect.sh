# Made by lakewright from blueprint dremio, backup/connect.sh.tera. Change that and build again: edits here are lost.
# shellcheck shell=sh
# Where Dremio's coordinator is, and the bucket that it writes copies into as rclone's `lake:`. Read by the other scripts.
export DREMIO_VERSION=26.0.5 DREMIO_HOME=/opt/dremio DREMIO_DATA=/opt/dremio/data
export DREMIO_HOST=dremio DREMIO_PORT=9047
export DREMIO_USER=backup DREMIO_PASSWORD_FILE=/run/secrets/dremio-backup
# The folder of copies, which nobody else writes to, and where the coordinator keeps what all nodes share.
export BUCKET=dremio-backups FOLDER=copies DIST=dremioS3:///dremio/dremio
export S3_ENDPOINT=minio:9000 S3_ACCESS_KEY=dremio-storage S3_SECRET_FILE=/run/secrets/minio-dremio-storage
export RCLONE_CONFIG_LAKE_TYPE=s3 RCLONE_CONFIG_LAKE_PROVIDER=Minio RCLONE_CONFIG_LAKE_REGION=us-east-1
export RCLONE_CONFIG_LAKE_ENDPOINT=http://minio:9000
export RCLONE_CONFIG_LAKE_ACCESS_KEY_ID="${S3_ACCESS_KEY}"
RCLONE_CONFIG_LAKE_SECRET_ACCESS_KEY=$(cat "${S3_SECRET_FILE}")
export RCLONE_CONFIG_LAKE_SECRET_ACCESS_KEY RCLONE_CONFIG_LAKE_NO_CHECK_BUCKET=true
