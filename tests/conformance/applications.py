"""What blueprints measure by programs of their own: each is run against what it measures, and shows what metrics.toml says."""

import contextlib
import http.server
import importlib.util
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from report import Failure, Missing, Report, expect
from toolbox import Toolbox, free_port, run


def module(path: Path):
    """A program of a blueprint, loaded and not run."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def declared(blueprint: Path, name: str) -> set[str]:
    """The series that a set of metrics.toml says there are."""
    found = set()
    for metric, says in tomllib.loads((blueprint / "metrics.toml").read_text(encoding="utf-8"))[name].items():
        found |= {metric + part for part in ("_bucket", "_sum", "_count")} if says["type"] == "histogram" else {metric}
    return found


def exposed(text: str, prefix: str) -> set[str]:
    return {match[0] for line in text.splitlines() if (match := re.match(rf"{prefix}[a-z0-9_]*", line))}


def same(wanted: set[str], found: set[str]) -> None:
    expect(wanted == found, f"declared and not there: {sorted(wanted - found)}; there and not declared: {sorted(found - wanted)}")


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def until(ready: Callable[[], object], what: str, seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if ready():
                return
        expect(time.monotonic() < limit, f"waited {seconds:.0f} seconds for {what}")
        time.sleep(0.2)


@contextlib.contextmanager
def program(*argv: str | Path) -> Iterator[None]:
    with subprocess.Popen([str(word) for word in argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


# --- Superset --------------------------------------------------------------------------------------------------------


def events(blueprint: Path) -> None:
    """What browsers report becomes one load time; what is no report, or of another opening, becomes none."""
    metrics = module(blueprint / "metrics.py")
    sent = []
    loads = metrics.Loads(lambda name, value: sent.append((name, value)))
    mount = {"event_name": "mount_dashboard", "event_id": "a", "mount_duration": 1800, "visibility": "visible"}
    chart = {"event_name": "render_chart", "trigger_event": "a", "start_offset": 4400, "duration": 300}
    loads.add(mount, 0)
    loads.add({**mount, "event_id": "hidden", "visibility": "hidden"}, 0)
    loads.add({**mount, "event_id": ["no", "text"]}, 0)
    for event, now in (
        (chart, 20),
        ({**chart, "start_offset": 90_000, "trigger_event": "a click later"}, 21),
        ({**chart, "start_offset": "x"}, 22),
        ({**chart, "duration": 10**9}, 23),
        ({**chart, "start_offset": True, "duration": 3}, 24),
    ):
        loads.add(event, now)
    loads.settle(49)
    expect(not sent, f"settled too early: {sent}")
    loads.settle(50)
    loads.settle(100)
    expect(sent == [("dashboard.load", 4700)], f"sent {sent}")
    activity = metrics.Activity()
    for user, when in ((1, 10_000), (1, 90_000), (2, 87_500), (3, 5_000), (None, 90_000)):
        activity.add(user, when)
    found = activity.counts(90_000)
    expect(found == {"15m": 1, "1h": 2, "24h": 3}, f"active: {found}")
    expect(metrics.parsed("[1]") is None and metrics.parsed("{") is None and metrics.parsed(None) is None, "no event")


SEND = """
import sys, time
import lakewright_statsd as statistics
for kind in ("request.chart.2xx", "dashboard.load", "chart.load", "sqllab.query.time_executing_query",
             "sqllab.query.time_pending", "task.prune_logs.success"):
    statistics.timing(kind, 1234)
for name in ("chart.failed", "loaded_from_cache", "loaded_from_source", "worker.heartbeat", "beat.tick", "Log.get:1|c\\nx"):
    statistics.count(name)
for name in ("up", "queue", "users.15m"):
    statistics.gauge(name, 1)
