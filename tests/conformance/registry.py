"""The lock against a real registry: in clear on this machine, and over TLS for those who log in."""

import base64
import contextlib
import crypt
import hashlib
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from report import Report, expect
from toolbox import Toolbox, free_port, run

USER, PASSWORD = "reader", "correct horse"
MACHINES = (("amd64", None), ("arm64", "v8"))


@contextlib.contextmanager
def registry(tools: Toolbox, folder: Path, port: int, secure: bool) -> Iterator[None]:
    """A registry on this machine; a secure one has a certificate of its own and lets nobody in without a password."""
    settings = [f"http:\n  addr: 127.0.0.1:{port}\n"]
    if secure:
        run([*tools.need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"])
        hashed = crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH))
        (folder / "users").write_text(f"{USER}:{hashed}\n")
        settings.append(f"  tls:\n    certificate: {folder}/cert.pem\n    key: {folder}/key.pem\n")
        settings.append(f"auth:\n  htpasswd:\n    realm: here\n    path: {folder}/users\n")
    settings.append(f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\n  delete:\n    enabled: true\n")
    (folder / "registry.yaml").write_text("".join(settings))
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen([*tools.need("docker-registry"), "serve", folder / "registry.yaml"], stdout=log, stderr=log)
    try:
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            expect(process.poll() is None, f"the registry does not start: {(folder / 'registry.log').read_text()}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)


def layout(folder: Path, content: str) -> None:
    """An OCI image layout with an image for two kinds of machines."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    manifests = []
    for architecture, variant in MACHINES:
        machine = {"os": "linux", "architecture": architecture} | ({"variant": variant} if variant else {})
        image = {**machine, "author": content, "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
        config = blob(json.dumps(image).encode(), "application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []}
        manifests.append(blob(json.dumps(manifest).encode(), str(manifest["mediaType"])) | {"platform": machine})
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    entry = blob(json.dumps(index).encode(), str(index["mediaType"]))
    named = entry | {"annotations": {"org.opencontainers.image.ref.name": "this"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


class Site:
    """A topology whose images come from a registry of this machine, and the program that locks them."""

    def __init__(self, tools: Toolbox, program: Path, folder: Path, port: int, secure: bool):
        self.tools, self.program, self.folder, self.port, self.secure = tools, program, folder, port, secure
        (folder / "platform.toml").write_text(
            '[platform]\nname = "locked"\n[components.valkey]\n[environments.dev]\ntarget = "compose"\n'
            f'mirrors = {{ "docker.io" = "127.0.0.1:{port}/hub" }}\n'
        )
        (folder / "docker").mkdir()
        self.log_in(PASSWORD)

    def log_in(self, password: str) -> None:
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        auths = {f"127.0.0.1:{self.port}": {"auth": auth}} if self.secure else {}
        (self.folder / "docker/config.json").write_text(json.dumps({"auths": auths}))

    def push(self, image: str, content: str) -> str:
        """Puts an image into the registry; returns its digest as another program sees it."""
        with tempfile.TemporaryDirectory() as source:
            layout(Path(source) / "oci", content)
            skopeo = self.tools.need("skopeo")
            target = f"docker://127.0.0.1:{self.port}/hub/{image}"
            auth = ["--authfile", self.folder / "docker/config.json"]
            where = ["--dest-tls-verify=false", *(["--dest-creds", f"{USER}:{PASSWORD}"] if self.secure else [])]
            run([*skopeo, "--insecure-policy", "copy", "--all", "--quiet", *where, f"oci:{source}/oci:this", target])
            raw = run([*skopeo, "inspect", "--raw", "--tls-verify=false", *auth, target]).stdout
            return f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}"

    def __call__(self, *words: str, status: int = 0, roots: bool = True) -> str:
        """Runs the program; returns all that it says."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "DOCKER_CONFIG": str(self.folder / "docker")}
        if self.secure and roots:
            environment["CURL_CA_BUNDLE"] = str(self.folder / "cert.pem")
        done = subprocess.run([self.program, *words], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
        said = done.stdout + done.stderr
        expect(done.returncode == status, f"`{' '.join(words)}` ends with {done.returncode} instead of {status}:\n{said}")
        return said


def test_lock(tools: Toolbox, program: Path, secure: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="lakewright-registry-") as name:
        folder, port = Path(name), free_port()
        site = Site(tools, program, folder, port, secure)
        with registry(tools, folder, port, secure):
            said = site("lock", status=1)
            expect("there is no such image" in said, f"a missing image is not named:\n{said}")
            listed = site("lock", "--check", "--offline", status=2)
            images = [line.split()[1] for line in listed.splitlines() if line.strip().startswith("image docker.io/")]
            expect(len(images) >= 2, f"too few images:\n{listed}")
            pushed = {image: site.push(image.removeprefix("docker.io/"), image) for image in images}
            site("lock")
            lock = (folder / "lakewright.lock").read_text()
            for image, digest in pushed.items():
                expect(f'[images."{image}"]\ndigest = "{digest}"' in lock, f"{image} is not locked as {digest}:\n{lock}")
            for machine in ("linux/amd64", "linux/arm64/v8"):
                expect(lock.count(f'"{machine}" = "sha256:') == len(images), f"{machine} is missing:\n{lock}")
            site("lock")
            expect((folder / "lakewright.lock").read_text() == lock, "a second lock is another one")
            site("lock", "--check")
            site("build", "--locked")
            compose = (folder / "generated/dev/compose.yaml").read_text()
            for image, digest in pushed.items():
                pulled = f"127.0.0.1:{port}/hub/{image.removeprefix('docker.io/')}@{digest}"
                expect(pulled in compose, f"{pulled} is not deployed")
            moved = images[0]
            site.push(moved.removeprefix("docker.io/"), "another")
            said = site("lock", "--check", status=2)
            expect(f"image {moved} is another one now" in said, f"a moved tag is not seen:\n{said}")
            site("lock", "--check", "--offline")
            if secure:
                site.log_in("wrong")
                expect("refuses the credentials" in site("lock", status=1), "wrong credentials are not said")
                site.log_in(PASSWORD)
                said = site("lock", status=1, roots=False)
                expect("certificate" in said, f"an unknown authority is trusted:\n{said}")
            expect((folder / "lakewright.lock").read_text() == lock, "a lock that failed has changed the file")
        said = site("lock", status=1)
        expect("onnect" in said and "was left as it is" in said, f"without a registry:\n{said}")
        site("build", "--locked")


def test_registries(report: Report, tools: Toolbox, program: Callable[[], Path]) -> None:
    report.test("lock/plain", lambda: test_lock(tools, program(), secure=False))
    report.test("lock/tls", lambda: test_lock(tools, program(), secure=True))
