"""Checks that read a bundle's files, each with the program the files are for. A check gets a folder it may write to."""

import itertools
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dashboards import BROKEN, dashboards_fit, is_dashboard
from report import Failure, expect
from restoring import is_page, pages
from toolbox import HERE, PATH, Toolbox, run

YAMLLINT = "{rules: {key-duplicates: enable, octal-values: {forbid-implicit-octal: true}}}"

# Told with the whole command line or about style that generated scripts need not share.
SHELLCHECK_OFF = ",".join(
    [
        "SC1091",  # sources a file that is only there at run time
        "SC2250",  # braces around every variable
        "SC2292",  # [[ ]] in scripts for bash
        "SC2310",  # a function in a condition runs without set -e
        "SC2311",
        "SC2312",  # a command substitution's exit status
    ]
)

# Versions of Debian packages cannot be pinned: old ones leave the archive.
HADOLINT_OFF = ["DL3008"]


def files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def shebang(path: Path) -> str:
    with open(path, "rb") as handle:
        line = handle.readline(200)
    return line.decode("latin-1").strip() if line.startswith(b"#!") else ""


def is_shell(path: Path) -> bool:
    return path.suffix in (".sh", ".bash") or bool(re.match(r"#!.*\b(ba|da|a)?sh\b", shebang(path)))


def is_python(path: Path) -> bool:
    return path.suffix == ".py" or bool(re.match(r"#!.*\bpython", shebang(path)))


def is_dockerfile(path: Path) -> bool:
    return path.name == "Dockerfile" or path.name.startswith("Dockerfile.") or path.suffix == ".Dockerfile"


def is_yaml(path: Path) -> bool:
    # Kustomize knows this name too, and kubectl does not take it for an object's.
    return path.suffix in (".yaml", ".yml") or path.name == "Kustomization"


def is_crontab(path: Path) -> bool:
    return path.name == "crontab" or path.suffix in (".cron", ".crontab")


def with_suffix(*suffixes: str) -> Callable[[Path], bool]:
    return lambda path: path.suffix in suffixes


def each(paths: list[Path], folder: Path, check: Callable[[Path], str]) -> None:
    """Runs `check` on every path; fails with all that it had to say."""
    said = []
    for path in paths:
        message = check(path).strip()
        if message:
            said.append(f"{path.relative_to(folder)}: {message}")
    if said:
        raise Failure("\n".join(said))


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is written twice")
    return result


def json_parses(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    def check(path: Path) -> str:
        try:
            json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique_keys)
        except ValueError as error:
            return str(error)
        return ""

    each(paths, folder, check)


