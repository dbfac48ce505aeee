# shellcheck shell=sh disable=SC2312
# Elasticsearch's snapshots: asking for them, and comparing what is there with what was copied. Read by the other scripts.

answer=${BACKUP_WORK:?}/answer

# request METHOD PATH [BODY]: leaves the answer in ${answer}; fails unless it is a good one. The password is in no argument.
request() {
  [ -e "${BACKUP_WORK}/curl" ] || {
    printf 'user = "elastic:'
    sed 's/["\\]/\\&/g' "${ELASTIC_PASSWORD_FILE:?}" | tr -d '\n'
    printf '"\n'
  } >"${BACKUP_WORK}/curl"
  told=$(printf '%s' "${3:-}" | curl --disable --config "${BACKUP_WORK}/curl" --silent --show-error --noproxy '*' \
    --connect-timeout 10 --max-time 39600 --keepalive-time 60 --header 'Content-Type: application/json' --request "$1" \
    --data-binary @- --output "${answer}" --write-out '%{http_code}' "${ELASTICSEARCH:?}$2") || return 1
  case "${told}" in
    2??) ;;
    404) return 4 ;;
    *)
      printf '%s %s: status %s: %s\n' "$1" "$2" "${told}" "$(head -c 500 "${answer}")" >&2
      return 1
      ;;
  esac
}

# A name as part of an address.
in_url() {
  printf '%s' "$1" | jq -sRr @uri
}

# repository NAME FOLDER READONLY: says where snapshots are.
repository() {
  request PUT "/_snapshot/$1" "$(jq -n --arg bucket "${BUCKET:?}" --arg folder "$2" --argjson readonly "$3" \
    '{type: "s3", settings: {client: "lakewright", bucket: $bucket, base_path: $folder, readonly: $readonly}}')"
}

# Documents by index, of all that are open: name, number.
documents() {
  request POST '/_refresh?expand_wildcards=open,hidden' &&
    request GET '/_cat/indices?format=json&h=index,docs.count&expand_wildcards=open,hidden' &&
    jq -r '.[] | [.index, .["docs.count"] // "0"] | @tsv' "${answer}" | LC_ALL=C sort
}

# What a snapshot has besides the indices of Elasticsearch's own features, from its description.
indices_of() {
  jq -r '.snapshots[0] | (.indices - [.feature_states[]?.indices[]]) | .[]' "$1" | LC_ALL=C sort
}

# What is asked for to have all of that back, as JSON: data streams bring their indices along.
names_of() {
  jq -c '.snapshots[0] | [.feature_states[]?.indices[]] as $own
    | [.data_streams[]?] + [(.indices - $own)[] | select(test("^[.][df]s-") | not)]' "$1"
}

# put_back REPOSITORY SNAPSHOT BODY: restores, and waits for it.
put_back() {
  request POST "/_snapshot/$1/$2/_restore?wait_for_completion=true" "$3" || return 1
  if [ "$(jq -r '.snapshot.shards | .failed == 0 and .successful == .total' "${answer}")" != true ]; then
    printf 'not every shard came back: %s\n' "$(jq -c '.snapshot.shards' "${answer}")" >&2
    return 1
  fi
}

# compare PREFIX: whether each index of the copy has as many documents as it had: those before the snapshot, those after it, or
# what lies between.
compare() {
  documents >"${BACKUP_WORK}/found" || return 1
  get counts >"${BACKUP_WORK}/counted" || return 1
  awk -F '\t' -v prefix="$1" '
    NR == FNR { found[$1] = $2; next }
    {
      least = $2 + 0 < $3 + 0 ? $2 : $3; most = $2 + 0 < $3 + 0 ? $3 : $2
      # What belongs to a data stream keeps the beginning of its name in front.
      name = prefix != "" && $1 ~ /^[.][df]s-/ ? substr($1, 1, 4) prefix substr($1, 5) : prefix $1
      if (!(name in found)) { print name " is not there"; bad = 1 }
      else if (found[name] + 0 < least + 0 || found[name] + 0 > most + 0) {
        print name " has " found[name] " documents, not " least (least == most ? "" : " to " most); bad = 1
      } else { sum += found[name]; number++ }
    }
    END { if (!bad) printf "%d indices, %d documents, as many as were copied\n", number, sum; exit bad }
  ' "${BACKUP_WORK}/found" "${BACKUP_WORK}/counted" >&2
}

# bring NAME: lays the copy out in the bucket, below a folder of this name, for a repository of this name that nobody writes to.
bring() {
  get mirror.key >"${BACKUP_WORK}/key" || return 1
  open_mirror "${BACKUP_WORK}/key"
  find_layers || return 1
  get snapshot >"${BACKUP_WORK}/snapshot" || return 1
  # What a run that was cut off has left.
  rclone purge "lake:${BUCKET:?}/$1" 2>/dev/null || :
  fetch "lake:${BUCKET}/$1" || return 1
  repository "$1" "$1" true || return 1
  name=$(jq -r '.snapshots[0].snapshot' "${BACKUP_WORK}/snapshot")
  request GET "/_snapshot/$1/${name}" || return 1
  if [ "$(jq -r '.snapshots[0].state' "${answer}")" != SUCCESS ]; then
    printf '%s is not whole\n' "${name}" >&2
    return 1
  fi
}

# forget NAME: takes what bring has made away again.
forget() {
  request DELETE "/_snapshot/$1" || [ "$?" -eq 4 ]
  rclone purge "lake:${BUCKET:?}/$1" 2>/dev/null || :
}

# delete PREFIX: data streams and indices of the copy, as far as they are there.
delete() {
  jq -r '.snapshots[0].data_streams[]?' "${BACKUP_WORK}/snapshot" >"${BACKUP_WORK}/streams"
  while IFS= read -r name; do
    request DELETE "/_data_stream/$(in_url "$1${name}")" || [ "$?" -eq 4 ] || return 1
  done <"${BACKUP_WORK}/streams"
  indices_of "${BACKUP_WORK}/snapshot" >"${BACKUP_WORK}/indices"
  while IFS= read -r name; do
    case "${name}" in
      # Gone with its data stream.
      .[df]s-*) continue ;;
      *) name=$1${name} ;;
    esac
    request DELETE "/$(in_url "${name}")" || [ "$?" -eq 4 ] || return 1
  done <"${BACKUP_WORK}/indices"
}