time.sleep(float(sys.argv[1]))
"""


def statsd(blueprint: Path, tools: Toolbox) -> None:
    """All that is sent arrives under the names of metrics.toml, also when the exporter comes late; nothing else does."""
    exporter = tools.path("statsd_exporter")
    with tempfile.TemporaryDirectory(prefix="lakewright-statsd-") as folder:
        # JSON is YAML.
        mapping = Path(folder) / "mapping.yaml"
        mapping.write_text(json.dumps(tomllib.loads((blueprint / "statsd.toml").read_text(encoding="utf-8"))))
        lines, web = free_port(), free_port()
        shutil.copy(blueprint / "lakewright_statsd.py", folder)
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        without = run([sys.executable, "-c", SEND, "0"], env=environment)
        expect(not without.stderr, without.stderr)
        environment["LAKEWRIGHT_STATSD"] = f"127.0.0.1:{lines}"
        with subprocess.Popen([sys.executable, "-c", SEND, "12"], env=environment) as sender:
            time.sleep(1)
            argv = [f"--statsd.mapping-config={mapping}", f"--statsd.listen-tcp=127.0.0.1:{lines}", "--statsd.listen-udp="]
            with program(exporter, *argv, f"--web.listen-address=127.0.0.1:{web}"):
                page = f"http://127.0.0.1:{web}/metrics"
                until(lambda: "superset_active_users" in get(page), "what was sent", 15)
                text = get(page)
                expect(get(f"http://127.0.0.1:{web}/-/healthy"), "no answer to the probe")
            sender.terminate()
    # The first line was lost on the attempt that failed; what counts is that the rest came.
    found = exposed(text, "superset_") | exposed("superset_request_duration_seconds_bucket", "superset_")
    same(declared(blueprint, "default"), found | {f"superset_request_duration_seconds_{part}" for part in ("sum", "count")})
    expect('le="5"' in text, "no bucket of 5 seconds")


# --- Airbyte ---------------------------------------------------------------------------------------------------------

# The tables that are read, as the schema of Airbyte 2.4 has them.
TABLES = """
CREATE TYPE job_config_type AS ENUM ('check_connection_source', 'sync', 'reset_connection', 'refresh');
CREATE TYPE job_status AS ENUM ('pending', 'running', 'incomplete', 'failed', 'succeeded', 'cancelled', 'queued');
CREATE TYPE status_type AS ENUM ('active', 'inactive', 'deprecated');
CREATE TYPE schedule_type AS ENUM ('manual', 'basic_schedule', 'cron');
CREATE TABLE connection (id uuid PRIMARY KEY, name varchar(256) NOT NULL, catalog jsonb, status status_type, schedule_type schedule_type);
CREATE TABLE jobs (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, config_type job_config_type, scope varchar(255),
  config jsonb, status job_status, started_at timestamptz, created_at timestamptz, updated_at timestamptz);
CREATE TABLE attempts (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, job_id bigint, output jsonb);
CREATE TABLE sync_stats (id uuid PRIMARY KEY, attempt_id bigint, records_committed bigint, bytes_committed bigint);
INSERT INTO connection VALUES
  ('00000000-0000-0000-0000-000000000001', 'shop', '{}', 'active', 'cron'),
  ('00000000-0000-0000-0000-000000000002', 'crm', '{}', 'active', 'cron'),
  ('00000000-0000-0000-0000-000000000003', 'by hand', '{}', 'active', 'manual'),
  ('00000000-0000-0000-0000-000000000004', 'crm', '{}', 'active', 'cron'),
  ('00000000-0000-0000-0000-000000000005', 'gone', '{}', 'deprecated', 'cron');
INSERT INTO jobs (config_type, scope, status, started_at, created_at, updated_at)
SELECT kind::job_config_type, '00000000-0000-0000-0000-00000000000' || scope, status::job_status,
  now() - age - interval '10 minutes', now() - age - interval '10 minutes', now() - age
FROM (VALUES
  ('sync', 1, 'succeeded', interval '20 minutes'), ('sync', 1, 'succeeded', '4 hours'), ('sync', 2, 'succeeded', '8 hours'),
  ('sync', 2, 'failed', '5 hours'), ('sync', 2, 'failed', '20 minutes'), ('sync', 4, 'pending', '40 minutes'),
  ('check_connection_source', 9, 'failed', '1 minute')) AS job (kind, scope, status, age) ;
