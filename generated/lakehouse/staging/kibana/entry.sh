#!/bin/bash
# Made by lakewright from blueprint kibana, entry.sh.tera. Change that and build again: edits here are lost.
# Starts Kibana. The image's own entrypoint is not used: it would turn settings into arguments, which every process sees.
set -euo pipefail
umask 077

# Letters and digits, as they are made: nothing to quote in YAML.
value() {
  local text
  text=$(<"$1")
  [[ ${text} =~ ^[A-Za-z0-9]+$ ]] || {
    printf 'entry: %s holds something else than letters and digits\n' "$1" >&2
    exit 1
  }
  printf '%s' "${text}"
}

{
  printf 'elasticsearch.password: "%s"\n' "$(value /run/secrets/elasticsearch-kibana-store)"
  printf 'xpack.encryptedSavedObjects.encryptionKey: "%s"\n' "$(value /run/secrets/kibana-saved-objects-key)"
  printf 'xpack.security.encryptionKey: "%s"\n' "$(value /run/secrets/kibana-session-key)"
  printf 'xpack.reporting.encryptionKey: "%s"\n' "$(value /run/secrets/kibana-reporting-key)"
} >/run/kibana/secrets.yml

export NODE_OPTIONS='--max-old-space-size=614'
exec /usr/share/kibana/bin/kibana --config /opt/lakewright/kibana.yml --config /run/kibana/secrets.yml
