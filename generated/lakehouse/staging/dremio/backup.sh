#!/bin/sh
# Backs a component up, restores it, and proves that it can. What is special about a system is in three scripts beside this
# one (dump.sh, restore.sh, drill.sh); everything that must not go wrong is here, and the same for all.
#
# A copy is a folder below copies/, named after its time. It is made below partial/ and renamed when it is complete and on
# disk, so whatever is in copies/ is whole. Nothing depends on a list: the catalogue is written from the folders each time.
#
# Functions are called in conditions on purpose: each says by its status how it went.
# shellcheck disable=SC2310,SC2311,SC2312
set -eu
umask 077
LC_ALL=C
export LC_ALL

usage() {
  cat <<'END'
Usage: backup.sh run [--dry-run]
       backup.sh restore [COPY] [--from local|offsite] [--dry-run]
       backup.sh drill [COPY] [--from local|offsite]
       backup.sh verify [COPY|all] [--from local|offsite]
       backup.sh list [--from local|offsite]
       backup.sh newest
  run       make a copy, send it off site, and delete those that no generation keeps
  restore   put a copy back; the newest that is whole unless one is named
  drill     put a copy back into a scratch place, and look whether all of it is there
  verify    compare copies with their checksums
  list      list copies, newest last
  newest    print the name of the newest copy
  COPY      its name or the beginning of it, as list shows it: 20261123T020000Z
  --from    where copies are taken from; here unless given, off site where there is none here
  --dry-run say what would be done

Exit status: 0 done; 1 failed; 2 wrong usage; 3 another run is under way; 4 there is no such copy, or none that is whole;
5 a copy was made and is good, but is not off site.
END
}

component=${BACKUP_COMPONENT:?}
folder=${BACKUP_FOLDER:-/backup}
scripts=${BACKUP_SCRIPTS:-/opt/lakewright/backup}
offsite=${BACKUP_OFFSITE:-}
copies=${folder}/copies
partial=${folder}/partial
state=${folder}/state
work=''

log() {
  level=$1
  shift
  printf '%s %s backup %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${level}" "${component}" "$*" >&2
}

fail() {
  log ERROR "$@"
  return 1
}

# Whether one name of a copy comes before another: their order is that of time.
comes_before() {
  [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort | head -n 1)" = "$1" ]
}

wrong() {
  printf 'backup.sh: %s\nTry backup.sh --help.\n' "$1" >&2
  exit 2
}

# --- one stream of a copy: dump.sh puts, restore.sh and drill.sh get

# put NAME COMMAND…: what the command writes becomes a file of the copy, encrypted. Both ends of the pipe must end well: the
# mark is made by whoever was not killed.
put() {
  name=$1
  shift
  mark=${BACKUP_WORK:?}/put
  rm -f "${mark}"
  file=${BACKUP_COPY:?}/${name}
  if [ -n "${BACKUP_RECIPIENTS:-}" ]; then
    set -f
    recipients=''
    for recipient in ${BACKUP_RECIPIENTS}; do
      recipients="${recipients} --recipient ${recipient}"
    done
    # shellcheck disable=SC2086 # words, each an option or a public key
    { "$@" && : >"${mark}"; } | age --encrypt ${recipients} >"${file}.age" || return 1
    set +f
  else
    { "$@" && : >"${mark}"; } | cat >"${file}" || return 1
  fi
  [ -e "${mark}" ] || fail "${name}: $1 failed"
}

# get NAME [COMMAND…]: hands a file of the copy to the command, decrypted.
get() {
  name=$1
  shift
  [ "$#" -gt 0 ] || set -- cat
  mark=${BACKUP_WORK:?}/got
  rm -f "${mark}"
  file=${BACKUP_COPY:?}/${name}
  if [ -e "${file}.age" ]; then
    [ -r "${BACKUP_IDENTITY:-}" ] || fail 'no key to decrypt with: put it into the secret backup-identity' || return 1
    { age --decrypt --identity "${BACKUP_IDENTITY}" "${file}.age" && : >"${mark}"; } | "$@" || return 1
  else
    { cat "${file}" && : >"${mark}"; } | "$@" || return 1
  fi
  [ -e "${mark}" ] || fail "${name}: cannot be decrypted"
}

