"""Every way in which a backup can go wrong.

The faults need no containers: the program runs as it is, on this machine, so that each takes a second or two. What is special
about a system is a small `dump.sh` there, but where the fault lies in the system.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from report import Failure, Report, expect
from toolbox import PATH, Toolbox, free_port, run

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "src/blueprint/backup/backup.sh"

# What a run calls: it is killed at some of these calls.
CALLED = ("age", "awk", "cat", "find", "flock", "mkdir", "mktemp", "mv", "rclone", "rm", "sed", "sha256sum", "sort", "stat", "sync")
# How many of them a run is killed at, spread evenly from the first to the last.
KILLS = 16

# Kills the whole run at the call that is named, and counts.
SHIM = """#!/bin/sh
echo {program} >>{folder}/calls
read -r at <{folder}/at
count=0
while read -r _; do count=$((count + 1)); done <{folder}/calls
if [ "$at" -gt 0 ] && [ "$count" -ge "$at" ]; then kill -KILL 0; fi
exec {program} "$@"
"""

# A clock that is off by some seconds.
CLOCK = """#!/bin/sh
for word; do case "$word" in -d*|@*) exec {date} "$@" ;; esac; done
read -r off <{folder}/off
exec {date} -d "@$(($({date} +%s) + off))" "$@"
"""

DUMP = """set -eu
put() { sh "$BACKUP_PROGRAM" put "$@"; }
put small echo "contents $RANDOM_PART"
put large head -c 300000 /dev/urandom
"""
RESTORE = """set -eu
sh "$BACKUP_PROGRAM" get small cat >"$RESTORED.new"
sh "$BACKUP_PROGRAM" get large cat >/dev/null
mv "$RESTORED.new" "$RESTORED"
"""


@contextlib.contextmanager
def cut(port: int, after: int) -> Iterator[int]:
    """A way to a port that breaks off once so many bytes went through, and stays broken."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = [after]

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                left[0] -= len(data)
                if left[0] < 0:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                if left[0] < 0:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", port))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


