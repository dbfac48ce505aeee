"""What lies on disks: a real object store, started by a bundle's own scripts, encrypts what it keeps.

The scripts run here, without containers: paths and addresses in them are those of a folder of this test.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from report import Report, expect
from toolbox import PATH, Toolbox, free_port, run

TOPOLOGY = """
[platform]
name = "kept"
[components.minio]
[environments.before]
target = "compose"
components.minio.encryption = false
[environments.after]
target = "compose"
components.minio.encryption = true
"""

OLD, NEW = "written before there was a key", "written when there was one"


class Store:
    """A server and its data; it is started by the bundle of either environment."""

    def __init__(self, tools: Toolbox, folder: Path, compiler: Callable):
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "bin/mc").symlink_to(tools.path("mc"))
        self.server = tools.path("minio")
        self.data = folder / "data"
        self.data.mkdir()
        self.port = free_port()
        (folder / "platform.toml").write_text(TOPOLOGY, encoding="utf-8")
        compiler("build", "platform.toml", "-o", "built", cwd=folder)
        for environment in ("before", "after"):
            compiler("secrets", "init", folder / "built" / environment, cwd=folder)
        self.settings = {
            name: tools.yaml(folder / "built" / name / "compose.yaml")[0]["services"]["minio"]["environment"] for name in ("before", "after")
        }
        # One store has one password.
        shutil.copy(folder / "built/after/secrets/minio-root-password", folder / "built/before/secrets/minio-root-password")
        self.key = folder / "built/after/secrets/minio-encryption-key"
        password = (folder / "built/after/secrets/minio-root-password").read_text(encoding="utf-8").strip()
        self.environment = {
            "PATH": f"{folder / 'bin'}:{PATH}", "HOME": str(folder), "MC_CONFIG_DIR": str(folder / "tmp/mc"), "MINIO_ROOT_USER": "root",
            "MINIO_ROOT_PASSWORD": password,
        }  # fmt: skip
        (folder / "tmp").mkdir()

    def script(self, environment: str, name: str) -> Path:
        """A script of a bundle that finds everything in this folder."""
        text = (self.folder / "built" / environment / "minio" / name).read_text(encoding="utf-8")
        for old, new in (
            ("/tmp/", f"{self.folder}/tmp/"),
            ("/run/secrets/", f"{self.folder}/built/{environment}/secrets/"),
            ("/usr/bin/docker-entrypoint.sh", str(self.server)),
            ("http://minio:9000", f"http://127.0.0.1:{self.port}"),
        ):
            text = text.replace(old, new)
        path = self.folder / f"{environment}-{name}"
        path.write_text(text, encoding="utf-8")
        return path

    @contextlib.contextmanager
    def running(self, environment: str) -> Iterator[None]:
        told = {name: value.replace("/tmp/", f"{self.folder}/tmp/") for name, value in self.settings[environment].items() if "KMS" in name}
        argv = ["sh", self.script(environment, "entry.sh"), "server", "--quiet", f"--address=127.0.0.1:{self.port}", self.data]
        with subprocess.Popen(argv, env={**self.environment, **told}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                deadline = time.monotonic() + 60
                while run(["curl", "--silent", "--fail", f"http://127.0.0.1:{self.port}/minio/health/live"], check=False).returncode:
                    expect(time.monotonic() < deadline and process.poll() is None, "the server does not start")
                    time.sleep(0.2)
                yield
            finally:
                process.kill()

    def buckets(self, environment: str) -> None:
        run(["sh", self.script(environment, "buckets.sh")], env=self.environment, merge=True, timeout=120)

    def mc(self, *words: str, check: bool = True, **options):
        return run(["mc", "--quiet", *words], env=self.environment, check=check, merge=True, timeout=60, **options)

    def on_disk(self, text: str) -> bool:
        return any(text.encode() in path.read_bytes() for path in self.data.rglob("*") if path.is_file())


def encrypted(tools: Toolbox, folder: Path, compiler: Callable) -> None:
    """New objects are unreadable on disk and without the key; old ones stay readable."""
    store = Store(tools, folder, compiler)
    with store.running("before"):
        store.buckets("before")
        store.mc("pipe", "lake/bronze/old", input=OLD)
    expect(store.on_disk(OLD), "the test does not find what is in clear")
    with store.running("after"):
        store.buckets("after")
        store.buckets("after")  # any number of times
        store.mc("pipe", "lake/bronze/new", input=NEW)
        said = store.mc("stat", "lake/bronze/new").stdout
        expect("SSE-S3" in said, f"the server does not say that it is encrypted: {said}")
        expect(NEW in store.mc("cat", "lake/bronze/new").stdout and OLD in store.mc("cat", "lake/bronze/old").stdout, "unreadable")
    expect(not store.on_disk(NEW), "what is encrypted can be read on the disk")
    file = folder / "tmp/encryption.key"
    expect(file.stat().st_mode & 0o077 == 0, "others can read the key")
    # Without a key, and with another one.
    right = store.key.read_text(encoding="utf-8")
    with store.running("before"):
        said = store.mc("cat", "lake/bronze/new", check=False)
        expect(said.returncode != 0 and NEW not in said.stdout, "it is read without the key")
    store.key.write_text("A" * 43 + "=", encoding="utf-8")
    with store.running("after"):
        said = store.mc("cat", "lake/bronze/new", check=False)
        expect(said.returncode != 0 and NEW not in said.stdout, "it is read with another key")
    store.key.write_text(right, encoding="utf-8")
    with store.running("after"):
        expect(NEW in store.mc("cat", "lake/bronze/new").stdout, "it is not read with its key any more")


def test_at_rest(report: Report, tools: Toolbox, compiler: Callable) -> None:
    """What needs no engine."""

    def attempt() -> None:
        tools.need("minio", "mc", "curl")
        with tempfile.TemporaryDirectory(prefix="lakewright-at-rest-") as folder:
            os.chmod(folder, 0o700)
            encrypted(tools, Path(folder), compiler)

    report.test("at-rest/minio", attempt)