case "${1:-}" in
  put | get)
    "$@"
    exit
    ;;
  *) ;;
esac

# --- what is known of copies

size_of() {
  stat -c %s "$1" 2>/dev/null || echo -1
}

field() {
  sed -n "s/^$2 //p" "$1/manifest" 2>/dev/null | head -n 1
}

# A manifest ends with the checksum of what stands before, so that one which was cut off is none.
manifest_is_whole() {
  [ -s "$1/manifest" ] || return 1
  told=$(tail -n 1 "$1/manifest" | sed -n 's/^end //p')
  [ -n "${told}" ] && [ "${told}" = "$(sed '$d' "$1/manifest" | sha256sum | cut -d ' ' -f 1)" ]
}

# Whether a copy is one by its looks: every file is there, with its size, and nobody found it damaged.
is_good() {
  [ ! -e "$1/damaged" ] && manifest_is_whole "$1" || return 1
  sed -n 's/^file //p' "$1/manifest" | while read -r _ bytes path; do
    [ "$(size_of "$1/${path}")" = "${bytes}" ] || exit 1
  done
}

# Whether every byte of it is what it was.
is_intact() {
  manifest_is_whole "$1" || return 1
  sed -n 's/^file \([0-9a-f]*\) [0-9]* \(.*\)$/\1  \2/p' "$1/manifest" |
    (cd "$1" && sha256sum --check --strict --quiet - >/dev/null 2>&1)
}

# Copies here that are good, oldest first.
good() {
  for copy in "${copies}"/*; do
    if [ -d "${copy}" ] && is_good "${copy}"; then
      basename "${copy}"
    fi
  done
}

newest() {
  good | tail -n 1
}

# Copies off site that were sent completely, oldest first: the manifest goes last.
good_offsite() {
  rclone lsf --recursive --files-only --include '/*/manifest' "${offsite}/copies" >"${work}/sent" 2>"${work}/rclone" || {
    # A folder that is not there yet is empty.
    grep -q 'directory not found' "${work}/rclone" || {
      cat "${work}/rclone" >&2
      return 1
    }
  }
  sed -n 's:/manifest$::p' "${work}/sent" | sort
}

bytes_of() {
  sed -n 's/^file //p' "$1/manifest" 2>/dev/null | awk '{ sum += $2 } END { printf "%.0f\n", sum }'
}

# --- what is kept of runs

# replace NEW FILE: puts a file that was written elsewhere in the place of another, whole or not at all.
replace() {
  if cp "$1" "$2.new" && mv "$2.new" "$2"; then
    return 0
  fi
  rm -f "$2.new"
  return 1
}

remember() {
  printf '%s\n' "$2" >"${work}/state" && replace "${work}/state" "${state}/$1"
}

recall() {
  cat "${state}/$1" 2>/dev/null || :
}