@dataclass
class Bench:
    """One component's backups in a folder of their own."""

    folder: Path
    tools: Toolbox
    key: tuple[Path, str]
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backup, self.scripts, self.store, self.shims = (self.folder / name for name in ("backup", "scripts", "store", "shims"))
        for path in (self.backup, self.scripts, self.store, self.shims):
            path.mkdir(parents=True)
        shutil.copy(PROGRAM, self.scripts)
        self.script("dump.sh", DUMP)
        self.script("restore.sh", RESTORE)
        self.script("drill.sh", RESTORE)
        (self.folder / "secret").write_text("not used by a folder\n", encoding="utf-8")
        self.restored = self.folder / "restored"
        self.settings |= {
            "BACKUP_COMPONENT": "sample", "BACKUP_FOLDER": str(self.backup), "BACKUP_SCRIPTS": str(self.scripts),
            "BACKUP_RECIPIENTS": self.key[1], "BACKUP_IDENTITY": str(self.key[0]),
            "BACKUP_KEEP_DAYS": "3", "BACKUP_KEEP_WEEKS": "2", "BACKUP_KEEP_MONTHS": "2",
            "BACKUP_RECOVERY_POINT": "93600", "BACKUP_DRILL_WITHIN": "700000",
            "BACKUP_OFFSITE": "offsite:", "BACKUP_STORE_SECRET": str(self.folder / "secret"),
            "RCLONE_CONFIG_OFFSITE_TYPE": "alias", "RCLONE_CONFIG_OFFSITE_REMOTE": str(self.store),
            "RESTORED": str(self.restored), "TMPDIR": str(self.folder), "HOME": str(self.folder),
        }  # fmt: skip

    def script(self, name: str, text: str) -> None:
        (self.scripts / name).write_text(text, encoding="utf-8")

    def shim(self, name: str, text: str) -> None:
        path = self.shims / name
        path.write_text(text.replace("{folder}", str(self.shims)), encoding="utf-8")
        path.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        path = f"{self.shims}:{PATH}"
        return {"PATH": path, "RANDOM_PART": str(time.monotonic_ns())} | self.settings | more

    def begin(self, *words: str, **more: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["sh", self.scripts / "backup.sh", *words], env=self.environment(**more), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip

    def __call__(self, *words: str, status: int | None = 0, **more: str) -> str:
        process = self.begin(*words, **more)
        try:
            output, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise Failure(f"{' '.join(words)} does not end") from None
        expect(status is None or process.returncode == status, f"{' '.join(words)}: exit status {process.returncode}, not {status}\n{output}")
        return output

    # --- what is there ---

    @staticmethod
    def whole(copy: Path) -> bool:
        """By a reader of its own: what the manifest says is there, to the last byte, and it is complete."""
        with contextlib.suppress(OSError, ValueError, StopIteration):
            lines = (copy / "manifest").read_text(encoding="utf-8").splitlines(keepends=True)
            if lines[-1] != f"end {hashlib.sha256(''.join(lines[:-1]).encode()).hexdigest()}\n":
                return False
            files = [line.split(" ", 3)[1:] for line in lines if line.startswith("file ")]
            for digest, size, name in files:
                data = (copy / name.rstrip("\n")).read_bytes()
                if len(data) != int(size) or hashlib.sha256(data).hexdigest() != digest:
                    return False
            return bool(files)
        return False

    def copies(self, place: Path | None = None) -> list[str]:
        """Those that anybody would take for one."""
        found = (place or self.backup) / "copies"
        return sorted(path.name for path in found.glob("*") if (path / "manifest").exists() and not (path / "damaged").exists())

    def metrics(self) -> dict[str, float]:
        path = self.backup / "metrics.prom"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return {name: float(value) for name, value in (line.split() for line in lines if not line.startswith("#"))}

    def alarmed(self, later: float = 2 * 86400) -> bool:
        """Whether an alert would fire, after some days without a better run."""
        found = self.metrics()
        last = found.get("backup_last_success_timestamp_seconds")
        stale = last is None or time.time() + later - last > found.get("backup_recovery_point_seconds", 0)
        return stale or 0 in (found.get("backup_last_run_success"), found.get("backup_offsite_last_run_success"))

    def sound(self, kept: list[str] = ()) -> None:
        """Nothing that is broken is listed anywhere, and nothing good is gone."""
        for place in (self.backup, self.store):
            broken = [name for name in self.copies(place) if not self.whole(place / "copies" / name)]
            expect(not broken, f"broken copies in {place.name}: {broken}")
        gone = set(kept) - set(self.copies())
        expect(not gone, f"good copies are gone: {gone}")
        catalogue = self.backup / "catalogue"
        listed = [line.split("\t")[0] for line in catalogue.read_text(encoding="utf-8").splitlines()[1:] if line.endswith("\tgood")] if catalogue.exists() else []
        wrong = [name for name in listed if not self.whole(self.backup / "copies" / name)]
        expect(not wrong, f"broken copies in the catalogue: {wrong}")

    def goes_on(self, kept: list[str] = ()) -> None:
        """The next run is as if nothing had been."""
        self.sound(kept)
        before = self.copies()
        self("run")
        self.sound(kept)
        new = set(self.copies()) - set(before)
        expect(len(new) == 1 and max(self.copies()) in new, f"the next run made {sorted(new)} beside {before}")
        if self.settings["BACKUP_OFFSITE"]:
            expect(self.copies(self.store)[-1] == self.copies()[-1], "the newest copy is not off site")
        expect(not self.alarmed(0), f"it made a copy, and the alarm stays: {self.metrics()}")
        left = [path.name for path in (self.backup / "partial").iterdir()]
        expect(not left, f"left over: {left}")


# --- killed -----------------------------------------------------------------------------------------------------------


def watch_calls(bench: Bench) -> None:
    for name in CALLED:
        program = shutil.which(name, path=PATH)
        bench.shim(name, SHIM.replace("{program}", program))
    (bench.shims / "calls").write_text("", encoding="utf-8")
    (bench.shims / "at").write_text("0\n", encoding="utf-8")


def calls_of_a_run(bench: Bench) -> int:
    bench("run")
    watch_calls(bench)
    bench("run")
    return len((bench.shims / "calls").read_text(encoding="utf-8").splitlines())


def killed(bench: Bench, share: float, total: int) -> None:
    """Killed with all that it started: at one of its calls."""
    bench("run")
    kept = bench.copies()
    watch_calls(bench)
    at = 1 + int(share * (total - 1))
    (bench.shims / "at").write_text(f"{at}\n", encoding="utf-8")
    bench("run", status=-signal.SIGKILL)
    (bench.shims / "at").write_text("0\n", encoding="utf-8")
    bench.sound(kept)
    expect(bench.alarmed(), "nobody would be told")
    shutil.rmtree(bench.shims)
    bench.goes_on(kept)


# --- what can go wrong in a run ---------------------------------------------------------------------------------------


def fails(bench: Bench, status: int = 1, **more: str) -> None:
    """A run that fails leaves what was there, says so, and the next one succeeds."""
    kept = bench.copies()
    bench("run", status=status, **more)
    bench.sound(kept)
    expect(status == 5 or bench.copies() == kept, f"a failed run made {bench.copies()}")
    found = bench.metrics()
    expect(found.get("backup_last_run_success") == 0, f"it is not measured: {found}")
    expect(bench.alarmed(0), "nobody would be told")


def after_one(test: Callable[[Bench], None]) -> Callable[[Bench], None]:
    """There is a good copy before, and another afterwards."""

    def wrapped(bench: Bench) -> None:
        bench("run")
        kept = bench.copies()
        test(bench)
        bench.script("dump.sh", DUMP)
        shutil.rmtree(bench.shims, ignore_errors=True)
        bench.goes_on(kept)

    wrapped.__doc__ = test.__doc__
    wrapped.__name__ = test.__name__
    return wrapped


@after_one
def command_fails(bench: Bench) -> None:
    """What is copied ends with an error after most of it was written."""
    bench.script("dump.sh", DUMP + "put more sh -c 'echo much; exit 3'\n")
    fails(bench)


@after_one
def command_killed(bench: Bench) -> None:
    """The system's own program is killed while it writes."""
    bench.script("dump.sh", DUMP + "put more sh -c 'echo much; kill -KILL $$'\n")
    fails(bench)


@after_one
def command_stops(bench: Bench) -> None:
    """It is gone altogether."""
    bench.script("dump.sh", DUMP + "put more no-such-program\n")
    fails(bench)


@after_one
def script_fails(bench: Bench) -> None:
    bench.script("dump.sh", DUMP + "false\n")
    fails(bench)


@after_one
def nothing_made(bench: Bench) -> None:
    """A script that ends well and made nothing."""
    bench.script("dump.sh", "exit 0\n")
    fails(bench)


@after_one
def empty_file(bench: Bench) -> None:
    """Without encryption an empty dump would be an empty file."""
    bench.script("dump.sh", DUMP + 'put empty true\n')
    fails(bench, BACKUP_RECIPIENTS="")


@after_one
def encryption_fails(bench: Bench) -> None:
    bench.shim("age", "#!/bin/sh\nhead -c 1000\nexit 1\n")
    fails(bench)


@after_one
def encryption_missing(bench: Bench) -> None:
    bench.shim("age", "#!/bin/sh\necho 'age: not found' >&2\nexit 127\n")
    fails(bench)


@after_one
def wrong_recipient(bench: Bench) -> None:
    fails(bench, BACKUP_RECIPIENTS="age1nonsense")


@after_one
def checksum_fails(bench: Bench) -> None:
    """The disk gives back something else than was written."""
    bench.shim("sha256sum", f"#!/bin/sh\ncase \"$1\" in --check) exit 1 ;; *) exec {shutil.which('sha256sum')} \"$@\" ;; esac\n")
    fails(bench)


@after_one
def not_synced(bench: Bench) -> None:
    """The disk refuses when it is asked to hold what was written."""
    bench.shim("sync", "#!/bin/sh\necho 'sync: Input/output error' >&2\nexit 1\n")
    fails(bench)


@after_one
def rename_fails(bench: Bench) -> None:
    bench.shim("mv", f"#!/bin/sh\ncase \"$2\" in */copies/*) exit 1 ;; *) exec {shutil.which('mv')} \"$@\" ;; esac\n")
    fails(bench)


def disk_full(bench: Bench) -> None:
    """The disk is full in the middle of a copy, and has room again later."""
    with small_disk(bench, "900k"):
        bench("run")
        kept = bench.copies()
        bench("run", "--dry-run")
        filler = bench.backup / "filler"
        filler.write_bytes(b"x" * 350_000)
        bench("run", status=1)
        bench.sound(kept)
        filler.unlink()
        bench.goes_on(kept)


def disk_quite_full(bench: Bench) -> None:
    """There is no room for a single byte, not even to say so."""
    with small_disk(bench, "1500k"):
        bench("run")
        kept = bench.copies()
        before = bench.metrics()
        filler = bench.backup / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as handle:
            while True:
                handle.write(b"x" * 4096)
        bench("run", status=1)
        bench.sound(kept)
        expect(bench.metrics() == before and bench.alarmed(), "what was measured last is lost")
        filler.unlink()
        bench.goes_on(kept)


@contextlib.contextmanager
def small_disk(bench: Bench, size: str) -> Iterator[None]:
    run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", bench.backup])
    try:
        yield
    finally:
        run(["umount", bench.backup])


# --- off site ---------------------------------------------------------------------------------------------------------


@after_one
def offsite_away(bench: Bench) -> None:
    """The store does not answer: the copy is made all the same, and sent by the next run."""
    kept = bench.copies()
    settings = dict(bench.settings)
    bench.settings |= s3(free_port())
    fails(bench, 5)
    bench.settings = settings
    expect(len(bench.copies()) == len(kept) + 1, "no copy was made here")
    bench("run")
    expect(bench.copies(bench.store)[-2:] == bench.copies()[-2:], "the one that was not sent was not sent later")


@after_one
def offsite_full(bench: Bench) -> None:
    """The store takes a part of a copy only."""
    kept = bench.copies(bench.store)
    run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", bench.store])
    try:
        fails(bench, 5)
        expect(not bench.copies(bench.store), "half a copy counts as one")
    finally:
        run(["umount", bench.store])
    expect(bench.copies(bench.store) == kept, "the store lost something")


@after_one
def offsite_garbles(bench: Bench) -> None:
    """What arrives is not what was sent."""
    real = shutil.which("rclone", path=PATH)
    bench.shim("rclone", f"#!/bin/sh\n{real} \"$@\" || exit\ncase \"$1\" in copy) find {bench.store} -name 'large*' -newer {bench.scripts}/backup.sh -exec sh -c 'echo x >>\"$1\"' sh '{{}}' \\; ;; esac\n")
    kept = bench.copies(bench.store)
    bench("run", status=5)
    expect(bench.copies(bench.store)[: len(kept)] == kept, "good copies are gone off site")
    for name in bench.copies(bench.store):
        (bench.store / "copies" / name).exists()
    shutil.rmtree(bench.store / "copies")
    for path in (bench.backup / "copies").glob("*/sent"):
        path.unlink()


def s3(port: int, secret: Path | None = None, bucket: str = "copies") -> dict[str, str]:
    name = secret.parent.name if secret else "nowhere"
    told = {
        "RCLONE_CONFIG_OFFSITE_TYPE": "s3", "RCLONE_CONFIG_OFFSITE_PROVIDER": "Other",
        "RCLONE_CONFIG_OFFSITE_ENDPOINT": f"http://127.0.0.1:{port}", "RCLONE_CONFIG_OFFSITE_REGION": "us-east-1",
        "RCLONE_CONFIG_OFFSITE_ACCESS_KEY_ID": "backup", "RCLONE_CONFIG_OFFSITE_NO_CHECK_BUCKET": "true",
        "BACKUP_OFFSITE": f"offsite:{bucket}/{name}", "RCLONE_CONTIMEOUT": "2s", "RCLONE_RETRIES": "1", "RCLONE_LOW_LEVEL_RETRIES": "1",
    }  # fmt: skip
    return told | ({"BACKUP_STORE_SECRET": str(secret)} if secret else {})


def in_store(bench: Bench, port: int) -> list[str]:
    return bench("list", "--from", "offsite", **s3(port, bench.folder / "right")).split()


def s3_case(bench: Bench, port: int, settings: dict[str, str]) -> None:
    """A run with the store in some bad state: the copy is made here; with the right settings it gets there later."""
    right = s3(port, bench.folder / "right")
    bench.settings |= right
    bench("run")
    there = in_store(bench, port)
    expect(there == bench.copies(), f"off site there is {there}")
    fails(bench, 5, **settings)
    expect(in_store(bench, port) == there, "something else is off site than before")
    bench("run")
    expect(in_store(bench, port) == bench.copies(), "not everything is off site")
    shutil.rmtree(bench.backup / "copies")
    bench("restore")
    expect(bench.restored.exists(), "nothing was restored from off site")
    bench("drill")


def s3_wrong_secret(bench: Bench, port: int) -> None:
    """The account's key was changed."""
    s3_case(bench, port, s3(port, bench.folder / "wrong"))


def s3_no_bucket(bench: Bench, port: int) -> None:
    """The bucket is not there."""
    s3_case(bench, port, s3(port, bench.folder / "right", "no-such-bucket"))


def s3_cut(bench: Bench, port: int) -> None:
    """The network breaks in the middle of what is sent."""
    with cut(port, 150_000) as broken:
        s3_case(bench, port, s3(broken, bench.folder / "right"))


# --- clocks -----------------------------------------------------------------------------------------------------------


def clock(bench: Bench, seconds: int) -> None:
    (bench.shims / "off").write_text(f"{seconds}\n", encoding="utf-8")
    bench.shim("date", CLOCK.replace("{date}", shutil.which("date", path=PATH)))


@after_one
def clock_back(bench: Bench) -> None:
    """The clock goes back by a day: the next copy is the newest all the same."""
    clock(bench, -86400)
    kept = bench.copies()
    bench("run")
    expect(bench.copies()[:-1] == kept, f"{bench.copies()} after {kept}")


@after_one
def clock_jumps(bench: Bench) -> None:
    """It is ten years ahead for one run, and right again: nothing is deleted for its age."""
    kept = bench.copies()
    clock(bench, 10 * 365 * 86400)
    bench("run")
    expect(set(kept) < set(bench.copies()), "a clock that was wrong deleted a copy")
    clock(bench, 0)
    bench("run")
    expect(len(bench.copies()) == len(kept) + 2, f"{bench.copies()}")


def long_silence(bench: Bench) -> None:
    """No run succeeds for two years: the last good copy stays."""
    bench("run")
    kept = bench.copies()
    bench.script("dump.sh", "exit 1\n")
    for days in (1, 40, 400, 800):
        clock(bench, days * 86400)
        bench("run", status=1)
        bench.sound(kept)
    expect(bench.copies() == kept and bench.copies(bench.store) == kept, "the last good copy is gone")


def generations(bench: Bench) -> None:
    """Days, weeks and months: of two months of daily runs, those that are to be kept, and the same off site."""
    begin = 1_767_225_600 - int(time.time())  # 2026-01-01
    bench.script("dump.sh", 'sh "$BACKUP_PROGRAM" put small date\n')
    for day in (0, 20, 31, 50, 51, 52, 53):
        clock(bench, begin + day * 86400)
        bench("run")
    found = [name[:8] for name in bench.copies()]
    # The last three days; the week before ended on the 22nd; of January the newest.
    expect(found == ["20260121", "20260221", "20260222", "20260223"], f"kept: {found}")
    expect(bench.copies(bench.store) == bench.copies(), "others are kept off site")


# --- two at a time ----------------------------------------------------------------------------------------------------


@after_one
def overlap(bench: Bench) -> None:
    """A second run sees the first, and leaves it alone; so do a drill and a restore."""
    bench.script("dump.sh", f"touch {bench.folder}/there; sleep 1.5\n" + DUMP)
    first = bench.begin("run")
    deadline = time.monotonic() + 10
    while not (bench.folder / "there").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    for words in (("run",), ("restore",), ("drill",)):
        bench(*words, status=3)
    output, _ = first.communicate(timeout=60)
    expect(first.returncode == 0, output)


# --- copies that were good --------------------------------------------------------------------------------------------


def damage(bench: Bench, how: Callable[[Path], None]) -> None:
    """The newest copy is damaged here: it is noticed, the one off site is taken, and nothing is deleted."""
    bench.settings |= {"BACKUP_KEEP_DAYS": "1", "BACKUP_KEEP_WEEKS": "0", "BACKUP_KEEP_MONTHS": "0"}
    bench("run")
    time.sleep(1.1)
    bench("run")
    older, newest = bench.copies()
    how(bench.backup / "copies" / newest)
    bench("restore", newest)
    expect(bench.restored.exists(), "it was not restored from off site")
    bench("verify", status=1)
    expect(bench.copies(bench.backup) in ([older], [older, newest]) and bench.whole(bench.backup / "copies" / older), "the older one is gone")
    shutil.rmtree(bench.store / "copies" / newest)
    bench.restored.unlink()
    bench("restore")
    expect(bench.restored.exists(), "the older one was not taken")
    bench("restore", newest, status=4)
    bench("run")
    expect(bench.whole(bench.backup / "copies" / bench.copies()[-1]), "the next run made nothing good")


def flip(copy: Path) -> None:
    path = next(copy.glob("large*"))
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)


