"""RESTORE.md of a bundle: every command that it tells people to type is run, with stand-ins for what would touch a platform.

Scripts of the bundle run as they are. What they would have a container do is read from what `docker` or `kubectl` were asked, and
given to the bundle's own backup program, which must take it. Names of services in other commands must be those of the bundle.
"""

import json
import re
import shlex
import shutil
import tempfile
from pathlib import Path

from report import Failure, expect
from toolbox import PATH, Toolbox, run

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Writes down what it was asked. Nothing of the platform runs, and jobs of a cluster are done at once.
STAND_IN = """#!/bin/sh
{ for word in "${0##*/}" "$@"; do printf '%s\\037' "${word}"; done; echo; } >>"${ASKED:?}"
case " $* " in
  *" get "*" --output=jsonpath={range .status"*) echo 'Complete ' ;;
  *) ;;
esac
"""

# What starts the program of the backups in a container: the words after it are its arguments.
STARTS = ("-backup", "-restore", "-drill")


def is_page(path: Path) -> bool:
    return path.name == "RESTORE.md"


def commands(page: str) -> list[list[str]]:
    lines = [line for block in BLOCK.findall(page) for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.strip()]


def program_arguments(words: list[str]) -> tuple[str, list[str]] | None:
    """The job, and what its program is told, of a command that starts one."""
    if words[0] == "run.sh":
        return words[1], words[2:]
    if words[:3] == ["docker", "compose", "run"]:
        job = next(at for at, word in enumerate(words[3:], 3) if not word.startswith("-"))
        return words[job], words[job + 1 :]
    for word in words:
        if words[0] == "kubectl" and word.startswith("--patch=["):
            return "", json.loads(word.removeprefix("--patch="))[0]["value"]
    return None


def answers(folder: Path) -> None:
    """Runs the commands of a bundle's page; fails at the first that is not understood."""
    page = folder / "RESTORE.md"
    found = commands(page.read_text(encoding="utf-8"))
    expect(found, "there is no command in it")
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*.yaml")]
    with tempfile.TemporaryDirectory(prefix="lakewright-page-") as temporary:
        place = Path(temporary)
        bundle = place / "bundle"
        shutil.copytree(folder, bundle)
        shims = place / "shims"
        shims.mkdir()
        stands = [shims / "docker", shims / "kubectl", shims / "lakewright"]
        # What runs a job in a Swarm is tried by tests of its own; here it matters what it is asked.
        stands += [bundle / name for name in ("run.sh", "apply.sh") if (bundle / name).exists()]
        for stand in stands:
            stand.write_text(STAND_IN, encoding="utf-8")
            stand.chmod(0o755)
        asked = place / "asked"
        environment = {"PATH": f"{shims}:{PATH}", "HOME": temporary, "ASKED": str(asked)}
        started = 0
        for words in found:
            told = shlex.join(words)
            script = bundle / (words[1] if words[0] == "sh" else words[0])
            if words[0] not in ("docker", "kubectl"):
                expect(script.is_file(), f"`{told}`: the bundle has no {script.name}")
                expect(words[0] == "sh" or script.stat().st_mode & 0o100, f"`{told}`: it is not executable")
            else:
                named(told, words, texts)
                continue
            asked.write_text("", encoding="utf-8")
            result = run(words, check=False, merge=True, cwd=bundle, env=environment, input="y\n", timeout=120)
            expect(result.returncode == 0, f"`{told}`: exit status {result.returncode}\n{result.stdout}")
            for line in asked.read_text(encoding="utf-8").splitlines():
                started += takes(told, line.rstrip("\x1f").split("\x1f"), bundle, place)
        expect(started, "no command of it starts the program of the backups")


def takes(told: str, words: list[str], bundle: Path, place: Path) -> int:
    """Gives a job's arguments to the program that it runs. Without any copy all it may say is that there is none."""
    asked = program_arguments(words)
    if asked is None or (asked[0] and not asked[0].endswith(STARTS)):
        return 0
    program = next(bundle.rglob("backup.sh"), None)
    if program is None:
        # In a cluster it is in a ConfigMap; this is the same text.
        program = Path(__file__).resolve().parents[2] / "src/blueprint/backup/backup.sh"
    (place / "scripts").mkdir(exist_ok=True)
    (place / "scripts/dump.sh").write_text("exit 1\n", encoding="utf-8")
    (place / "secret").write_text("secret\n", encoding="utf-8")
    environment = {
        "PATH": PATH, "BACKUP_COMPONENT": "page", "BACKUP_FOLDER": str(place / "folder"), "BACKUP_SCRIPTS": str(place / "scripts"),
        "BACKUP_OFFSITE": f"{place}/offsite", "BACKUP_STORE_SECRET": str(place / "secret"),
        "BACKUP_KEEP_DAYS": "1", "BACKUP_KEEP_WEEKS": "1", "BACKUP_KEEP_MONTHS": "1",
    }  # fmt: skip
    result = run(["sh", program, *asked[1]], check=False, merge=True, env=environment, timeout=60)
    expect(result.returncode in (0, 1, 4), f"`{told}` has the program do `{shlex.join(asked[1])}`:\n{result.stdout}")
    return 1


def named(told: str, words: list[str], texts: list[str]) -> None:
    """Looks for the service that a command of the engine or of the cluster is about."""
    names = re.findall(r"name=([a-z0-9_-]+)|(?:statefulset|deployment)/([a-z0-9-]+)", told)
    wanted = [first or second for first, second in names]
    if not wanted:
        # A pod is its workload with a number; anything else is named at the end.
        inside = words[words.index("-it") + 1] if "-it" in words else words[-2] if words[-1] == "sh" else words[-1]
        wanted = [re.sub(r"-\d+$", "", inside) if words[0] == "kubectl" else inside]
    for name in wanted:
        service = name.split("_", 1)[-1]
        expect(any(re.search(rf"\b{re.escape(service)}\b", text) for text in texts), f"`{told}`: the bundle has no {service}")


def pages(tools: Toolbox, folder: Path, paths: list[Path]) -> None:
    tools.need("rclone")
    tools.need("flock")
    for path in paths:
        try:
            answers(path.parent)
        except Failure as failure:
            raise Failure(f"{path.relative_to(folder)}: {failure}") from None
