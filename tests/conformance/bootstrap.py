"""`bootstrap.sh` of a bundle that runs: it changes nothing, finds who is not well, and brings that one up again."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from report import expect
from toolbox import run

if TYPE_CHECKING:
    from live import Stack

# The engine is not this machine's, and has no plugin: both are said by programs that stand before the real ones. What a stand-in
# has no program to be asked with is well. Neither the machine's memory nor its settings are the bundle's fault.
DOCKER = """#!/bin/sh
case "$*" in
  compose*) shift; exec {compose} "$@" ;;
  info*MemTotal*) echo 1099511627776 ;;
  exec*) grep -q "^$2" {pretended} || exec {docker} "$@" ;;
  *) exec {docker} "$@" ;;
esac
"""
CURL = """#!/bin/sh
exec nsenter --target {pid} --net {curl} "$@"
"""
CAT = """#!/bin/sh
case "$1" in
  /proc/sys/*) echo 2147483647 ;;
  *) exec /bin/cat "$@" ;;
esac
"""


def bootstrap(stack: "Stack", program: Path, silent: set[str]) -> None:
    """`silent` are the services that a stand-in without a program to ask with runs for."""
    programs = stack.folder.parent / "programs"
    programs.mkdir(exist_ok=True)
    pretended = programs / "pretended"

    def put(name: str, text: str, **names: object) -> None:
        (programs / name).write_text(text.format(**{key: shlex.quote(str(value)) for key, value in names.items()}), encoding="utf-8")
        (programs / name).chmod(0o755)

    put("docker", DOCKER, compose=stack.tools.path("docker-compose"), docker=stack.engine.docker_path, pretended=pretended)
    put("curl", CURL, pid=stack.engine.init_pid(), curl=stack.tools.path("curl"))
    put("cat", CAT)
    (programs / "lakewright").unlink(missing_ok=True)
    (programs / "lakewright").symlink_to(program)
    environment = stack.engine.environment | {"COMPOSE_FILE": "compose.yaml:override.stand-in.yaml"}
    environment["PATH"] = f"{programs}:{environment['PATH']}"

    def call(*words: str, status: int = 0) -> str:
        containers = stack.containers()
        pretending = [container["Id"] for name, container in containers.items() if name in silent]
        pretended.write_text("".join(f"{one}\n" for one in pretending), encoding="utf-8")
        argv = ["./bootstrap.sh", *words]
        done = run(argv, cwd=stack.folder, env=environment, check=False, merge=True, timeout=400)
        expect(done.returncode == status, f"{' '.join(argv)} ends with {done.returncode}:\n{done.stdout}")
        return done.stdout

    lasting = [name for name in stack.services if not stack.is_job(name)]

    def started() -> dict[str, str]:
        return {name: container["State"]["StartedAt"] for name, container in stack.containers().items() if name in lasting}

    asked = [name for name in lasting if (stack.services[name].get("healthcheck") or {}).get("test")]
    # One that nothing stands in for, if there is one.
    real = [name for name in asked if name not in silent]
    victim = (stack.of_kind("valkey") or real or asked)[0]
    before = started()
    stack.compose("stop", "--timeout=5", victim, merge=True)
    said = call("--smoke", status=1)
    expect(f"  {victim}: does not run\n" in said, f"nobody misses {victim}:\n{said}")
    said = call("--dry-run")
    expect(stack.containers()[victim]["State"]["Status"] == "exited", f"a dry run started {victim}:\n{said}")
    said = call()
    changed = {name for name, when in started().items() if when != before[name]}
    expect(changed == {victim}, f"started again: {sorted(changed)}\n{said}")
    missing = [name for name in asked if f"  {name}: well\n" not in said]
    expect(not missing, f"nobody asked {missing}:\n{said}")
    expect(" answers at " in said or not stack.published(), f"no page was asked for:\n{said}")
    stack.all_well()