INSERT INTO attempts (job_id) VALUES (1), (2), (2), (5);
INSERT INTO sync_stats VALUES (gen_random_uuid(), 1, 10, 1000), (gen_random_uuid(), 2, 5, 500), (gen_random_uuid(), 3, 20, 2000),
  (gen_random_uuid(), 4, NULL, NULL);
"""


@contextlib.contextmanager
def postgresql(tools: Toolbox, port: int | None = None) -> Iterator[Callable[..., str]]:
    """A server of its own behind a socket, and at a port of the loopback interface if one is given; what is given asks it, as a
    user."""
    if os.geteuid() != 0:
        raise Missing("postgresql", "only root can start it as another user")
    setpriv = tools.path("setpriv")
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not servers:
        tools.apt("postgresql")
        servers = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    psql = shutil.which("psql") or servers[-1] / "psql"
    with tempfile.TemporaryDirectory(prefix="lakewright-postgresql-") as folder:
        shutil.chown(folder, "postgres", "postgres")
        be = [setpriv, "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        ctl = [*be, servers[-1] / "pg_ctl", "--pgdata", f"{folder}/data", "--wait", "--silent"]
        run([*be, servers[-1] / "initdb", "--pgdata", f"{folder}/data", "--auth=trust", "--username=postgres", "--no-sync"], cwd="/")
        run([*ctl, "--log", f"{folder}/log", "--options", f"-k {folder} -p {port or 5432} -c listen_addresses='{'127.0.0.1' if port else ''}'", "start"], cwd="/")
        try:

            def ask(user: str, database: str, *words: str, text: str = "", good: bool = True) -> str:
                argv = [psql, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", folder, "-p", str(port or 5432), "-U", user, "-d", database, *words]
                result = run(argv, input=text, check=good)
                expect(good or result.returncode != 0, f"{user} may: {' '.join(words)}{text}")
                return result.stdout

            yield ask
        finally:
            run([*ctl, "--mode=immediate", "stop"], cwd="/", check=False)


def airbyte(blueprint: Path, tools: Toolbox) -> None:
    """The queries say what metrics.toml declares, as a role that may read nothing else."""
    queries = tomllib.loads((blueprint / "queries.toml").read_text(encoding="utf-8"))
    found: dict[str, list[dict]] = {}
    with postgresql(tools) as ask:
        ask("postgres", "postgres", text="CREATE ROLE airbyte LOGIN; CREATE ROLE reader LOGIN;")
        ask("postgres", "postgres", text="CREATE DATABASE airbyte OWNER airbyte")
        ask("postgres", "postgres", text="REVOKE ALL ON DATABASE airbyte FROM PUBLIC")
        ask("airbyte", "airbyte", text=TABLES)
        ask("reader", "airbyte", text="SELECT 1", good=False)
        for _ in range(2):
            ask("airbyte", "airbyte", "-v", "reader=reader", "-f", str(blueprint / "metrics.sql"))
        for column in ("config FROM jobs", "output FROM attempts", "catalog FROM connection"):
            ask("reader", "airbyte", text=f"SELECT {column}", good=False)
        for name, query in queries.items():
            text = ask("reader", "airbyte", text=f"SELECT json_agg(row) FROM ({query['query']}) AS row")
            found[name] = json.loads(text)
            columns = [column for entry in query["metrics"] for column in entry]
            expect(list(found[name][0]) == columns, f"{name}: columns {list(found[name][0])}")
    names = {
        f"{name}_{column}"
        for name, query in queries.items()
        for entry in query["metrics"]
        for column, says in entry.items()
        if says["usage"] == "GAUGE"
    }
    same({name for name in declared(blueprint, "syncs") if name.startswith("airbyte_")}, names)
    syncs = {(row["window"], row["status"]): row["finished"] for row in found["airbyte_syncs"]}
    wanted = {("5m", "failed"): 0, ("30m", "failed"): 1, ("6h", "failed"): 2, ("6h", "succeeded"): 2, ("3d", "succeeded"): 3, ("1h", "cancelled"): 0}
    expect(wanted.items() <= syncs.items() and len(syncs) == 21, f"syncs {syncs}")
    moved = {row["connection"]: row for row in found["airbyte_sync"]}
    expect(set(moved) == {"shop", "crm", "by hand"}, f"connections {set(moved)}")
    expect((moved["shop"]["records_1h"], moved["shop"]["records_1d"], moved["shop"]["bytes_1d"]) == (10, 35, 3500), f"moved {moved['shop']}")
    state = {row["connection"]: row for row in found["airbyte_connection"]}
    expect([state[name]["failures_since_success"] for name in ("shop", "crm", "by hand")] == [0, 2, 0], f"failures {state}")
    expect([state[name]["scheduled"] for name in ("shop", "crm", "by hand")] == [1, 1, 0], f"scheduled {state}")
    expect(state["shop"]["last_duration_seconds"] == 600 and state["by hand"]["last_success_timestamp_seconds"] is None, f"{state}")
    waiting = {row["status"]: row for row in found["airbyte_jobs"]}
    expect(waiting["pending"]["unfinished"] == 1 and 2990 < waiting["pending"]["oldest_age_seconds"] < 3100, f"{waiting}")
    expect(waiting["running"] == {"status": "running", "unfinished": 0, "oldest_age_seconds": 0}, f"{waiting}")


# --- dbt -------------------------------------------------------------------------------------------------------------

# As dbt 1.11 writes them, shortened.
RESULTS = {
    "results": [
        {"unique_id": "seed.shop.raw_orders", "status": "success", "execution_time": 0.68, "failures": None},
        {"unique_id": "model.shop.orders", "status": "success", "execution_time": 12.5, "failures": None},
        {"unique_id": "model.shop.broken", "status": "error", "execution_time": 0.1, "failures": None},
        {"unique_id": "model.shop.below", "status": "skipped", "execution_time": 0.0, "failures": None},
        {"unique_id": "test.shop.unique_orders_id.fed79b3a6e", "status": "fail", "execution_time": 0.1, "failures": 3},
        {"unique_id": 'test.shop.values"_orders.1a2b', "status": "warn", "execution_time": 0.1, "failures": 1},
    ]
}
SOURCES = {
    "results": [
        {"unique_id": "source.shop.shop.orders", "status": "pass", "max_loaded_at_time_ago_in_s": 60.5},
        {"unique_id": "source.shop.shop.items", "status": "runtime error"},
    ]
}


def dbt(blueprint: Path, tools: Toolbox) -> None:
    """A run's numbers reach a Pushgateway; a failed one keeps the time of the last success."""
    metrics = module(blueprint / "metrics.py")

    def due(schedule: str, after: str) -> str | None:
        found = metrics.next_run(schedule, metrics.datetime.datetime.fromisoformat(f"{after}+00:00").timestamp())
        return found and metrics.datetime.datetime.fromtimestamp(found, metrics.datetime.timezone.utc).isoformat()[:16]

    for schedule, after, wanted in (
        ("30 5 * * *", "2026-11-23T05:29:59", "2026-11-23T05:30"),
        ("30 5 * * *", "2026-11-23T05:30:00", "2026-11-24T05:30"),
        ("0 */2 * * *", "2026-11-23T23:10:00", "2026-11-24T00:00"),
        ("0 9 * * mon-fri", "2026-11-20T10:00:00", "2026-11-23T09:00"),
        ("0 0 1 * 0", "2026-11-23T00:00:00", "2026-11-29T00:00"),
        ("15,45 8-10 * jan *", "2026-12-31T23:59:00", "2027-01-01T08:15"),
        ("0 0 31 2 *", "2026-11-23T00:00:00", None),
    ):
        expect(due(schedule, after) == wanted, f"{schedule} after {after}: {due(schedule, after)}")
    for schedule in ("0 0 L * *", "0 0 * * 5#1", "61 * * * *"):
        with contextlib.suppress(ValueError):
            due(schedule, "2026-11-23T00:00:00")
            raise Failure(f"understands {schedule}")

    gateway = tools.path("pushgateway")
    with tempfile.TemporaryDirectory(prefix="lakewright-dbt-") as folder:
        port = free_port()
        page = f"http://127.0.0.1:{port}/metrics"
        environment = {**os.environ, "DBT_TARGET_PATH": folder, "LAKEWRIGHT_PUSH": f"{page}/job/dbt", "LAKEWRIGHT_SCHEDULE": "30 5 * * *"}

        def push(started: float, stale: int, built: int, *, good: bool = True) -> str:
            argv = [sys.executable, blueprint / "metrics.py", str(started), str(stale), str(built)]
            result = run(argv, env=environment, check=good)
            expect(good or result.returncode != 0, "a push to nobody succeeds")
            return get(page) if good else ""

        push(0, 0, 0, good=False)
        with program(gateway, f"--web.listen-address=127.0.0.1:{port}", f"--persistence.file={folder}/kept"):
            until(lambda: get(f"http://127.0.0.1:{port}/-/healthy"), "the Pushgateway")
            text = push(time.time() - 5, 0, 0)
            expect("dbt_model" not in text and re.search(r"^dbt_run_success\S* 1$", text, re.MULTILINE), text)
            success = re.search(r"^dbt_last_success_timestamp_seconds.*", text, re.MULTILINE)[0]
            started = time.time() - 5
            (Path(folder) / "run_results.json").write_text(json.dumps(RESULTS))
            (Path(folder) / "sources.json").write_text(json.dumps(SOURCES))
            text = push(started, 1, 1)
            same(declared(blueprint, "default"), exposed(text, "dbt_"))
            expect(success in text, "a failed run changed the time of the last success")
            for line in (
                'dbt_run_success{instance="",job="dbt"} 0',
                'dbt_model_duration_seconds{instance="",job="dbt",model="orders"} 12.5',
                'dbt_model_failed{instance="",job="dbt",model="broken"} 1',
                'dbt_model_failed{instance="",job="dbt",model="below"} 0',
                'dbt_test_failed{instance="",job="dbt",test="unique_orders_id"} 1',
                'dbt_test_failures{instance="",job="dbt",test="unique_orders_id"} 3',
                'dbt_test_failed{instance="",job="dbt",test="values\\"_orders"} 0',
                'dbt_source_stale{instance="",job="dbt",source="shop.items"} 1',
                'dbt_source_age_seconds{instance="",job="dbt",source="shop.orders"} 60.5',
                'dbt_run_nodes{instance="",job="dbt",kind="model",status="skipped"} 1',
            ):
                expect(line in text, f"not there: {line}\n{text}")


