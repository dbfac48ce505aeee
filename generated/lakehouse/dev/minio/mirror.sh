# shellcheck shell=sh disable=SC2312
# The mirror of a system that is too large to be copied as a whole: what is there now in current/, and what each copy replaced in
# replaced/COPY. Read by the scripts of its blueprint.

put() {
  sh "${BACKUP_PROGRAM:?}" put "$@"
}

get() {
  sh "${BACKUP_PROGRAM:?}" get "$@"
}

# open_mirror KEY: rclone's `mirror:`, encrypted with the key in a file.
open_mirror() {
  export RCLONE_CONFIG_MIRROR_TYPE=crypt RCLONE_CONFIG_MIRROR_REMOTE="${BACKUP_MIRROR:?}"
  RCLONE_CONFIG_MIRROR_PASSWORD=$(rclone obscure - <"$1")
  export RCLONE_CONFIG_MIRROR_PASSWORD
}

# Objects below a place, one in a line: size, time, path.
objects() {
  rclone lsf --recursive --files-only --format stp --separator '	' "$1" >"$2.unsorted" &&
    LC_ALL=C sort "$2.unsorted" >"$2" && rm "$2.unsorted"
}

# Folders of what copies replaced, oldest first.
replaced() {
  rclone lsf --dirs-only mirror:replaced 2>/dev/null | sed 's:/$::' | LC_ALL=C sort
}

# Where each object of the copy lies: it is what the first copy afterwards replaced, else what is there now. Writes the lines of
# what is wanted of each layer into a file of the layer's name in a folder, and fails if one is nowhere.
find_layers() {
  layers=${BACKUP_WORK:?}/layers
  wanted=${BACKUP_WORK}/wanted
  rm -rf "${layers}"
  mkdir "${layers}"
  # Also where nobody looks for failures but at the end.
  get objects >"${wanted}" || return 1
  cp "${wanted}" "${BACKUP_WORK}/left"
  for copy in $(replaced); do
    [ "$(printf '%s\n%s\n' "${copy}" "${BACKUP_ID:?}" | LC_ALL=C sort | tail -n 1)" = "${copy}" ] && [ "${copy}" != "${BACKUP_ID}" ] || continue
    objects "mirror:replaced/${copy}" "${BACKUP_WORK}/layer" || return 1
    LC_ALL=C comm -12 "${BACKUP_WORK}/left" "${BACKUP_WORK}/layer" >"${BACKUP_WORK}/here"
    [ -s "${BACKUP_WORK}/here" ] || continue
    cp "${BACKUP_WORK}/here" "${layers}/${copy}"
    LC_ALL=C comm -23 "${BACKUP_WORK}/left" "${BACKUP_WORK}/here" >"${BACKUP_WORK}/rest"
    mv "${BACKUP_WORK}/rest" "${BACKUP_WORK}/left"
  done
  objects mirror:current "${BACKUP_WORK}/layer" || return 1
  LC_ALL=C comm -12 "${BACKUP_WORK}/left" "${BACKUP_WORK}/layer" >"${layers}/current"
  LC_ALL=C comm -23 "${BACKUP_WORK}/left" "${BACKUP_WORK}/layer" >"${BACKUP_WORK}/missing"
  if [ -s "${BACKUP_WORK}/missing" ]; then
    printf '%s objects are missing in the mirror, among them:\n' "$(wc -l <"${BACKUP_WORK}/missing" | tr -d ' ')" >&2
    head -n 5 "${BACKUP_WORK}/missing" >&2
    return 1
  fi
}

# The place of a layer in the mirror.
place_of() {
  case "$1" in
    current) echo mirror:current ;;
    *) echo "mirror:replaced/$1" ;;
  esac
}

# update PLACE [OPTION…]: brings the mirror up to date, puts a list of it into the copy, and forgets what no copy needs: what was
# replaced before the oldest that is left was made.
update() {
  place=$1
  shift
  # An object is the same when size and time are. One that is written to meanwhile fails, and is there next time.
  rclone sync "$@" --backup-dir "mirror:replaced/${BACKUP_ID:?}" "${place}" mirror:current || return 1
  objects mirror:current "${BACKUP_WORK:?}/objects" || return 1
  put objects cat "${BACKUP_WORK}/objects" || return 1
  put mirror.key cat "${MIRROR_KEY:?}" || return 1
  if [ -n "${BACKUP_OLDEST:-}" ]; then
    for copy in $(replaced); do
      if [ "$(printf '%s\n%s\n' "${copy}" "${BACKUP_OLDEST}" | LC_ALL=C sort | head -n 1)" = "${copy}" ]; then
        rclone purge "mirror:replaced/${copy}" || return 1
      fi
    done
  fi
  awk -F '\t' '{ sum += $1 } END { printf "%d objects, %.0f bytes\n", NR, sum }' "${BACKUP_WORK}/objects" >&2
}

# fetch PLACE: copies everything of the copy there, after find_layers.
fetch() {
  for list in "${BACKUP_WORK:?}/layers"/*; do
    [ -s "${list}" ] || continue
    cut -f 3- "${list}" >"${BACKUP_WORK}/paths"
    from=$(place_of "$(basename "${list}")")
    rclone copy --files-from-raw "${BACKUP_WORK}/paths" "${from}" "$1" || return 1
  done
}
