"""The way of the logs: every blueprint's sample lines through the pipeline of a bundle, and its jobs before a stand-in for
Elasticsearch and Kibana."""

import contextlib
import json
import re
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from report import Failure, Report, expect
from toolbox import HERE, Toolbox, run

BLUEPRINTS = HERE.parents[1] / "blueprints"

# Where fields lie that all systems share; others are attributes. The same table is in src/blueprint/logs.
PLACES = {
    "action": "[event][action]",
    "agent": "[user_agent][original]",
    "bytes_in": "[http][request][bytes]",
    "bytes_out": "[http][response][bytes]",
    "client": "[client][address]",
    "duration_ms": "[event][duration_ms]",
    "error": "[error][message]",
    "error_type": "[error][type]",
    "host": "[url][domain]",
    "kind": "[data_stream][dataset]",
    "level": "[log][level]",
    "logger": "[log][logger]",
    "message": "message",
    "method": "[http][request][method]",
    "path": "[url][path]",
    "process": "[process][pid]",
    "request": "[http][request][id]",
    "stack": "[error][stack_trace]",
    "status": "[http][response][status_code]",
    "thread": "[process][thread][name]",
    "trace": "[trace][id]",
    "user": "[user][name]",
}


def samples(pipeline: str) -> list[dict]:
    """The samples of all blueprints whose services the pipeline knows, each for one of these services."""
    found = []
    for path in sorted(BLUEPRINTS.glob("*/blueprint.toml")):
        blueprint = tomllib.loads(path.read_text(encoding="utf-8"))
        for table, logs in blueprint.get("logs", {}).items():
            workloads = blueprint.get("services", {}) | blueprint.get("jobs", {})
            for name, workload in workloads.items():
                component = path.parent.name
                service = component if workload.get("main") else f"{component}-{name.replace('_', '-')}"
                if workload.get("logs", "default") == table and f"'{service}'" in pipeline:
                    for sample in logs.get("samples", []):
                        fields = {PLACES.get(field, f"[attributes][{field}]"): value for field, value in sample["fields"].items() if field != "time"}
                        found.append({"service": service, "line": sample["line"], "fields": fields})
                    break
    return found


def send(tools: Toolbox, pipeline: Path, lines: list[dict]) -> None:
    argv = [tools.pip("python", "logs"), HERE / "pipeline.py", pipeline]
    result = run(argv, input=json.dumps(lines), check=False, merge=True)
    expect(result.returncode == 0, result.stdout)


class StandIn(ThreadingHTTPServer):
    """Takes the place of Elasticsearch and Kibana: says yes to everything, and remembers what was asked."""

    def __init__(self, indices: str = ""):
        self.asked: list[tuple[str, str, object]] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                stand_in.asked.append((self.command, self.path, json.loads(body) if body else None))
                known = self.headers.get("Authorization", "").startswith("Basic ")
                new = self.command == "GET" and self.path.startswith("/api/data_views/")
                self.send_response(401 if not known else 404 if new else 200)
                self.end_headers()
                self.wfile.write(indices.encode() if self.path.startswith("/_cat/") else b"{}")

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @contextlib.contextmanager
    def running(self) -> Iterator["StandIn"]:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()


def job(script: Path, stand_in: StandIn) -> None:
    """Runs a job's script with its secrets and files in a folder of the test's, before the stand-in."""
    with tempfile.TemporaryDirectory(prefix="lakewright-job-") as folder:
        text = script.read_text(encoding="utf-8")
        for secret in set(re.findall(r"/run/secrets/([\w-]+)", text)):
            (Path(folder) / secret).write_text("abc", encoding="utf-8")
        text = text.replace("/run/secrets/", f"{folder}/").replace("/opt/lakewright/", f"{script.parent}/")
        text = re.sub(r"(?m)^readonly url=.*$", f"readonly url=http://127.0.0.1:{stand_in.server_port}", text)
        copy = Path(folder) / "job.sh"
        copy.write_text(text, encoding="utf-8")
        run(["bash", copy])


