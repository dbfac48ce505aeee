"""Stand-in images: the real ones are in no package registry, so programs of the same kind take their names and tags."""

import os
import platform
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine import Engine
from report import Missing
from toolbox import HERE, Toolbox, digest, run

# The Debian release of a stand-in's base: the newest, but where an older Python is wanted.
SUITES = {"python": "bookworm", "superset": "bookworm"}
SUITE = "trixie"
PACKAGES = "ca-certificates,curl,netbase,procps"

# Repository (registry and namespace dropped where they do not matter) -> folder under images/.
STAND_INS = {
    "apache/superset": "superset",
    "busybox": "busybox",
    "debian": "debian",
    "haproxy": "haproxy",
    "minio/mc": "mc",
    "minio/minio": "minio",
    "nginx": "nginx",
    "nginxinc/nginx-unprivileged": "nginx",
    "pgsty/mc": "mc",
    "pgsty/silo": "minio",
    "postgres": "postgres",
    "python": "python",
    "valkey/valkey": "valkey",
    "redis": "valkey",
}

# Repository of an image that holds one Go program -> the program, and what is beside it: folder under images/.
PROGRAMS = {
    "nginx/nginx-prometheus-exporter": ("nginx-prometheus-exporter", "bare"),
    "oliver006/redis_exporter": ("redis_exporter", "bare"),
    "prom/pushgateway": ("pushgateway", "program"),
    "prometheus/alertmanager": ("alertmanager", "program"),
    "prometheus/blackbox-exporter": ("blackbox_exporter", "program"),
    "prometheus/node-exporter": ("node_exporter", "program"),
    "prometheus/prometheus": ("prometheus", "program"),
    "prometheus/pushgateway": ("pushgateway", "program"),
    "prometheus/statsd-exporter": ("statsd_exporter", "program"),
    "prometheuscommunity/elasticsearch-exporter": ("elasticsearch_exporter", "program"),
    "prometheuscommunity/postgres-exporter": ("postgres_exporter", "program"),
}

# Programs that a stand-in contains, from the Go builds.
COPIED = {"minio": ("minio", "mc"), "mc": ("mc",)}


@dataclass(frozen=True)
class Image:
    """An image name as a bundle writes it."""

    full: str

    @property
    def repository(self) -> str:
        name = self.full.split("@")[0]
        head, _, last = name.rpartition("/")
        name = (f"{head}/" if head else "") + last.split(":")[0]
        first, _, rest = name.partition("/")
        if rest and ("." in first or ":" in first or first == "localhost"):
            name = rest
        return name.removeprefix("library/")

    @property
    def tag(self) -> str:
        return self.full.split("@")[0].rpartition("/")[2].partition(":")[2]

    @property
    def stand_in(self) -> str | None:
        """The name of its stand-in: a folder, or the one program that it holds."""
        if self.repository in PROGRAMS:
            return PROGRAMS[self.repository][0]
        return STAND_INS.get(self.repository)

    @property
    def suite(self) -> str:
        """The Debian release to build the stand-in on."""
        if self.stand_in == "python" and not re.match(r"3\.(\d|1[01])\b", self.tag):
            return SUITE
        return SUITES.get(self.stand_in or "", SUITE)

    def arguments(self) -> dict[str, str]:
        """Build arguments that follow from the tag."""
        major = re.match(r"\d+", self.tag)
        if self.stand_in == "postgres" and major and int(major[0]) >= 18:
            return {"PGDATA": f"/var/lib/postgresql/{major[0]}/docker", "DATA_VOLUME": "/var/lib/postgresql"}
        return {}


