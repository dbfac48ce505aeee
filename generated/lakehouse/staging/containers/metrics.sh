#!/bin/sh
# Made by lakewright from blueprint containers, metrics.sh.tera. Change that and build again: edits here are lost.
# What the kernel counts for each container of the platform on this machine, in Prometheus' format: a page of httpd's.
# Names and restarts are the engine's own notes; nothing is asked of the engine.
set -eu

memory=
limit=
kills=
processor=
throttled=
restarts=
newline='
'

for notes in /host/containers/*/config.v2.json; do
  [ -r "$notes" ] || continue
  id=${notes%/*}
  id=${id##*/}
  group=
  for place in "/host/cgroup/system.slice/docker-$id.scope" "/host/cgroup/docker/$id"; do
    if [ -r "$place/memory.current" ]; then group=$place; fi
  done
  # It does not run.
  [ -n "$group" ] || continue
  json=
  IFS= read -r json < "$notes" || [ -n "$json" ] || continue
  name=${json#*'"Name":"/'}
  name=${name%%'"'*}
  case $name in
    lakehouse-staging[-_]*) ;;
    *) continue ;;
  esac
  component=
  case $json in
    *'"lakewright.component":"'*)
      component=${json#*'"lakewright.component":"'}
      component=${component%%'"'*}
      ;;
    *) ;;
  esac
  labels="container=\"$name\"${component:+,component=\"$component\"}"

  # A container that ends meanwhile takes its files along.
  used=
  read -r used < "$group/memory.current" || continue
  cached=0
  while read -r key value; do
    if [ "$key" = inactive_file ]; then cached=$value; fi
  done < "$group/memory.stat"
  # What can be read again from disk at any time does not count.
  if [ "$cached" -gt "$used" ]; then cached=$used; fi
  memory="${memory}container_memory_bytes{$labels} $((used - cached))$newline"
  most=max
  read -r most < "$group/memory.max" || continue
  if [ "$most" != max ]; then
    limit="${limit}container_memory_limit_bytes{$labels} $most$newline"
  fi
  while read -r key value; do
    if [ "$key" = oom_kill ]; then
      kills="${kills}container_memory_kills_total{$labels} $value$newline"
    fi
  done < "$group/memory.events"
  while read -r key value; do
    case $key in
      usage_usec) processor="${processor}container_cpu_seconds_total{$labels} ${value}e-6$newline" ;;
      throttled_usec) throttled="${throttled}container_cpu_throttled_seconds_total{$labels} ${value}e-6$newline" ;;
      *) ;;
    esac
  done < "$group/cpu.stat"
  case $json in
    *'"RestartCount":'*)
      count=${json#*'"RestartCount":'}
      restarts="${restarts}container_restarts_total{$labels} ${count%%[!0-9]*}$newline"
      ;;
    *) ;;
  esac
done

printf 'Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n\r\n'
# family NAME KIND HELP SERIES
family() {
  printf '# HELP %s %s\n# TYPE %s %s\n%s' "$1" "$3" "$1" "$2" "$4"
}
family container_memory_bytes gauge 'Memory in use, without what can be read again from disk.' "$memory"
family container_memory_limit_bytes gauge 'Memory that it may use at most.' "$limit"
family container_memory_kills_total counter 'Processes that were killed for lack of memory.' "$kills"
family container_cpu_seconds_total counter 'Processor time.' "$processor"
family container_cpu_throttled_seconds_total counter 'Time that it was kept from running by its limit.' "$throttled"
family container_restarts_total counter 'Times that the engine started it again.' "$restarts"
