"""Rules, their tests and what is scraped, handed to Prometheus' own tools; and a Prometheus that runs and looks around."""

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from report import Failure, Report, expect
from toolbox import Toolbox, digest, run

# What stands in a query and is no metric.
KEYWORDS = {
    "and", "atan2", "bool", "by", "group_left", "group_right", "ignoring", "inf", "nan", "offset", "on", "or", "unless", "without",
}  # fmt: skip

# Always there, whoever is scraped.
ALWAYS = {"up", "ALERTS", "ALERTS_FOR_STATE"}


# Tests of rules that passed in this run, by their contents: bundles share most of them.
PASSED: set[str] = set()


def test_rules(report: Report, label: str, bundle: Path, tools: Toolbox, *, thorough: bool) -> None:
    """What holds for the rules of a bundle and for their tests; `thorough`: also that these would notice changed rules."""
    tests = sorted((bundle / "alerts/tests").glob("*.yaml"))
    if not tests:
        return
    report.test(f"{label}/rules-check", lambda: check_rules(tools, bundle, tests))
    report.test(f"{label}/rules-test", lambda: run_tests(tools, tests))
    report.test(f"{label}/rules-covered", lambda: all_covered(tools, tests))
    if thorough:
        report.test(f"{label}/rules-refuses", lambda: refuses_changed(tools, tests))


def rule_files(tools: Toolbox, tests: list[Path]) -> list[Path]:
    """The files of rules that tests are about."""
    found = {(path.parent / name).resolve() for path in tests for name in one(tools, path)["rule_files"]}
    return sorted(found)


def one(tools: Toolbox, path: Path) -> dict:
    return tools.yaml(path)[0]


