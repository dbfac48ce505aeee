"""The files for CI in examples/ci/: linters and the forges' schemas accept them, and pre-commit runs its own on a scratch repository."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from report import Report, expect
from toolbox import Toolbox, run

CI = Path(__file__).resolve().parents[2] / "examples/ci"
SCHEMAS = {"github.yaml": "vendor.github-workflows", "gitlab.yaml": "vendor.gitlab-ci"}
TOPOLOGY = '[platform]\nname = "small"\n[components.valkey]\n[environments.dev]\ntarget = "compose"\n'


def test_schema(tools: Toolbox, name: str, schema: str) -> None:
    check = [tools.pip("check-jsonschema", "ci"), "--builtin-schema", schema]
    run([*check, CI / name])
    # It must be able to refuse something.
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder) / name
        text = (CI / name).read_text()
        broken.write_text(text.replace("runs-on:", "run-on:").replace("  script:", "  scripts:"))
        expect(broken.read_text() != text, "nothing was broken")
        expect(run([*check, broken], check=False).returncode != 0, "a broken file is accepted")


def test_actionlint(tools: Toolbox) -> None:
    """Also what the workflow's shell does, if shellcheck can be had."""
    (lint,) = tools.need("actionlint")
    shellcheck = tools.pip("shellcheck")
    check = [lint, "-no-color", "-shellcheck", shellcheck, "-pyflakes", ""]
    run([*check, CI / "github.yaml"])
    text = (CI / "github.yaml").read_text()
    # It must be able to refuse something: a context, an expression, a word of the shell.
    for old, new in (("runner.os", "runner.oss"), ("contents: read", "contents: all"), ('"${bundle}"', "${bundle}")):
        with tempfile.TemporaryDirectory() as folder:
            broken = Path(folder) / "github.yaml"
            broken.write_text(text.replace(old, new))
            expect(broken.read_text() != text, f"{old} is not in it")
            expect(run([*check, broken], check=False).returncode != 0, f"{new} is accepted")


def test_pre_commit(tools: Toolbox, program: Path) -> None:
    hook = tools.pip("pre-commit", "ci")
    with tempfile.TemporaryDirectory(prefix="lakewright-pre-commit-") as name:
        folder = Path(name)
        (folder / "bin").mkdir()
        (folder / "bin/lakewright").symlink_to(program)
        repository = folder / "repository"
        repository.mkdir()
        environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder)}

        def call(*words: str | Path, status: int = 0) -> None:
            done = subprocess.run(words, cwd=repository, env=environment, capture_output=True, text=True, timeout=120, check=False)
            expect((done.returncode == 0) == (status == 0), f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")

        (repository / ".pre-commit-config.yaml").write_text((CI / "pre-commit.yaml").read_text())
        (repository / "platform.toml").write_text(TOPOLOGY)
        call("git", "init", "--quiet")
        call("lakewright", "--quiet", "build")
        call("git", "add", "--all")
        call(hook, "run", "--all-files")
        for changed in (TOPOLOGY.replace("small", "other"), TOPOLOGY.replace("valkey", "nothing")):
            (repository / "platform.toml").write_text(changed)
            call("git", "add", "--all")
            call(hook, "run", status=1)


def test_ci(report: Report, tools: Toolbox, program: Callable[[], Path]) -> None:
    for name, schema in SCHEMAS.items():
        report.test(f"ci/{name}", lambda name=name, schema=schema: test_schema(tools, name, schema))
    report.test("ci/actionlint", lambda: test_actionlint(tools))
    report.test("ci/pre-commit", lambda: test_pre_commit(tools, program()))