# --- Dremio ----------------------------------------------------------------------------------------------------------


class Dremio:
    """As much of Dremio's REST interface as is used, over a table in memory."""

    def __init__(self, now: int):
        self.tables = sqlite3.connect(":memory:", check_same_thread=False)
        self.tables.execute("ATTACH ':memory:' AS sys")
        self.tables.execute(
            "CREATE TABLE sys.jobs_recent (status, query_type, user_name, accelerated, error_msg,"
            " submitted_epoch_millis INTEGER, final_state_epoch_millis INTEGER)"
        )
        self.tables.execute("CREATE TABLE sys.reflections (status)")
        self.tables.executemany("INSERT INTO sys.reflections VALUES (?)", [("CAN_ACCELERATE",), ("CAN_ACCELERATE",), ("FAILED",)])
        ended = now - 20_000
        for status, kind, user, accelerated, duration, error in (
            ("COMPLETED", "FLIGHT", "superset", True, 80, None),
            ("COMPLETED", "FLIGHT", "superset", False, 4000, None),
            ("COMPLETED", "REST", "metrics", False, 10, None),
            ("FAILED", "UI_RUN", "ann", False, 10, "VALIDATION ERROR: Column 'x' not found"),
            ("FAILED", "UI_RUN", "ann", False, 10, "CONNECTION ERROR: no"),
            ("CANCELED", "JDBC", "bob", False, 9, None),
            ("COMPLETED", "ACCELERATOR_REFRESH", "$dremio$", False, 90_000, None),
        ):
            row = (status, kind, user, accelerated, error, ended - duration, ended)
            self.tables.execute("INSERT INTO sys.jobs_recent VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self.tables.execute("INSERT INTO sys.jobs_recent VALUES ('RUNNING', 'JDBC', 'bob', 0, NULL, ?, 0)", (ended,))
        self.results: list[list[dict]] = []
        self.looks: list[int] = []

    def answer(self, method: str, path: str, token: str | None, body: dict) -> tuple[int, dict]:
        if path == "/apiv2/login":
            return (200, {"token": "T"}) if body.get("password") == "right" else (401, {})
        if token != "_dremioT":
            return 401, {}
        if method == "POST":
            found = self.tables.execute(body["sql"])
            names = [column[0] for column in found.description]
            # Dremio gives large numbers as they are, and booleans as such.
            self.results.append([{n: bool(v) if n == "accelerated" else v for n, v in zip(names, row)} for row in found])
            self.looks.append(0)
            return 200, {"id": str(len(self.results) - 1)}
        job = int(path.split("/")[4].split("?")[0])
        if "/results" in path:
            return 200, {"rows": self.results[job]}
        self.looks[job] += 1
        return 200, {"jobState": "COMPLETED" if self.looks[job] > 1 else "RUNNING"}


@contextlib.contextmanager
def dremio_server(now: int) -> Iterator[str]:
    dremio = Dremio(now)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            status, answer = dremio.answer(self.command, self.path, self.headers["Authorization"], body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def dremio(blueprint: Path, tools: Toolbox) -> None:
    """Jobs are counted once, the exporter's own not at all, and a Dremio that does not answer counts as that."""
    program = module(blueprint / "metrics.py")
    program.MARGIN = 0
    now = int(time.time() * 1000)
    metrics, port = program.Metrics(), free_port()
    program.serve(metrics, port)
    with dremio_server(now) as base, contextlib.redirect_stdout(None):
        client = program.Dremio(base, "metrics", lambda: "right")
        after = program.measure(client, metrics, now - 60_000, True)
        again = program.measure(client, metrics, after, True)
        refused = program.measure(program.Dremio(base, "metrics", lambda: "wrong"), metrics, again, False)
        absent = program.measure(program.Dremio("http://127.0.0.1:1", "metrics", lambda: "right"), metrics, again, False)
    expect(after > now - 60_000 and refused == absent == again, "what was not counted is left out")
    text = get(f"http://127.0.0.1:{port}/metrics")
    # The time of a query is gone while none succeeds.
    same(declared(blueprint, "queries") - {"dremio_probe_duration_seconds"}, exposed(text, "dremio_"))
    for line in (
        'dremio_probes_total{result="success"} 2',
        'dremio_probes_total{result="failure"} 2',
        'dremio_queries_total{kind="user",outcome="completed",accelerated="true"} 1',
        'dremio_queries_total{kind="user",outcome="completed",accelerated="false"} 1',
        'dremio_queries_total{kind="user",outcome="refused",accelerated="false"} 1',
        'dremio_queries_total{kind="user",outcome="failed",accelerated="false"} 1',
        'dremio_queries_total{kind="user",outcome="canceled",accelerated="false"} 1',
        'dremio_queries_total{kind="internal",outcome="completed",accelerated="false"} 1',
        'dremio_query_duration_seconds_bucket{kind="user",le="0.1"} 1',
        'dremio_query_duration_seconds_bucket{kind="user",le="5"} 2',
        'dremio_query_duration_seconds_sum{kind="user"} 4.080',
        'dremio_query_duration_seconds_bucket{kind="internal",le="60"} 0',
        'dremio_reflections{status="can_accelerate"} 2',
        'dremio_reflections{status="failed"} 1',
    ):
        expect(f"{line}\n" in text, f"not there: {line}\n{text}")
    result = run([tools.path("promtool"), "check", "metrics"], input=text, check=False)
    expect(result.returncode == 0, result.stderr)


def test_applications(report: Report, tools: Toolbox, blueprints: Path) -> None:
    report.test("applications/superset-events", lambda: events(blueprints / "superset"))
    report.test("applications/superset-statsd", lambda: statsd(blueprints / "superset", tools))
    report.test("applications/airbyte-queries", lambda: airbyte(blueprints / "airbyte", tools))
    report.test("applications/dbt-runs", lambda: dbt(blueprints / "dbt", tools))
    report.test("applications/dremio-queries", lambda: dremio(blueprints / "dremio", tools))