catalogue() {
  {
    printf '# copy\tmade\tbytes\toff site\tproved\tstate\n'
    for copy in "${copies}"/*; do
      [ -d "${copy}" ] || continue
      how=good
      is_good "${copy}" || how=damaged
      sent=no
      [ ! -e "${copy}/sent" ] || sent=yes
      proved=$(cat "${copy}/proved" 2>/dev/null || echo -)
      printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$(basename "${copy}")" "$(field "${copy}" ended)" "$(bytes_of "${copy}")" \
        "${sent}" "${proved}" "${how}"
    done
  } >"${work}/catalogue" && replace "${work}/catalogue" "${folder}/catalogue"
}

metric() {
  [ -n "$2" ] || return 0
  printf '# TYPE %s gauge\n%s %s\n' "$1" "$1" "$2"
}

# Written from what is on disk, so that a failed run does not make the last good one forgotten.
measure() {
  good >"${work}/good"
  last=$(tail -n 1 "${work}/good")
  before=$(tail -n 2 "${work}/good" | head -n 1)
  oldest=$(head -n 1 "${work}/good")
  metric backup_last_run_timestamp_seconds "$(recall run.ended)"
  metric backup_last_run_success "$(recall run.success)"
  metric backup_last_run_duration_seconds "$(recall run.seconds)"
  metric backup_copies "$(wc -l <"${work}/good" | tr -d ' ')"
  if [ -n "${last}" ]; then
    metric backup_last_success_timestamp_seconds "$(field "${copies}/${last}" seconds)"
    metric backup_last_success_size_bytes "$(bytes_of "${copies}/${last}")"
  fi
  if [ "${before}" != "${last}" ]; then
    metric backup_previous_size_bytes "$(bytes_of "${copies}/${before}")"
  fi
  metric backup_recovery_point_seconds "${BACKUP_RECOVERY_POINT:-}"
  if [ -n "${offsite}" ]; then
    metric backup_offsite_last_success_timestamp_seconds "$(recall offsite.seconds)"
    metric backup_offsite_last_run_success "$(recall offsite.success)"
  fi
  if [ -n "${BACKUP_DRILL_WITHIN:-}" ]; then
    metric backup_drill_within_seconds "${BACKUP_DRILL_WITHIN}"
    proved=$(recall drill.seconds)
    if [ -z "${proved}" ] && [ -n "${oldest}" ]; then
      proved=$(field "${copies}/${oldest}" seconds)
    fi
    metric backup_drill_last_success_timestamp_seconds "${proved}"
    metric backup_drill_last_run_success "$(recall drill.success)"
    metric backup_drill_last_run_duration_seconds "$(recall drill.took)"
    metric backup_recovery_time_seconds "${BACKUP_RECOVERY_TIME:-}"
  fi
}

# What was measured before stays when there is no room for more: a file is only replaced by a whole one.
metrics() {
  measure >"${work}/metrics" && replace "${work}/metrics" "${folder}/metrics.prom" || return 1
  if [ -n "${BACKUP_PUSH:-}" ]; then
    curl --silent --show-error --fail --max-time 20 --output /dev/null --upload-file "${folder}/metrics.prom" "${BACKUP_PUSH}" ||
      log WARNING 'the measurements were not taken; they are in metrics.prom'
  fi
}

# What is measured and listed never decides how a run ends.
publish() {
  catalogue || log WARNING 'the catalogue could not be written; it is made from the copies again next time'
  metrics || log WARNING 'the measurements could not be written'
}

# --- generations

# Reads "copy day week month" lines, oldest first, and prints the copies that no generation keeps: the newest copy of each of
# the last days, weeks and months that have one is kept, and all of the newest day. Ages are never looked at: while no copies
# are made none is deleted, and a clock that was wrong for a while deletes nothing either.
surplus() {
  sort -r | awk -v days="${BACKUP_KEEP_DAYS:?}" -v weeks="${BACKUP_KEEP_WEEKS:?}" -v months="${BACKUP_KEEP_MONTHS:?}" '
    {
      if (NR == 1) newest = $2
      keep = $2 == newest
      if (!($2 in day) && d < days) { day[$2]; d++; keep = 1 }
      if (!($3 in week) && w < weeks) { week[$3]; w++; keep = 1 }
      if (!($4 in month) && m < months) { month[$4]; m++; keep = 1 }
      if (!keep) print $1
    }'
}

slots() {
  printf '%s %s %s %s\n' "$1" "$(field "$2" day)" "$(field "$2" week)" "$(field "$2" month)"
}

forget_here() {
  last=$(newest)
  # Nothing goes unless something newer is known to be good, to the last byte.
  if [ -z "${last}" ] || ! is_intact "${copies}/${last}"; then
    fail 'the newest copy is damaged: none is deleted' || return 1
  fi
  for copy in $(good); do
    slots "${copy}" "${copies}/${copy}"
  done | surplus >"${work}/surplus"
  for copy in "${copies}"/*; do
    if [ -d "${copy}" ] && ! is_good "${copy}" && comes_before "$(basename "${copy}")" "${last}"; then
      basename "${copy}" >>"${work}/surplus"
    fi
  done
  while read -r copy; do
    if [ -n "${dry}" ]; then
      log INFO "would delete ${copy}"
      continue
    fi
    log INFO "deletes ${copy}"
    { mv "${copies}/${copy}" "${partial}/${copy}.gone" && rm -rf "${partial}/${copy}.gone"; } || return 1
  done <"${work}/surplus"
}

forget_offsite() {
  good_offsite >"${work}/there" || return 1
  last=$(tail -n 1 "${work}/there")
  # The newest one that is here must have arrived there; till then everything stays.
  [ -n "${last}" ] && [ "${last}" = "$(newest)" ] || return 0
  while read -r copy; do
    mkdir -p "${work}/manifests/${copy}"
    if manifest_is_whole "${copies}/${copy}"; then
      slots "${copy}" "${copies}/${copy}"
    else
      rclone cat "${offsite}/copies/${copy}/manifest" >"${work}/manifests/${copy}/manifest" || return 1
      slots "${copy}" "${work}/manifests/${copy}"
    fi
  done <"${work}/there" >"${work}/slots"
  surplus <"${work}/slots" >"${work}/surplus"
  # What was sent half, and is not the newest: the manifest is missing.
  rclone lsf --dirs-only "${offsite}/copies" | sed 's:/$::' | sort >"${work}/folders" || return 1
  comm -23 "${work}/folders" "${work}/there" | awk -v last="${last}" '$0 < last' >>"${work}/surplus"
  while read -r copy; do
    log INFO "deletes ${copy} off site"
    # Without its manifest it is no copy any more, however far this gets.
    rclone deletefile "${offsite}/copies/${copy}/manifest" 2>/dev/null || :
    rclone purge "${offsite}/copies/${copy}" || return 1
  done <"${work}/surplus"
}

# --- off site

send() {
  copy=$1
  # The manifest goes last; what is remembered of a copy here stays here.
  set -- --exclude /manifest --exclude /sent --exclude /proved --exclude /damaged "${copies}/${copy}" "${offsite}/copies/${copy}"
  rclone copy "$@" || return 1
  if ! rclone check --one-way "$@" >/dev/null 2>"${work}/check"; then
    cat "${work}/check" >&2
    return 1
  fi
  rclone copyto "${copies}/${copy}/manifest" "${offsite}/copies/${copy}/manifest" || return 1
  : >"${copies}/${copy}/sent"
  log INFO "${copy} is off site"
}

send_all() {
  for copy in $(good); do
    if [ ! -e "${copies}/${copy}/sent" ]; then
      if ! is_intact "${copies}/${copy}"; then
        : >"${copies}/${copy}/damaged"
        log ERROR "${copy} is damaged, and not sent"
        continue
      fi
      send "${copy}" || return 1
    fi
  done
}

# --- choosing a copy

# Prints the folder of a copy that was compared with its checksums; fetches it if it is not here.
choose() {
  wanted=$1
  from=$2
  if [ "${from}" != offsite ]; then
    for copy in $(good | sort -r); do
      case "${copy}" in
        "${wanted}"*) ;;
        *) continue ;;
      esac
      if is_intact "${copies}/${copy}"; then
        echo "${copies}/${copy}"
        return 0
      fi
      : >"${copies}/${copy}/damaged"
      log ERROR "${copy} is damaged here"
    done
  fi
  if [ "${from}" != local ] && [ -n "${offsite}" ]; then
    for copy in $(good_offsite | sort -r); do
      case "${copy}" in
        "${wanted}"*) ;;
        *) continue ;;
      esac
      log INFO "fetches ${copy} from off site"
      rm -rf "${partial:?}/${copy}"
      rclone copy "${offsite}/copies/${copy}" "${partial}/${copy}" || return 1
      if is_intact "${partial}/${copy}"; then
        echo "${partial}/${copy}"
        return 0
      fi
      log ERROR "${copy} is damaged off site"
    done
  fi
  log ERROR "there is no copy${wanted:+ ${wanted}} that is whole"
  return 4
}

# --- commands

one_at_a_time() {
  mkdir -p "${copies}" "${partial}" "${state}"
  exec 9>"${folder}/lock"
  if ! flock --nonblock 9; then
    log WARNING 'another run is under way'
    exit 3
  fi
  # What a run that was cut off has left. Only whoever has the lock may clear it away.
  rm -rf "${partial:?}"/* "${folder}"/*.new "${state}"/*.new
  if [ "$(recall run.state)" = running ]; then
    log WARNING 'the run before this one was cut off'
  fi
}

workplace() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/backup.XXXXXX")
  trap 'rm -rf "${work}"' EXIT
  trap 'exit 1' HUP INT TERM
  export BACKUP_WORK="${work}" BACKUP_PROGRAM="$0"
}

# The account of the store, and the mirror that systems keep which are too large to be copied as a whole.
stores() {
  if [ -n "${offsite}" ]; then
    RCLONE_CONFIG_OFFSITE_SECRET_ACCESS_KEY=$(cat "${BACKUP_STORE_SECRET:?}")
    export RCLONE_CONFIG_OFFSITE_SECRET_ACCESS_KEY
  fi
  export RCLONE_CONFIG="${work}/rclone.conf" RCLONE_RETRIES="${RCLONE_RETRIES:-3}" RCLONE_LOW_LEVEL_RETRIES="${RCLONE_LOW_LEVEL_RETRIES:-3}" RCLONE_STATS=0 \
    RCLONE_CONTIMEOUT="${RCLONE_CONTIMEOUT:-15s}" RCLONE_TIMEOUT="${RCLONE_TIMEOUT:-120s}"
  # Little at a time: the job's memory is small.
  export RCLONE_TRANSFERS="${RCLONE_TRANSFERS:-2}" RCLONE_CHECKERS=4 RCLONE_BUFFER_SIZE=4M RCLONE_S3_UPLOAD_CONCURRENCY=2
  : >"${RCLONE_CONFIG}"
  BACKUP_MIRROR=${offsite:-${folder}}/mirror
  export BACKUP_MIRROR
}

make_copy() {
  BACKUP_COPY=${partial}/${id}
  BACKUP_ID=${id}
  BACKUP_OLDEST=$(good | head -n 1)
  export BACKUP_COPY BACKUP_ID BACKUP_OLDEST
  mkdir "${BACKUP_COPY}" || return 1
  sh "${scripts}/dump.sh" || fail 'dump.sh failed: nothing was kept of it' || return 1
  (
    printf 'lakewright-backup 1\ncomponent %s\nstarted %s\n' "${component}" "$(date -u -d "@${began}" +%Y-%m-%dT%H:%M:%SZ)"
    date -u -d "@${began}" '+day %Y%m%d%nweek %GW%V%nmonth %Y%m'
    date -u '+ended %Y-%m-%dT%H:%M:%SZ%nseconds %s'
    cd "${BACKUP_COPY}" || exit 1
    # To the disk first: what is summed up must be what is there.
    find . -type f -exec sync {} + || exit 1
    find . -type f -printf '%P\n' | sort | while read -r path; do
      sum=$(sha256sum "${path}" | cut -d ' ' -f 1)
      bytes=$(size_of "${path}")
      [ "${bytes}" -gt 0 ] && [ "${#sum}" -eq 64 ] || exit 1
      printf 'file %s %s %s\n' "${sum}" "${bytes}" "${path}" || exit 1
    done
  ) >"${work}/manifest" || fail 'the checksums could not be made' || return 1
  grep -q '^file ' "${work}/manifest" || fail 'dump.sh made nothing' || return 1
  { cat "${work}/manifest"; printf 'end %s\n' "$(sha256sum <"${work}/manifest" | cut -d ' ' -f 1)"; } >"${BACKUP_COPY}/manifest" ||
    fail 'the manifest could not be written' || return 1
  is_intact "${BACKUP_COPY}" || fail 'what was read back is not what was written' || return 1
  sync "${BACKUP_COPY}/manifest" "${BACKUP_COPY}" || return 1
  mv "${BACKUP_COPY}" "${copies}/${id}" && sync "${copies}" "${partial}"
}

run() {
  one_at_a_time
  workplace
  stores
  began=$(date +%s)
  # Names never go back, also when the clock does: the order of copies is that of their names.
  last=$(find "${copies}" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | tail -n 1)
  id=$(date -u -d "@${began}" +%Y%m%dT%H%M%SZ)
  if [ -n "${last}" ] && ! comes_before "${last}" "${id}"; then
    log WARNING "the clock says ${id}, and there is ${last} already"
    id=$(date -u -d "$(printf '%s' "${last}" | sed 's/^\(....\)\(..\)\(..\)T\(..\)\(..\)\(..\)Z$/\1-\2-\3 \4:\5:\6 UTC/') + 1 second" +%Y%m%dT%H%M%SZ)
  fi
  if [ -n "${dry}" ]; then
    log INFO "would make ${id}${offsite:+ and send it to ${offsite}}"
    forget_here
    exit
  fi
  log INFO "makes ${id}"
  remember run.state running || :
  status=0
  make_copy || status=1
  if [ "${status}" -eq 0 ]; then
    log INFO "made ${id}: $(bytes_of "${copies}/${id}") bytes in $(($(date +%s) - began)) s"
  else
    rm -rf "${partial:?}/${id}"
  fi
  if [ -n "${offsite}" ]; then
    if send_all; then
      remember offsite.success 1 || :
      [ "${status}" -ne 0 ] || remember offsite.seconds "$(date +%s)" || :
    else
      log ERROR 'not everything is off site: the next run tries again'
      remember offsite.success 0 || :
      [ "${status}" -ne 0 ] || status=5
    fi
  fi
  # Copies are only deleted by a run that made one.
  if [ "${status}" -ne 1 ]; then
    forget_here || status=1
    if [ -n "${offsite}" ] && [ "${status}" -eq 0 ]; then
      forget_offsite || { log ERROR 'old copies off site could not be deleted'; status=5; }
    fi
  fi
  ended=$(date +%s)
  remember run.ended "${ended}" || :
  remember run.seconds "$((ended - began))" || :
  remember run.success "$([ "${status}" -eq 0 ] && echo 1 || echo 0)" || :
  remember run.state "ended ${status}" || :
  publish
  [ "${status}" -eq 0 ] || log ERROR "ended with ${status}"
  exit "${status}"
}

# Hands a copy to restore.sh or drill.sh.
hand_to() {
  script=$1
  BACKUP_COPY=$(choose "${name}" "${from}") || exit 4
  BACKUP_ID=$(basename "${BACKUP_COPY}")
  export BACKUP_COPY BACKUP_ID
  log INFO "${BACKUP_ID} of $(field "${BACKUP_COPY}" ended) is whole"
  if [ -n "${dry}" ]; then
    log INFO "would hand it to ${script}"
    sed -n 's/^file //p' "${BACKUP_COPY}/manifest" >&2
    exit 0
  fi
  if [ -e "$(find "${BACKUP_COPY}" -name '*.age' | head -n 1)" ] && [ ! -r "${BACKUP_IDENTITY:-}" ]; then
    fail 'it is encrypted, and there is no key: put it into the secret backup-identity' || exit 1
  fi
  sh "${scripts}/${script}"
}

restore() {
  one_at_a_time
  workplace
  stores
  log INFO 'restores'
  if hand_to restore.sh; then
    log INFO "restored ${BACKUP_ID}"
  else
    fail 'restore.sh failed: see above; it can be run again' || exit 1
  fi
}

drill() {
  one_at_a_time
  workplace
  stores
  began=$(date +%s)
  # What is needed when everything is lost is what is proved.
  [ -z "${offsite}" ] || from=${from:-offsite}
  BACKUP_SCRATCH=${partial}/scratch
  export BACKUP_SCRATCH
  mkdir -p "${BACKUP_SCRATCH}"
  status=0
  (hand_to drill.sh && printf '%s\n' "${BACKUP_ID}" >"${work}/proved") || status=$?
  rm -rf "${BACKUP_SCRATCH}"
  if [ "${status}" -eq 0 ]; then
    id=$(cat "${work}/proved")
    remember drill.seconds "$(date +%s)" || :
    remember drill.success 1 || :
    [ ! -d "${copies}/${id}" ] || date -u +%Y-%m-%dT%H:%M:%SZ >"${copies}/${id}/proved"
    log INFO "${id} was put back into a scratch place, and all of it was there"
  else
    log ERROR 'the drill failed: what was to be restored could not be proved'
    [ "${status}" -eq 4 ] || status=1
    remember drill.success 0 || :
  fi
  remember drill.took "$(($(date +%s) - began))" || :
  rm -rf "${partial:?}"/*
  publish
  exit "${status}"
}

verify() {
  one_at_a_time
  workplace
  stores
  status=0
  if [ "${from}" = offsite ] || [ "${name}" != all ]; then
    found=$(choose "${name#all}" "${from}") || exit 4
    log INFO "$(basename "${found}") is whole"
  else
    found=''
    for copy in "${copies}"/*; do
      [ -d "${copy}" ] || continue
      if is_good "${copy}" && is_intact "${copy}"; then
        found=yes
        log INFO "$(basename "${copy}") is whole"
      else
        log ERROR "$(basename "${copy}") is damaged"
        : >"${copy}/damaged"
        status=1
      fi
    done
    [ -n "${found}" ] || { log ERROR 'there is no copy that is whole'; status=4; }
  fi
  publish
  exit "${status}"
}

list() {
  mkdir -p "${copies}" "${partial}" "${state}"
  workplace
  stores
  if [ "${from}" = offsite ]; then
    [ -n "${offsite}" ] || wrong 'nothing is kept off site'
    good_offsite
  else
    catalogue
    cat "${folder}/catalogue"
  fi
}

command=''
name=''
from=''
dry=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    --dry-run) dry=yes ;;
    --from)
      [ "$#" -gt 1 ] || wrong 'from where?'
      from=$2
      shift
      case "${from}" in
        local | offsite) ;;
        *) wrong "copies are local or offsite, not ${from}" ;;
      esac
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*) wrong "unknown option $1" ;;
    *)
      if [ -z "${command}" ]; then
        command=$1
      else
        [ -z "${name}" ] || wrong 'one copy at a time'
        name=$1
      fi
      ;;
  esac
  shift
done
if [ "${from}" = offsite ] && [ -z "${offsite}" ]; then
  wrong 'nothing is kept off site'
fi
case "${name}" in
  latest) name='' ;;
  *[!0-9TZal]*) wrong "${name} is no name of a copy" ;;
  *) ;;
esac
case "${command}" in
  run)
    [ -z "${name}" ] || wrong 'a run takes no copy'
    run
    ;;
  restore) restore ;;
  drill) drill ;;
  verify)
    name=${name:-all}
    verify
    ;;
  list) list ;;
  newest) newest ;;
  '') wrong 'what is to be done?' ;;
  *) wrong "unknown command ${command}" ;;
esac