def truncate(copy: Path) -> None:
    path = next(copy.glob("large*"))
    path.write_bytes(path.read_bytes()[:-1])


def remove(copy: Path) -> None:
    next(copy.glob("large*")).unlink()


def shorten(copy: Path) -> None:
    path = copy / "manifest"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-2]), encoding="utf-8")


# --- restores ---------------------------------------------------------------------------------------------------------


def no_key(bench: Bench) -> None:
    """Without the key nothing is begun; with another one nothing is touched."""
    bench("run")
    other = bench.folder / "other"
    run(["age-keygen", "-o", other])
    for key in ("/nowhere", str(other)):
        bench("restore", status=1, BACKUP_IDENTITY=key)
        expect(not bench.restored.exists(), "it restored something")
        bench("drill", status=1, BACKUP_IDENTITY=key)
        expect(bench.metrics()["backup_drill_last_run_success"] == 0, "a failed drill is not measured")
    bench("drill")
    expect(bench.metrics()["backup_drill_last_run_success"] == 1, "a good drill is not measured")


def everything_lost(bench: Bench) -> None:
    """There is nothing but the store and the key."""
    bench("run")
    name = bench.copies()[-1]
    shutil.rmtree(bench.backup)
    bench.backup.mkdir()
    bench("restore", "--from", "local", status=4)
    bench("restore")
    expect(bench.restored.exists(), "nothing was restored")
    bench("run")
    expect(bench.copies()[-1] > name and len(bench.copies(bench.store)) == 2, "copies off site are gone")


