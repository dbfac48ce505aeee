"""The way of the logs: every blueprint's sample lines through the pipeline of a bundle, and its jobs before a stand-in for
Elasticsearch and Kibana."""

import json
import tempfile
import tomllib
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


def test_logs(report: Report, label: str, bundle: Path, tools: Toolbox) -> None:
    """Tests a bundle that gathers logs."""
    for pipeline in sorted(bundle.glob("**/lines.conf")):

        def through(pipeline: Path = pipeline) -> None:
            lines = samples(pipeline.read_text(encoding="utf-8"))
            systems = {sample["service"] for sample in lines}
            expect(len(systems) >= 5, f"it knows the samples of {sorted(systems)} only")
            send(tools, pipeline, lines)

        report.test(f"{label}/log-samples", through)


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
