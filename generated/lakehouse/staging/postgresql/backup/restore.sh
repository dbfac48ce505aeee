#!/bin/sh
# Puts a copy back into the platform's server, in place of what is there. Databases that the copy does not have stay.
set -eu
here=${0%/*}
# shellcheck source=/dev/null
. "${here}/connect.sh"
# shellcheck source=/dev/null
. "${here}/replay.sh"
replay