def toml_parses(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    def check(path: Path) -> str:
        try:
            tomllib.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            return str(error)
        return ""

    each(paths, folder, check)


def python_compiles(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    def check(path: Path) -> str:
        try:
            compile(path.read_bytes(), path.name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            return str(error)
        return ""

    each(paths, folder, check)


def yaml_lint(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    argv = [tools.pip("yamllint"), "-f", "parsable", "-d", YAMLLINT, *[path.relative_to(folder) for path in paths]]
    result = run(argv, cwd=folder, check=False, merge=True)
    expect(result.returncode == 0 and not result.stdout.strip(), result.stdout)


def shell_check(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    names = [path.relative_to(folder) for path in paths]
    argv = [tools.pip("shellcheck"), "-o", "all", "-e", SHELLCHECK_OFF, "-f", "gcc", *names]
    result = run(argv, cwd=folder, check=False, merge=True)
    expect(result.returncode == 0, result.stdout)


def docker_files(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    ignored = [word for code in HADOLINT_OFF for word in ("--ignore", code)]
    argv = [tools.pip("hadolint"), "--no-color", *ignored, *[path.relative_to(folder) for path in paths]]
    result = run(argv, cwd=folder, check=False, merge=True)
    expect(result.returncode == 0, result.stdout)


def crontabs(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    crontab = tools.path("crontab")

    def check(path: Path) -> str:
        result = run([crontab, "-n", path], check=False, merge=True)
        return result.stdout if result.returncode else ""

    each(paths, folder, check)


def units(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    # A timer is read together with its service, and a calendar event that is none is only a warning.
    result = run([tools.path("systemd-analyze"), "verify", *paths], check=False, merge=True)
    expect(result.returncode == 0 and not result.stdout.strip(), result.stdout)
    timers = [path.read_text(encoding="utf-8") for path in paths if path.suffix == ".timer"]
    events = {event for text in timers for event in re.findall(r"^OnCalendar=(.*)$", text, re.MULTILINE)}
    for event in sorted(events):
        result = run([tools.path("systemd-analyze"), "calendar", event], check=False, merge=True)
        expect(result.returncode == 0 and "Next elapse: never" not in result.stdout, f"{event}: {result.stdout}")


def no_secrets(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    # The configuration is given, so that nothing in the bundle or the user's settings can switch rules off.
    argv = [tools.pip("gitleaks"), "dir", folder, "--no-banner", "--redact", "--exit-code", "3", "--verbose", "--no-color", "--config", HERE / "gitleaks.toml"]
    result = run(argv, check=False, merge=True, env={"PATH": PATH, "HOME": str(folder)})
    expect(result.returncode == 0, result.stdout)


# What runs on one machine, and what runs beside a Swarm's stack.
COMPOSE_FILES = {"compose.yaml", "beside.yaml"}


def compose_accepts(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    compose = tools.path("docker-compose")
    for path, extra in itertools.product(paths, ([], ["--profile", "*"])):
        result = run(
            [compose, "-f", path, *extra, "config", "--quiet"],
            cwd=folder, check=False, env={"PATH": PATH, "HOME": str(folder)},
        )  # fmt: skip
        expect(result.returncode == 0, result.stderr or result.stdout)
        expect(not result.stderr.strip(), f"warnings:\n{result.stderr}")


def is_prometheus(path: Path) -> bool:
    # Rules of a component and their tests have its name.
    return path.name == "prometheus.yaml" and path.parent.name not in ("rules", "tests")


def prometheus_reads(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    # Files that it names are where the container has them.
    promtool = tools.path("promtool")

    def check(path: Path) -> str:
        result = run([promtool, "check", "config", "--syntax-only", path], check=False, merge=True)
        return result.stdout if result.returncode else ""

    each(paths, folder, check)


# Lines that detect-secrets takes for secrets, and why they are none.
NO_SECRETS = {
    r'"[0-9a-f]{64}"': "digests of files that everybody may read",
    r"lakewright\.files: ": "likewise",
    r"\bage1[0-9a-z]{58}\b": "a public key",
    r"password_encryption = ": "the name of a method",
    r"\b(secretName|existingSecret): ": "the name of a Secret",
    r"- secretKey: (password|value)$": "the name of a key in one",
    r"trustStorePassword=changeit": "the password of a store of certificates, which protects nothing",
    r"with the secret `": "the name of a secret",
    r"Nothing here is secret|# Not a secret: ": "a remark",
    r"password(: str\b| = base\b|=False\b|[,)}])": "programs hand it on, from a file",
    r'PGPASSWORD"\] = _password$': "likewise",
    r'"secret_store": "': "what keeps them",
    r'"passwordPolicy": ': "what passwords have to be like",
    r'"certificate": "MII': "a certificate",
}


def nothing_detected(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    argv = [tools.pip("detect-secrets"), "scan", "--all-files", "--no-verify"]
    for line in NO_SECRETS:
        argv += ["--exclude-lines", line]
    found = json.loads(run([*argv, "."], cwd=folder).stdout)["results"]
    lines = [f"{path}:{one['line_number']}: {one['type']}" for path, all_of_it in found.items() for one in all_of_it]
    expect(not lines, "\n".join(lines))


@dataclass(frozen=True)
class Check:
    name: str
    applies: Callable[[Path], bool]
    run: Callable[[Toolbox, Path, list[Path]], None]
    # A file that the check must refuse: it proves that the check can fail.
    broken: tuple[str, str]


CHECKS = [
    Check("json", with_suffix(".json"), json_parses, ("a.json", '{"a": 1, "a": 2}')),
    Check("toml", with_suffix(".toml"), toml_parses, ("a.toml", "a = 1\na = 2\n")),
    Check("yaml", is_yaml, yaml_lint, ("a.yaml", "a: 1\na: 2\n")),
    Check("python", is_python, python_compiles, ("a.py", "def f(:\n")),
    Check("shellcheck", is_shell, shell_check, ("a.sh", '#!/bin/sh\nrm -rf $1/*\n')),
    Check("hadolint", is_dockerfile, docker_files, ("Dockerfile", "FROM debian\nRUN cd /tmp\n")),
    Check("crontab", is_crontab, crontabs, ("backup.cron", "61 2 * * * true\n")),
    Check("systemd", with_suffix(".service", ".timer"), units, ("a.timer", "[Timer]\nOnCalendar=*-*-* 61:00\n")),
    Check("restore-page", is_page, pages, ("RESTORE.md", "```sh\n./restore-nothing.sh\n```\n")),
    Check("gitleaks", lambda path: True, no_secrets, ("app.env", "GITHUB_TOKEN=ghp_" + "9aB3xK7mQ2vR5tY8wZ1cF4gH6jL0nP" + "sD3fTq\n")),
    Check("detect-secrets", lambda path: True, nothing_detected, ("app.ini", "password = 9aB3xK7mQ2vR\n")),
    Check("grafana-types", is_dashboard, dashboards_fit, ("a.json", BROKEN)),
    Check("prometheus-config", is_prometheus, prometheus_reads, ("prometheus.yaml", "scrape_configs: [{job_name: a, intervall: 1m}]\n")),
    Check(
        "compose-config",
        lambda path: path.name in COMPOSE_FILES,
        compose_accepts,
        ("compose.yaml", "services: {a: {image: b, depends_on: [c]}}\n"),
    ),
]
