"""Measures what only Superset's database, its queue and its web server tell, and sends it to the StatsD exporter.

How long dashboards take to load is known to browsers alone. They report it as events, which Superset keeps in the table
`logs`, as it does all that people do: hence also the number of active users. The table is read from where the last
round ended, by its primary key, with a role that may read these columns and nothing else.
"""

import json
import os
import pathlib
import ssl
import time
import urllib.error
import urllib.request

ROUND = 15  # seconds
SETTLED = 30  # seconds without another event after which a dashboard counts as loaded
LONGEST = 3_600_000  # milliseconds: what browsers say beyond that is no measurement
WINDOWS = {"15m": 900, "1h": 3600, "24h": 86400}
QUEUE = "celery"
ALIVE = pathlib.Path("/tmp/metrics.alive")


def milliseconds(value) -> float | None:
    """A number that a browser sent, if it can be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LONGEST:
        return None
    return value


class Loads:
    """Puts together what browsers report about one opening of a dashboard.

    `mount_dashboard` comes first and has an identifier. Each chart that is then fetched (`load_chart`) or drawn
    (`render_chart`) names it as `trigger_event`; what people do afterwards triggers under other identifiers. The last
    chart's end, counted from the beginning of the navigation, is when the dashboard had loaded.
    """

    def __init__(self, send_timing):
        self.send_timing = send_timing
        self.open: dict[str, tuple[float, float]] = {}  # identifier: (milliseconds so far, time of the last event)

    def add(self, event: dict, now: float) -> None:
        if event.get("event_name") == "mount_dashboard":
            # A page in the background loads when the browser pleases.
            key, reached = event.get("event_id"), milliseconds(event.get("mount_duration"))
            if event.get("visibility") == "hidden" or not isinstance(key, str) or len(self.open) >= 10_000:
                return
        else:
            key = event.get("trigger_event")
            start, duration = milliseconds(event.get("start_offset")), milliseconds(event.get("duration"))
            reached = None if start is None or duration is None else start + duration
            if not isinstance(key, str) or key not in self.open:
                return
        if reached is not None:
            self.open[key] = (max(reached, self.open.get(key, (0, now))[0]), now)

    def settle(self, now: float) -> None:
        for key, (reached, last) in list(self.open.items()):
            if now - last >= SETTLED:
                self.send_timing("dashboard.load", reached)
                del self.open[key]


class Activity:
    """When each user was last seen."""

    def __init__(self):
        self.seen: dict[int, float] = {}

    def add(self, user: int | None, when: float) -> None:
        if user is not None:
            self.seen[user] = max(when, self.seen.get(user, 0))

    def counts(self, now: float) -> dict[str, int]:
        self.seen = {user: when for user, when in self.seen.items() if now - when < max(WINDOWS.values())}
        return {name: sum(now - when < window for when in self.seen.values()) for name, window in WINDOWS.items()}


class Journal:
    """The table `logs`, from the end that it has when this begins."""

    # Two requests may commit in the other order than they took their numbers: what is younger than this is left for
    # the next round.
    MARGIN = "interval '5 seconds'"
    ROWS = 5000

    def __init__(self, connect):
        self.connect = connect
        self.connection = None
        self.last = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def read(self, activity: Activity):
        """Yields the events of browsers that are new."""
        if self.connection is None:
            self.connection = self.connect()
            self.connection.autocommit = True
        with self.connection.cursor() as cursor:
            if self.last is None:
                cursor.execute("SELECT coalesce(max(id), 0) FROM logs")
                (last,) = cursor.fetchone()
                cursor.execute(
                    "SELECT user_id, extract(epoch FROM max(dttm))::float8 FROM logs"
                    " WHERE id <= %s AND user_id IS NOT NULL AND dttm > timezone('utc', now()) - %s * interval '1 second'"
                    " GROUP BY user_id",
                    (last, max(WINDOWS.values())),
                )
                for user, when in cursor.fetchall():
                    activity.add(user, when)
                self.last = last
            while True:
                cursor.execute(
                    "SELECT id, user_id, extract(epoch FROM dttm)::float8, CASE WHEN action = 'log' THEN json END FROM logs"
                    f" WHERE id > %s AND dttm < timezone('utc', now()) - {self.MARGIN} ORDER BY id LIMIT %s",
                    (self.last, self.ROWS),
                )
                rows = cursor.fetchall()
                for number, user, when, text in rows:
                    self.last = number
                    activity.add(user, when)
                    event = parsed(text)
                    if event is not None:
                        yield event
                if len(rows) < self.ROWS:
                    return


def parsed(text: str | None) -> dict | None:
    try:
        event = json.loads(text) if text else None
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def observe(event: dict, loads: Loads, statistics, now: float) -> None:
    name = event.get("event_name")
    if name in ("mount_dashboard", "load_chart", "render_chart"):
        loads.add(event, now)
    if name == "load_chart":
        if event.get("has_err"):
            statistics.count("chart.failed")
        else:
            duration = milliseconds(event.get("duration"))
            if duration is not None:
                statistics.timing("chart.load", duration)


def answers(url: str, authority: str | None) -> bool:
    try:
        # Made anew each time: files may have been replaced.
        context = ssl.create_default_context(cafile=authority) if authority else None
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def secret(name: str) -> str:
    return pathlib.Path(os.environ[name]).read_text(encoding="utf-8").rstrip("\r\n")


def verified(authority: str | None) -> dict:
    if authority is None:
        return {}
    return {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": authority}


def main() -> None:
    import lakewright_statsd as statistics
    import psycopg2
    import redis

    def connect():
        return psycopg2.connect(
            os.environ["LAKEWRIGHT_DATABASE"],
            password=secret("LAKEWRIGHT_DATABASE_SECRET"),
            connect_timeout=10,
            options="-c statement_timeout=20s -c default_transaction_read_only=on",
        )

    cache = redis.Redis(
        host=os.environ["LAKEWRIGHT_CACHE_HOST"],
        port=int(os.environ["LAKEWRIGHT_CACHE_PORT"]),
        username=os.environ["LAKEWRIGHT_CACHE_USER"],
        password=secret("LAKEWRIGHT_CACHE_SECRET"),
        **verified(os.environ.get("LAKEWRIGHT_CACHE_AUTHORITY")),
        socket_timeout=10,
        socket_connect_timeout=10,
    )
    journal, activity, loads = Journal(connect), Activity(), Loads(statistics.timing)
    while True:
        began = time.monotonic()
        now = time.time()
        statistics.gauge("up", int(answers(os.environ["LAKEWRIGHT_WEB"], os.environ.get("LAKEWRIGHT_WEB_AUTHORITY"))))
        # What cannot be measured is not sent, and after some minutes the exporter shows it no longer.
        try:
            for event in journal.read(activity):
                observe(event, loads, statistics, now)
            loads.settle(now)
            for window, users in activity.counts(now).items():
                statistics.gauge(f"users.{window}", users)
        except psycopg2.Error as error:
            print(f"metrics: database: {str(error).strip()}", flush=True)
            journal.close()
        try:
            statistics.gauge("queue", cache.llen(QUEUE))
        except redis.RedisError as error:
            print(f"metrics: cache: {error}", flush=True)
        ALIVE.touch()
        time.sleep(max(1.0, ROUND - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