class Images:
    """Makes stand-ins once, keeps them in the cache, and loads them into an engine under the names a bundle uses."""

    def __init__(self, tools: Toolbox):
        self.tools = tools

    def load(self, engine: Engine, archive: Path, *names: str) -> None:
        """Makes an archived image known to an engine under further names."""
        own = self.name(archive)
        if engine.docker("image", "inspect", own, check=False).returncode != 0:
            engine.docker("load", "--input", archive)
        for name in names:
            engine.docker("tag", own, name)

    @staticmethod
    def name(archive: Path) -> str:
        """The name of the image in an archive."""
        return "stand-in/{}:{}".format(*archive.stem.removeprefix("image-").rsplit("-", 1))

    def archive(self, image: Image, folder: str | None = None) -> Path:
        """The saved stand-in of an image, or of `images/<folder>`; built when its files are new."""
        folder = folder or image.stand_in
        arguments = image.arguments()
        beside = dict(PROGRAMS.values()).get(folder)
        if beside == "bare" and image.tag.endswith("-alpine"):
            beside = "alpine"
        source = HERE / "images" / (beside or folder)
        programs = {name: self.tools.path(name) for name in COPIED.get(folder, ())}
        if beside is not None:
            arguments["PROGRAM"] = folder
            programs["program"] = self.tools.path(folder)
        base = self.base(image.suite) if beside is None else self.archive(Image("busybox"))
        # What is built together is told apart by its folder.
        made_of = sorted(path.name if beside is None else f"{path.parent.name}/{path.name}" for path in programs.values())
        key = digest(source, base.name, sorted(arguments.items()), made_of)
        target = self.tools.cache / f"image-{folder}-{key}.tar"

        def make(made: Path) -> None:
            with Engine(self.tools, isolated=False) as engine, tempfile.TemporaryDirectory(prefix="lakewright-image-") as context:
                if beside is None:
                    engine.docker("import", base, "stand-in/base:1")
                else:
                    self.load(engine, base, "stand-in/base:1")
                shutil.copytree(source, context, dirs_exist_ok=True)
                for program, path in programs.items():
                    shutil.copy2(path, Path(context) / program)
                build(engine, Path(context), "Dockerfile", {"BASE": "stand-in/base:1", **arguments}, self.name(target))
                engine.docker("save", "--output", made, self.name(target))

        return self.tools.once(target, make)

    def derived(self, context: Path, dockerfile: str, arguments: dict[str, str]) -> Path | None:
        """The saved image of a bundle's own Dockerfile; None when what it starts from has no stand-in."""
        archives: dict[str, Path] = {}
        for name in starts(context / dockerfile, arguments):
            image = Image(name)
            if image.stand_in is None:
                return None
            archives[name] = self.archive(image)
        key = digest(context, dockerfile, sorted(arguments.items()), sorted(path.name for path in archives.values()))
        target = self.tools.cache / f"image-derived-{key}.tar"

        def make(made: Path) -> None:
            with Engine(self.tools, isolated=False) as engine, tempfile.TemporaryDirectory(prefix="lakewright-image-") as folder:
                for name, archive in archives.items():
                    # A digest cannot be given to an image by hand, so it is left out on both sides.
                    self.load(engine, archive, name.split("@")[0])
                shutil.copytree(context, folder, dirs_exist_ok=True)
                text = (context / dockerfile).read_text(encoding="utf-8")
                text = re.sub(r"(?m)^(FROM\s+\S+?)@sha256:[0-9a-f]{64}", r"\1", text)
                (Path(folder) / dockerfile).write_text(text, encoding="utf-8")
                build(engine, Path(folder), dockerfile, arguments, self.name(target))
                engine.docker("save", "--output", made, self.name(target))

        return self.tools.once(target, make)

    def base(self, suite: str) -> Path:
        """A small Debian file system, as a tar archive."""
        target = self.tools.cache / f"base-{suite}-{digest(PACKAGES, platform.machine(), 1)}.tar"

        def make(made: Path) -> None:
            if os.geteuid() != 0:
                raise Missing("debootstrap", "only root can run it")
            root = made.parent / "root"
            argv = [self.tools.path("debootstrap"), "--variant=minbase", f"--include={PACKAGES}", suite, root]
            result = run(argv, check=False, timeout=900, merge=True)
            if result.returncode != 0:
                raise Missing("debootstrap", result.stdout[-1500:])
            self.trim(root)
            with tarfile.open(made, "w") as archive:
                archive.add(root, arcname=".")

        return self.tools.once(target, make)

    @staticmethod
    def trim(root: Path) -> None:
        for folder in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man", "var/log"):
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "var/cache/apt/archives/partial").mkdir(parents=True, exist_ok=True)
        (root / "etc/apt/apt.conf.d/90stand-in").write_text(
            'APT::Install-Recommends "false";\nAcquire::Languages "none";\nAPT::Sandbox::User "root";\nDpkg::Use-Pty "false";\n', encoding="utf-8"
        )
        (root / "etc/dpkg/dpkg.cfg.d/90stand-in").write_text(
            "path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\nforce-unsafe-io\n",
            encoding="utf-8",
        )
        # Machines behind an inspecting proxy trust an authority of their own; what is built on them must as well.
        bundle = Path("/etc/ssl/certs/ca-certificates.crt")
        if bundle.exists():
            shutil.copyfile(bundle, root / "etc/ssl/certs/ca-certificates.crt")


def build(engine: Engine, context: Path, dockerfile: str, arguments: dict[str, str], name: str) -> None:
    options = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    engine.docker(
        "build", "--network=host", "--pull=false", *options, f"--file={context / dockerfile}", f"--tag={name}", context,
        timeout=1500, merge=True,
    )  # fmt: skip


def starts(dockerfile: Path, arguments: dict[str, str]) -> list[str]:
    """The images that a Dockerfile's stages start from."""
    known = dict(arguments)
    stages, found = {"scratch"}, []
    for line in dockerfile.read_text(encoding="utf-8").splitlines():
        argument = re.match(r"ARG\s+(\w+)=(\S+)", line)
        if argument:
            known.setdefault(argument[1], argument[2].strip("\"'"))
        stage = re.match(r"FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?", line, re.IGNORECASE)
        if stage:
            name = re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], ""), stage[1])
            if name not in stages:
                found.append(name)
            stages.add(stage[2] or name)
    return found