def check_rules(tools: Toolbox, bundle: Path, tests: list[Path]) -> None:
    files = rule_files(tools, tests)
    result = run([tools.path("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *files], cwd=bundle, check=False, merge=True)
    expect(result.returncode == 0, result.stdout)


def promtool(tools: Toolbox, path: Path) -> subprocess.CompletedProcess:
    return run([tools.path("promtool"), "test", "rules", path], check=False, merge=True, timeout=600)


def at_once(function: Callable[[Path], None], paths: list[Path]) -> None:
    """One test of rules keeps one processor busy."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(function, paths))


def run_tests(tools: Toolbox, tests: list[Path]) -> None:
    tools.need("promtool")

    def one_file(path: Path) -> None:
        key = digest(path, *((path.parent / name).resolve() for name in one(tools, path)["rule_files"]))
        if key not in PASSED:
            result = promtool(tools, path)
            expect(result.returncode == 0, result.stdout[-6000:])
            PASSED.add(key)

    at_once(one_file, tests)


def all_covered(tools: Toolbox, tests: list[Path]) -> None:
    """Every alert fires in one case at least, and is silent in another."""
    alerts = {rule["alert"] for path in rule_files(tools, tests) for group in one(tools, path)["groups"] for rule in group["rules"] if "alert" in rule}
    fires, silent = set(), set()
    for path in tests:
        for case in one(tools, path)["tests"]:
            for asked in case.get("promql_expr_test") or []:
                fires |= set(re.findall(r'alertname="(\w+)"', asked["expr"])) if asked.get("exp_samples") else set()
            for asked in case.get("alert_rule_test") or []:
                (silent if not asked.get("exp_alerts") else fires).add(asked["alertname"])
    expect(alerts, "there are no alerts")
    expect(alerts <= fires, f"never seen to fire: {sorted(alerts - fires)}")
    expect(alerts <= silent, f"never seen to be silent: {sorted(alerts - silent)}")


def refuses_changed(tools: Toolbox, tests: list[Path]) -> None:
    """The tests of rules notice rules that never fire, and rules that always do."""

    def one_file(path: Path) -> None:
        content = one(tools, path)
        for always in ("vector(1)", "vector(1) > 2"):
            with tempfile.TemporaryDirectory(prefix="lakewright-rules-") as folder:
                names = []
                for name in content["rule_files"]:
                    rules = one(tools, (path.parent / name).resolve())
                    for rule in (rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule):
                        rule["expr"] = always
                    names.append(f"{len(names)}.json")
                    (Path(folder) / names[-1]).write_text(json.dumps(rules), encoding="utf-8")
                changed = Path(folder) / "tests.json"
                changed.write_text(json.dumps(content | {"rule_files": names}), encoding="utf-8")
                expect(promtool(tools, changed).returncode != 0, f"{path.name} passes with `{always}` for every alert")

    at_once(one_file, tests)


def metrics_of(query: str) -> set[str]:
    """The names of the metrics that a query reads."""
    query = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`', '""', query)
    query = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", query)
    query = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", query)
    names = re.findall(r"(?<![\w:.$])([A-Za-z_:][\w:]*)(?![\w:]|\s*\()", query)
    return {name for name in names if name.lower() not in KEYWORDS}


def queries(value: object) -> list[str]:
    """The queries of a dashboard."""
    if isinstance(value, dict):
        own = [value["expr"]] if isinstance(value.get("expr"), str) else []
        return own + [query for item in value.values() for query in queries(item)]
    return [query for item in value for query in queries(item)] if isinstance(value, list) else []


def used_metrics(tools: Toolbox, bundle: Path, components: set[str]) -> dict[str, set[str]]:
    """What rules and dashboards of some components read, but for what the rules make themselves; by who reads it."""
    used: dict[str, set[str]] = {}
    made: set[str] = set()
    for path in rule_files(tools, sorted((bundle / "alerts/tests").glob("*.yaml"))):
        for rule in (rule for group in one(tools, path)["groups"] for rule in group["rules"]):
            made |= {rule["record"]} if "record" in rule else set()
            if path.stem in components:
                used[f"{path.stem}: {rule.get('alert') or rule.get('record')}"] = metrics_of(rule["expr"])
    for path in bundle.rglob("*.json"):
        if path.stem in components and "dashboards" in path.parts:
            used[f"dashboard {path.stem}"] = {name for query in queries(json.loads(path.read_text())) for name in metrics_of(query)}
    return {who: names - made for who, names in used.items()}


# Metrics that a small new platform on this machine does not show, though it measures them: when each appears.
LATER = {
    "minio_api_requests_5xx_errors_total": "a request failed",
    "minio_cluster_erasure_set_healing_drives_count": "there is an erasure set of several drives",
    "minio_replication_recent_backlog_count": "a bucket is replicated",
    "minio_system_drive_availability_errors_total": "a drive failed",
    "node_network_receive_errs_total": "there is a network device but those of the engine",
    "node_network_transmit_errs_total": "there is a network device but those of the engine",
    "pg_replication_slots_active": "there is a replication slot",
    "pg_replication_slots_pg_wal_lsn_diff": "there is a replication slot",
    "superset_dashboard_load_duration_seconds_bucket": "somebody opened a dashboard",
    "superset_dashboard_load_duration_seconds_count": "somebody opened a dashboard",
}


def absent() -> set[str]:
    """What is not looked for."""
    second = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    kernel = () if second else ("cpu_throttled_seconds_total", "memory_bytes", "memory_kills_total", "memory_limit_bytes", "restarts_total")
    # Control groups of the first version are measured nowhere: the blueprint says so.
    return {*LATER, *(f"container_{name}" for name in kernel)}


class Prometheus:
    """One that runs in a stack, asked from inside it."""

    def __init__(self, stack, service: str, port: int = 9090):
        self.stack = stack
        self.service = service
        self.port = port

    def ask(self, path: str, **words: str) -> object:
        asked = f"/api/v1/{path}" + (f"?{urllib.parse.urlencode(words)}" if words else "")
        if self.stack.speaks_tls:
            # Its image has nothing that verifies a certificate.
            networks = self.stack.containers()[self.service]["NetworkSettings"]["Networks"].values()
            place = f"{self.service}:{self.port}"
            trust = ["--cacert", str(self.stack.folder / "secrets/tls/ca.crt")]
            known = ["--resolve", f"{place}:{next(iter(networks))['IPAddress']}"]
            curl = [self.stack.tools.path("curl"), "--silent", "--show-error", "--fail", "--max-time", "30"]
            result = self.stack.engine.inside(*curl, *trust, *known, f"https://{place}{asked}")
        else:
            result = self.stack.execute(self.service, "wget", "-q", "-O", "-", f"http://127.0.0.1:{self.port}{asked}")
        answer = json.loads(result.stdout)
        expect(answer["status"] == "success", f"{path}: {answer}")
        return answer["data"]

    def until(self, what: str, function, patience: float = 120) -> None:
        """Waits until a question is answered without complaint."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return function()
            except Failure as failure:
                if time.monotonic() > deadline:
                    raise Failure(f"{what}: {failure}") from None
                time.sleep(3)

    def targets_up(self, left_out: set[str]) -> None:
        """Everything that is to be scraped is: no target is down, but those of services that are not really there."""

        def look() -> None:
            targets = self.ask("targets", state="active")["activeTargets"]
            expect(targets, "there is nothing to scrape")
            down = [
                f"{target['scrapeUrl']}: {target['lastError'] or target['health']}"
                for target in targets
                if target["health"] != "up" and target["labels"].get("service") not in left_out
            ]
            expect(not down, "\n".join(down))

        self.until("targets", look)

    def known(self) -> set[str]:
        return set(self.ask("label/__name__/values"))

    def rules_loaded(self) -> None:
        def look() -> None:
            groups = self.ask("rules")["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            expect(rules, "there are no rules")
            wrong = [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"]
            expect(not wrong, "\n".join(wrong))

        self.until("rules", look)

    def alerts_arrive(self) -> None:
        """What always fires is known where people are told of it."""

        def look() -> None:
            found = self.ask("alertmanagers")["activeAlertmanagers"]
            expect(found, "Prometheus knows no Alertmanager")
            told = self.ask("query", query="sum(prometheus_notifications_sent_total) - sum(prometheus_notifications_errors_total)")
            expect(told["result"] and float(told["result"][0]["value"][1]) > 0, "no alert was taken")

        self.until("alerts", look, patience=180)

    def metrics_exist(self, used: dict[str, set[str]]) -> None:
        """Each metric that a rule or a dashboard reads was scraped: `used` is by who uses it."""

        def look() -> None:
            known = self.known() | ALWAYS | absent()
            missing = {name: sorted(names - known) for name, names in used.items() if names - known}
            expect(not missing, "\n".join(f"{name}: {', '.join(names)}" for name, names in sorted(missing.items())))

        self.until("metrics", look, patience=90)
