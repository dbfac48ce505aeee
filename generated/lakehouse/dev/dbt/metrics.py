"""Tells the Pushgateway how a run went, from the files that dbt leaves behind.

A run ends before anybody could ask it, so it leaves its numbers where Prometheus finds them. A push replaces the metrics
that it names and leaves the others: `dbt_last_success_timestamp_seconds` stays what it was when a run fails.
"""

import calendar
import datetime
import json
import os
import pathlib
import sys
import time
import urllib.request

MINUTE = datetime.timedelta(minutes=1)
NAMES = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name} | {
    name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
}


# --- when the next run is due ------------------------------------------------------------------------------------------


def values(field: str, lowest: int, highest: int) -> set[int]:
    """What a field of a cron expression matches. ValueError for what only some programs understand, as `L` or `#`."""

    def number(text: str) -> int:
        return NAMES[text.lower()] if text.lower() in NAMES else int(text)

    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            first, last = lowest, highest
        elif "-" in span:
            first, last = (number(text) for text in span.split("-", 1))
        else:
            first = number(span)
            last = highest if step else first
        if not lowest <= first <= last <= highest:
            raise ValueError(field)
        found.update(range(first, last + 1, int(step or 1)))
    return found


def next_run(schedule: str, after: float) -> float | None:
    """The time, in seconds since 1970, of the first run after that one; in UTC. None where there is none in a year."""
    fields = schedule.split()
    minutes, hours, days, months = (
        values(field, *limits) for field, limits in zip(fields, ((0, 59), (0, 23), (1, 31), (1, 12)))
    )
    weekdays = {day % 7 for day in values(fields[4], 0, 7)}
    # Either of the two is enough when both are given.
    either = fields[2][0] not in "*?" and fields[4][0] not in "*?"
    day = datetime.datetime.fromtimestamp(after, datetime.timezone.utc).replace(second=0, microsecond=0) + MINUTE
    for _ in range(367):
        by_date, by_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month in months and (by_date or by_weekday if either else by_date and by_weekday):
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    due = day.replace(hour=hour, minute=minute)
                    if due >= day:
                        return due.timestamp()
        day = (day + datetime.timedelta(days=1)).replace(hour=0, minute=0)
    return None


# --- what dbt says -----------------------------------------------------------------------------------------------------


def load(path: pathlib.Path, started: float) -> dict:
    """A file that this run has written; {} if it did not get that far."""
    try:
        if path.stat().st_mtime < started:
            return {}
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def short(identifier: str) -> str:
    """`model.project.name` -> `name`; `test.project.name.hash` too; `source.project.shop.orders` -> `shop.orders`."""
    kind, _, *rest = identifier.split(".")
    return ".".join(rest) if kind == "source" else rest[0] if rest else identifier


class Text:
    """Metrics in Prometheus' text format, each once with its type."""

    def __init__(self):
        self.families: dict[str, dict[str, float]] = {}

    def gauge(self, name: str, value: float, **labels: str) -> None:
        def quoted(text: str) -> str:
            return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

        series = ",".join(f'{key}="{quoted(text)}"' for key, text in labels.items())
        # Two nodes of one name, in two packages: the worse of them.
        family = self.families.setdefault(name, {})
        family[series] = max(value, family.get(series, value))

    def __str__(self) -> str:
        lines = []
        for name, family in self.families.items():
            lines.append(f"# TYPE {name} gauge")
            lines += [f"{name}{{{series}}} {value}" if series else f"{name} {value}" for series, value in family.items()]
        return "\n".join(lines) + "\n"


def measurements(results: dict, sources: dict, started: float, ended: float, stale: int, built: int) -> Text:
    text = Text()
    success = stale == 0 and built == 0
    text.gauge("dbt_run_success", int(success))
    text.gauge("dbt_run_timestamp_seconds", ended)
    text.gauge("dbt_run_duration_seconds", ended - started)
    if success:
        text.gauge("dbt_last_success_timestamp_seconds", ended)
    nodes: dict[tuple[str, str], int] = {}
    for result in results.get("results", []):
        kind, status, name = result["unique_id"].split(".")[0], str(result["status"]), short(result["unique_id"])
        nodes[kind, status] = nodes.get((kind, status), 0) + 1
        if kind in ("model", "seed", "snapshot"):
            text.gauge("dbt_model_failed", int(status not in ("success", "skipped", "no-op")), model=name)
            if status == "success":
                text.gauge("dbt_model_duration_seconds", result.get("execution_time") or 0, model=name)
        elif kind in ("test", "unit_test"):
            text.gauge("dbt_test_failed", int(status in ("fail", "error")), test=name)
            text.gauge("dbt_test_failures", result.get("failures") or 0, test=name)
    for (kind, status), count in nodes.items():
        text.gauge("dbt_run_nodes", count, kind=kind, status=status)
    for result in sources.get("results", []):
        name = short(result["unique_id"])
        text.gauge("dbt_source_stale", int(result["status"] not in ("pass", "warn")), source=name)
        if "max_loaded_at_time_ago_in_s" in result:
            text.gauge("dbt_source_age_seconds", result["max_loaded_at_time_ago_in_s"], source=name)
    return text


def main() -> None:
    started, stale, built = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    ended = time.time()
    target = pathlib.Path(os.environ["DBT_TARGET_PATH"])
    text = measurements(
        load(target / "run_results.json", started), load(target / "sources.json", started), started, ended, stale, built
    )
    try:
        due = next_run(os.environ["LAKEWRIGHT_SCHEDULE"], ended)
    except (ValueError, IndexError):
        due = None
    if due is not None:
        text.gauge("dbt_next_run_timestamp_seconds", due)
    request = urllib.request.Request(os.environ["LAKEWRIGHT_PUSH"], data=str(text).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10):
        pass


if __name__ == "__main__":
    main()