def restore_fails(bench: Bench) -> None:
    bench("run")
    bench.script("restore.sh", "exit 7\n")
    bench("restore", status=1)
    bench.script("restore.sh", RESTORE)
    bench("restore")
    bench.goes_on()


def dry_runs(bench: Bench) -> None:
    """Say what would be done, and do nothing."""
    bench("run")
    before = {path: path.read_bytes() for path in bench.backup.rglob("*") if path.is_file()}
    bench("run", "--dry-run")
    output = bench("restore", "--dry-run")
    expect("large" in output and not bench.restored.exists(), output)
    after = {path: path.read_bytes() for path in bench.backup.rglob("*") if path.is_file()}
    expect(before == after, f"changed: {[str(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path)]}")
    for words in (("restore", "../x"), ("restore", "--from", "moon"), ("nonsense",), (), ("run", "2026"), ("run", "--force")):
        bench(*words, status=2)


@after_one
def nobody_measures(bench: Bench) -> None:
    """Whoever takes the measurements is away: the run counts all the same."""
    bench("run", BACKUP_PUSH=f"http://127.0.0.1:{free_port()}/metrics/job/backup/component/sample")


HERE_ONLY = (
    command_fails, command_killed, command_stops, script_fails, nothing_made, empty_file, encryption_fails, encryption_missing,
    wrong_recipient, checksum_fails, not_synced, rename_fails, disk_full, disk_quite_full, clock_back, overlap, no_key,
    restore_fails, dry_runs, nobody_measures,
)  # fmt: skip
FAULTS = (offsite_away, offsite_full, offsite_garbles, clock_jumps, long_silence, generations, everything_lost)
DAMAGES = (flip, truncate, remove, shorten)
STORES = (s3_wrong_secret, s3_no_bucket, s3_cut)


