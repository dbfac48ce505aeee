"""Measures Dremio's queries, and shows Prometheus what it measured.

Dremio's own metrics tell what its processes use. How long queries take and whether reflections answer them is in the
system tables, which this asks with SQL like any other client: once a minute, with a user of its own, whose queries are left
out. Each minute's query is at the same time the proof that Dremio answers. Standard library only.
"""

import http.server
import json
import os
import pathlib
import threading
import time
import urllib.error
import urllib.request

ROUND = 60  # seconds
REFLECTIONS = 5  # rounds between two looks at them
# Clocks differ, and a job appears a little after its end: what is younger is left for the next round.
MARGIN = 30_000  # milliseconds
LONGEST = 86_400_000  # milliseconds; older jobs are not looked for
BOUNDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)  # seconds
PATIENCE = 50  # seconds that a query of ours may take


def jobs(after: int, until: int, user: str) -> str:
    """What ended in that time, in milliseconds since 1970, as a few rows that can be added up."""
    buckets = ", ".join(
        f"SUM(CASE WHEN duration <= {int(bound * 1000)} THEN 1 ELSE 0 END) AS bucket_{number}"
        for number, bound in enumerate(BOUNDS)
    )
    return f"""
SELECT kind, outcome, accelerated, COUNT(*) AS queries, SUM(duration) AS duration, {buckets}
FROM (
  SELECT
    CASE WHEN query_type LIKE 'ACCELERATOR%' OR query_type LIKE 'METADATA%' OR query_type LIKE '%INTERNAL%'
      OR query_type LIKE 'COPY%' OR query_type = 'D2D' THEN 'internal' ELSE 'user' END AS kind,
    CASE WHEN status <> 'FAILED' THEN LOWER(status)
      WHEN error_msg LIKE '%PARSE ERROR%' OR error_msg LIKE '%VALIDATION ERROR%' OR error_msg LIKE '%PERMISSION ERROR%'
      THEN 'refused' ELSE 'failed' END AS outcome,
    accelerated,
    final_state_epoch_millis - submitted_epoch_millis AS duration
  FROM sys.jobs_recent
  WHERE submitted_epoch_millis > {after - LONGEST}
    AND final_state_epoch_millis > {after} AND final_state_epoch_millis <= {until}
    AND status IN ('COMPLETED', 'FAILED', 'CANCELED') AND user_name <> '{user}'
) AS ended
GROUP BY kind, outcome, accelerated
"""


REFLECTIONS_BY_STATUS = "SELECT LOWER(status) AS status, COUNT(*) AS reflections FROM sys.reflections GROUP BY status"


class Metrics:
    """What Prometheus sees. Counters and a histogram live as long as this process."""

    def __init__(self):
        self.lock = threading.Lock()
        # All from the beginning: what first appears with a value was never seen to grow.
        self.probes = {"success": 0, "failure": 0}
        self.probe_seconds = None
        self.queries = {
            (kind, outcome, accelerated): 0
            for kind in ("user", "internal")
            for outcome in ("completed", "failed", "refused", "canceled")
            for accelerated in ("true", "false")
        }
        self.duration = {kind: [[0] * len(BOUNDS), 0, 0.0] for kind in ("user", "internal")}
        self.reflections: dict[str, int] = {}

    def probed(self, success: bool, seconds: float) -> None:
        with self.lock:
            self.probes["success" if success else "failure"] += 1
            self.probe_seconds = seconds if success else None

    def ended(self, rows: list[dict]) -> None:
        with self.lock:
            for row in rows:
                kind, outcome, count = row["kind"], row["outcome"], int(row["queries"])
                accelerated = str(row["accelerated"]).lower()
                if accelerated not in ("true", "false"):
                    accelerated = "false"
                self.queries[kind, outcome, accelerated] = self.queries.get((kind, outcome, accelerated), 0) + count
                # What was refused or called off says nothing about speed.
                if outcome == "completed":
                    buckets, _, _ = histogram = self.duration[kind]
                    for number in range(len(BOUNDS)):
                        buckets[number] += int(row[f"bucket_{number}"])
                    histogram[1] += count
                    histogram[2] += float(row["duration"] or 0) / 1000

    def reflected(self, rows: list[dict]) -> None:
        with self.lock:
            # A status that no reflection has any more is 0, not gone.
            self.reflections = dict.fromkeys(self.reflections, 0) | {row["status"]: int(row["reflections"]) for row in rows}

    def __str__(self) -> str:
        lines = []

        def family(name: str, kind: str, text: str) -> None:
            lines.extend((f"# HELP {name} {text}", f"# TYPE {name} {kind}"))

        with self.lock:
            family("dremio_probes_total", "counter", "Queries of this exporter, by whether Dremio answered.")
            lines += [f'dremio_probes_total{{result="{result}"}} {count}' for result, count in self.probes.items()]
            if self.probe_seconds is not None:
                family("dremio_probe_duration_seconds", "gauge", "What the last of them took.")
                lines.append(f"dremio_probe_duration_seconds {self.probe_seconds:.3f}")
            family("dremio_queries_total", "counter", "Queries that ended.")
            for (kind, outcome, accelerated), count in self.queries.items():
                lines.append(
                    f'dremio_queries_total{{kind="{kind}",outcome="{outcome}",accelerated="{accelerated}"}} {count}'
                )
            family("dremio_query_duration_seconds", "histogram", "From submission to end, of queries that completed.")
            for kind, (buckets, count, seconds) in self.duration.items():
                for bound, below in zip(BOUNDS, buckets):
                    lines.append(f'dremio_query_duration_seconds_bucket{{kind="{kind}",le="{bound}"}} {below}')
                lines.append(f'dremio_query_duration_seconds_bucket{{kind="{kind}",le="+Inf"}} {count}')
                lines.append(f'dremio_query_duration_seconds_sum{{kind="{kind}"}} {seconds:.3f}')
                lines.append(f'dremio_query_duration_seconds_count{{kind="{kind}"}} {count}')
            family("dremio_reflections", "gauge", "Reflections by status.")
            lines += [f'dremio_reflections{{status="{status}"}} {count}' for status, count in self.reflections.items()]
        return "\n".join(lines) + "\n"


