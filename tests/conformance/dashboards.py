"""Dashboards are held to Grafana's own types, of the version that they are made for."""

import json
import os
import shutil
from pathlib import Path

from report import Failure, Missing, expect
from toolbox import HERE, Toolbox, digest, run

MODULE = HERE / "tools" / "grafana"
TYPE = "GeneratedDashboard"

# Reads a schema, then files; prints what is wrong with each.
VALIDATE = """
import json, sys, jsonschema
schema = json.load(open(sys.argv[1], encoding="utf-8"))
panels = {branch["properties"]["type"]["const"]: branch for branch in schema["properties"]["panels"]["items"]["anyOf"]}
# One kind of panel at a time: of a choice, nobody learns what is wrong.
schema["properties"]["panels"]["items"] = {"type": "object", "properties": {"type": {"enum": sorted(panels)}}, "required": ["type"]}
def faults(value, schema, where):
    for error in jsonschema.Draft7Validator(schema).iter_errors(value):
        path = ".".join(map(str, error.absolute_path))
        yield f"{where} {path}: {error.message[:300]}"
for path in sys.argv[2:]:
    dashboard = json.load(open(path, encoding="utf-8"))
    found = list(faults(dashboard, schema, path))
    for at, panel in enumerate(dashboard.get("panels", [])):
        branch = panels.get(panel.get("type"))
        found += faults(panel, branch, f"{path} panels[{at}]") if branch else []
    print(*found, sep="\\n", end="\\n" if found else "")
"""


def schema(tools: Toolbox) -> Path:
    """A JSON Schema of Grafana's types, made once."""
    npm = tools.path("npm")

    def make(made: Path) -> None:
        folder = made.parent / "types"
        shutil.copytree(MODULE, folder)
        environment = {**os.environ, "npm_config_update_notifier": "false"}
        words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        result = run(words, cwd=folder, env=environment, check=False)
        if result.returncode != 0:
            raise Missing("@grafana/schema", result.stderr.strip()[-500:])
        program = folder / "node_modules/.bin/ts-json-schema-generator"
        options = ["--tsconfig", "tsconfig.json", "--expose", "none", "--no-top-ref", "--no-type-check"]
        run([program, "--path", "dashboard.ts", "--type", TYPE, *options, "-o", made], cwd=folder)
        shutil.rmtree(folder)

    return tools.once(tools.cache / f"grafana-schema-{digest(MODULE)}.json", make)


def is_dashboard(path: Path) -> bool:
    if path.suffix != ".json":
        return False
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(document, dict) and {"schemaVersion", "panels"} <= document.keys()


def dashboards_fit(tools: Toolbox, _bundle: Path, paths: list[Path]) -> None:
    """Each is a dashboard as Grafana's types have it, each panel one of its kind, without unknown fields."""
    python = tools.pip("python")
    faults = run([python, "-c", VALIDATE, schema(tools), *paths]).stdout.strip()
    if faults:
        raise Failure(faults)
    dashboards = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    for field in ("uid", "title"):
        values = [dashboard[field] for dashboard in dashboards]
        expect(len(set(values)) == len(values), f"two dashboards have the same {field}: {sorted(values)}")


BROKEN = json.dumps(
    {
        "annotations": {"list": []},
        "panels": [{"type": "row", "id": 1, "collapsed": False, "panels": [], "title": "a", "lines": 3}],
        "schemaVersion": 42,
        "title": "a",
        "uid": "a",
    }
)
