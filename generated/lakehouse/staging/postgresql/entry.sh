#!/bin/sh
# Made by lakewright from blueprint postgresql, entry.sh.tera. Change that and build again: edits here are lost.
set -eu
# One of several members: what it is to do depends on its data and on the others.
exec perl /opt/lakewright/member.pl