class Failed(Exception):
    pass


class Dremio:
    def __init__(self, base: str, user: str, password):
        self.base, self.user, self.password = base, user, password
        self.token = None

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        headers = {"Content-Type": "application/json", "Authorization": self.token or "_dremionull"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, method=method, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 401:
                self.token = None
            raise Failed(f"{path.split('/')[-1]}: HTTP {error.code}") from None
        except (OSError, ValueError) as error:
            raise Failed(str(error)) from None

    def rows(self, sql: str) -> list[dict]:
        """The result of a query, at most 500 rows."""
        if self.token is None:
            login = {"userName": self.user, "password": self.password()}
            self.token = "_dremio" + self.call("POST", "/apiv2/login", login)["token"]
        job = self.call("POST", "/api/v3/sql", {"sql": sql})["id"]
        limit = time.monotonic() + PATIENCE
        while True:
            state = self.call("GET", f"/api/v3/job/{job}")
            if state["jobState"] == "COMPLETED":
                return self.call("GET", f"/api/v3/job/{job}/results?offset=0&limit=500")["rows"]
            if state["jobState"] in ("FAILED", "CANCELED"):
                raise Failed(f"query: {state.get('errorMessage') or state['jobState']}")
            if time.monotonic() > limit:
                self.call("POST", f"/api/v3/job/{job}/cancel")
                raise Failed(f"query: not finished after {PATIENCE} seconds")
            time.sleep(0.5)


def measure(dremio: Dremio, metrics: Metrics, after: int, reflections: bool) -> int:
    """One round; returns up to when jobs have been counted, in milliseconds."""
    began, until = time.monotonic(), int(time.time() * 1000) - MARGIN
    try:
        rows = dremio.rows(jobs(after, until, dremio.user))
        metrics.probed(True, time.monotonic() - began)
        metrics.ended(rows)
        after = until
        if reflections:
            metrics.reflected(dremio.rows(REFLECTIONS_BY_STATUS))
    except (Failed, KeyError) as error:
        if after != until:
            metrics.probed(False, 0)
        print(f"metrics: {error}", flush=True)
    return after


def serve(metrics: Metrics, port: int) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in ("/metrics", "/"):
                self.send_error(404)
                return
            body = str(metrics).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    def password() -> str:
        return pathlib.Path(os.environ["LAKEWRIGHT_SECRET"]).read_text(encoding="utf-8").rstrip("\r\n")

    dremio = Dremio(os.environ["LAKEWRIGHT_DREMIO"], os.environ["LAKEWRIGHT_USER"], password)
    metrics = Metrics()
    serve(metrics, int(os.environ["LAKEWRIGHT_PORT"]))
    after, number = int(time.time() * 1000) - MARGIN, 0
    while True:
        began = time.monotonic()
        after = measure(dremio, metrics, after, number % REFLECTIONS == 0)
        number += 1
        time.sleep(max(1.0, ROUND - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