def keeps(pipeline: Path) -> None:
    """Every kind has a lifecycle and a template that uses it."""
    with StandIn().running() as stand_in:
        job(pipeline.with_name("store.sh"), stand_in)
        job(pipeline.with_name("store.sh"), stand_in)
    asked, again = stand_in.asked[: len(stand_in.asked) // 2], stand_in.asked[len(stand_in.asked) // 2 :]
    expect(asked == again, "the second run asks for something else than the first")
    bodies = {path: body for _, path, body in asked}
    for kind in ("application", "access", "audit", "error"):
        templates = [body for path, body in bodies.items() if path.startswith("/_index_template/") and f"-{kind}-" in path]
        expect(len(templates) == 1, f"{kind} has {len(templates)} templates")
        lifecycle = templates[0]["template"]["settings"]["index"]["lifecycle"]["name"]
        phases = bodies[f"/_ilm/policy/{lifecycle}"]["policy"]["phases"]
        expect(re.fullmatch(r"\d+s", phases["delete"]["min_age"]), f"{kind} is kept for {phases['delete']['min_age']}")
        expect(templates[0]["template"]["mappings"]["properties"]["@timestamp"] == {"type": "date"}, f"{kind} has no time")


def makes_room(pipeline: Path) -> None:
    """The oldest index goes when there is too much, errors and audit last, and never one that is written to."""
    script = pipeline.with_name("trim.sh")
    namespace, most = re.search(r"\.ds-logs-\*-(\w+)-\*", script.read_text())[1], int(re.search(r"most=(\d+)", script.read_text())[1])

    def gone(**sizes: int) -> list[str]:
        old = [f".ds-logs-{kind}-{namespace}-2026.11.01-000001 {size}" for kind, size in sizes.items()]
        new = [f".ds-logs-{kind}-{namespace}-2026.11.22-000002 {most // 10}" for kind in sizes]
        with StandIn("\n".join(sorted(old + new)) + "\n").running() as stand_in:
            job(script, stand_in)
        return [path.split("-")[2] for method, path, _ in stand_in.asked if method == "DELETE"]

    expect(gone(application=most // 10, audit=most // 10) == [], "something goes where there is room")
    expect(gone(application=most, audit=most // 2) == ["application"], "the application's lines do not go first")
    expect(gone(application=most, audit=most, error=most) == ["application", "error", "audit"], "the order is another")


def test_logs(report: Report, label: str, bundle: Path, tools: Toolbox) -> None:
    """Tests a bundle that gathers logs."""
    for pipeline in sorted(bundle.glob("**/lines.conf")):

        def through(pipeline: Path = pipeline) -> None:
            lines = samples(pipeline.read_text(encoding="utf-8"))
            systems = {sample["service"] for sample in lines}
            expect(len(systems) >= 5, f"it knows the samples of {sorted(systems)} only")
            send(tools, pipeline, lines)

        report.test(f"{label}/log-samples", through)
        report.test(f"{label}/log-lifecycles", lambda pipeline=pipeline: keeps(pipeline))
        report.test(f"{label}/log-room", lambda pipeline=pipeline: makes_room(pipeline))
    for script in sorted(bundle.glob("**/views.sh")):

        def views(script: Path = script) -> None:
            with StandIn().running() as stand_in:
                job(script, stand_in)
            made = [body["data_view"] for method, path, body in stand_in.asked if method == "POST" and "data_view" in (body or {})]
            expect(len(made) == 5 and len({view["title"] for view in made}) == 5, f"{made} are made")

        report.test(f"{label}/log-views", views)


def test_logs_harness(report: Report, tools: Toolbox) -> None:
    """A pipeline that misreads a line, and one that cannot be read, are refused."""
    good = "input { } filter { if [service][name] == 'a' { mutate { gsub => ['message', 'b(.)', 'x\\1'] } } } output { }"
    line = {"service": "a", "line": "abc", "fields": {"message": "axc"}}

    def refuses() -> None:
        with tempfile.TemporaryDirectory(prefix="lakewright-pipeline-") as folder:
            path = Path(folder) / "lines.conf"
            path.write_text(good, encoding="utf-8")
            send(tools, path, [line])
            for broken in (good.replace("'b(.)'", "'d(.)'"), good[:-2], good.replace("b(.)", "b(."), good.replace("mutate", "ruby")):
                path.write_text(broken, encoding="utf-8")
                try:
                    send(tools, path, [line])
                except Failure:
                    continue
                raise Failure(f"accepts {broken}")

    report.test("harness/log-samples-refuses", refuses)
