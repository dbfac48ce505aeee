#!/bin/sh
# Made by lakewright from blueprint superset, init.sh.tera. Change that and build again: edits here are lost.
# Brings the metadata database to this version of Superset, then what the platform wants in it. Safe to run again.
set -eu

superset db upgrade
# Superset's own roles and permissions, as this version defines them.
superset init
exec python /opt/lakewright/init.py