@contextlib.contextmanager
def object_store(tools: Toolbox, folder: Path) -> Iterator[int]:
    """A real one, with a bucket."""
    port = free_port()
    (folder / "copies").mkdir(parents=True)
    environment = {"PATH": PATH, "HOME": str(folder), "MINIO_ROOT_USER": "backup", "MINIO_ROOT_PASSWORD": "the-right-secret"}
    argv = [tools.path("minio"), "server", "--quiet", f"--address=127.0.0.1:{port}", folder]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            time.sleep(1)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def test_faults(report: Report, tools: Toolbox) -> None:
    """Every fault, each with backups of its own; the last line says how many there were."""
    if not report.wants("backup/faults"):
        return
    report.test("backup/faults", lambda: all_faults(tools))


def all_faults(tools: Toolbox) -> None:
    tools.need("age", "age-keygen", "rclone", "flock")
    with tempfile.TemporaryDirectory(prefix="lakewright-backup-") as temporary:
        folder = Path(temporary)
        identity = folder / "key"
        run(["age-keygen", "-o", identity])
        key = (identity, run(["age-keygen", "-y", identity]).stdout.strip())

        def bench(name: str) -> Bench:
            made = Bench(folder / name, tools, key)
            (made.folder / "right").write_text("the-right-secret\n", encoding="utf-8")
            (made.folder / "wrong").write_text("not-the-right-secret\n", encoding="utf-8")
            return made

        def here(name: str) -> Bench:
            """Without a store: it would only take time."""
            made = bench(name)
            made.settings["BACKUP_OFFSITE"] = ""
            return made

        total = calls_of_a_run(bench("calls"))
        cases: list[tuple[str, Callable[[], None]]] = [
            (f"killed at call {1 + int(at / (KILLS - 1) * (total - 1))} of {total}", lambda at=at: killed(bench(f"killed-{at}"), at / (KILLS - 1), total))
            for at in range(KILLS)
        ]
        cases += [(fault.__name__, lambda fault=fault: fault(here(fault.__name__))) for fault in HERE_ONLY]
        cases += [(fault.__name__, lambda fault=fault: fault(bench(fault.__name__))) for fault in FAULTS]
        cases += [(how.__name__, lambda how=how: damage(bench(how.__name__), how)) for how in DAMAGES]
        failed = []
        with object_store(tools, folder / "minio") as port:
            cases += [(case.__name__, lambda case=case: case(bench(case.__name__), port)) for case in STORES]

            def attempt(name: str, case: Callable[[], None]) -> None:
                begin = time.monotonic()
                try:
                    case()
                except Failure as failure:
                    failed.append(f"{name}: {failure}")
                if os.environ.get("LAKEWRIGHT_SLOW"):
                    print(f"    {name} ({time.monotonic() - begin:.1f} s)", flush=True)

            # Most of the time they wait for processes to begin and to end.
            with ThreadPoolExecutor(max_workers=4) as workers:
                list(workers.map(lambda both: attempt(*both), cases))
        expect(not failed, "\n".join(failed))
        print(f"    {len(cases)} faults: none made a broken copy, none cost a good one")
