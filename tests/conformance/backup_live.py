"""Backups of a bundle, by its own scripts, against a real database and real object stores: made, tried, and put back."""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine import Engine
from images import Images
from live import Stack
from report import Failure, Report, expect
from toolbox import Toolbox, run

ROOT = Path(__file__).resolve().parents[2]

WANTED = ("lakewright-prepare", "minio", "postgresql")
OFFSITE = "offsite.example.org"

ROWS = """
create role reader login;
create database shop owner reader;
\\connect shop
create table orders (id int primary key, what text, at timestamptz default now(), raw bytea);
insert into orders select i, 'order ' || i, now(), decode(md5(i::text), 'hex') from generate_series(1, 5000) i;
create table "odd "" name" (a int, b numeric);
insert into "odd "" name" values (1, 1.5), (2, null);
create materialized view totals as select count(*) from orders;
alter database shop set work_mem = '8MB';
"""


class Kept(Stack):
    """The part of a bundle that keeps data, and the jobs around it. A store of the tests' own is what lies off site."""

    @property
    def services(self) -> dict[str, dict]:
        mine = {name: service for name, service in self.everything.items() if name.startswith(WANTED)}
        return {name: service for name, service in mine.items() if "exporter" not in name}

    def script(self, *words: str, status: int = 0) -> str:
        """Runs one of the bundle's scripts as people do."""
        plugins = self.engine.folder / ".docker/cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        if not (plugins / "docker-compose").exists():
            (plugins / "docker-compose").symlink_to(self.tools.path("docker-compose"))
        files = f"{self.folder}/compose.yaml:{self.folder}/override.stand-in.yaml"
        environment = {**self.engine.environment, "COMPOSE_FILE": files}
        environment["PATH"] = f"{Path(self.engine.docker_path).parent}:{environment['PATH']}"
        result = run([self.folder / words[0], *words[1:]], check=False, merge=True, env=environment, timeout=300)
        expect(result.returncode == status, f"{' '.join(words)}: exit status {result.returncode}, not {status}\n{result.stdout}")
        return result.stdout

    def prepare(self, identity: Path) -> None:
        self.make_secrets()
        (self.folder / "secrets/backup-identity").write_bytes(identity.read_bytes())
        (self.folder / "secrets/backup-store").write_text("the-right-secret\n", encoding="utf-8")
        self.build_images()
        self.load_images()

    def start(self) -> None:
        self.started = True
        result = self.compose("up", "--detach", "--no-build", "--wait", "minio", "postgresql", check=False, merge=True, timeout=300)
        expect(result.returncode == 0, result.stdout)
        for job in ("minio-buckets", "postgresql-databases"):
            self.compose("run", "--rm", "--no-deps", "-T", job, merge=True, timeout=300)

    def offsite(self) -> None:
        """Outside: reached through the networks that lead there."""
        networks = [self.project_network(name) for name in ("minio-egress", "postgresql-egress")]
        for network in networks:
            if self.engine.docker("network", "inspect", network, check=False).returncode != 0:
                self.engine.docker("network", "create", network)
        self.engine.docker(
            "run", "--detach", "--name=offsite", f"--network={networks[0]}", f"--network-alias={OFFSITE}", "--entrypoint=sh",
            "--env=MINIO_ROOT_USER=backup", "--env=MINIO_ROOT_PASSWORD=the-right-secret", "lakewright-stand-in/minio:1",
            "-c", "mkdir -p /tmp/store/copies && exec minio server --quiet --address=:9000 /tmp/store",
        )  # fmt: skip
        self.engine.docker("network", "connect", f"--alias={OFFSITE}", networks[1], "offsite")

    def project_network(self, name: str) -> str:
        networks = json.loads(self.compose("--profile", "*", "config", "--format", "json").stdout)["networks"]
        return networks[name]["name"]

    # --- data ---

    def psql(self, text: str, database: str = "postgres") -> str:
        words = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]
        return self.execute("postgresql", *words, input=text).stdout.strip()

    def client(self, script: str) -> str:
        login = 'mc --quiet alias set lake http://localhost:9000 root "$(cat /run/secrets/minio-root-password)" >/dev/null; cd /tmp; '
        return self.execute("minio", "sh", "-euc", login + script).stdout

    def fill(self) -> None:
        self.psql(ROWS)
        self.client("for n in $(seq 1 12); do echo \"object $n\" | mc --quiet pipe lake/bronze/in/part-$n.csv >/dev/null; done; head -c 3000000 /dev/urandom >large; mc --quiet cp large 'lake/silver/large and odd é' >/dev/null; rm large")

    def everything_kept(self) -> dict[str, str]:
        """All rows, all roles, and all objects with their contents."""
        rows = self.psql(
            "select 'orders', md5(string_agg(o::text, ',' order by id)) from orders o;"
            "select 'odd', string_agg(t::text, ',' order by a) from \"odd \"\" name\" t; select 'totals', count from totals; show work_mem;"
            "select rolname || rolsuper from pg_roles where rolname !~ '^pg_' order by 1; select datname, pg_get_userbyid(datdba) from pg_database order by 1;",
            "shop",
        )
        objects = self.client("for name in $(mc --quiet find lake | tr ' ' '?'); do echo \"$name\"; mc --quiet cat \"$(echo \"$name\" | tr '?' ' ')\" | md5sum; done")
        return {"rows": rows, "objects": objects}

    # --- what is shown ---

    def backs_up(self) -> None:
        self.fill()
        self.before = self.everything_kept()
        expect("orders" in self.before["rows"] and self.before["objects"].count("part-") == 12, str(self.before))
        self.script("backup-all.sh")
        self.script("verify-backup.sh")

    def restores(self) -> None:
        """Rows, a whole database, a role and objects are gone or wrong, and come back."""
        self.psql("delete from orders where id % 2 = 0; update orders set what = 'wrong'; drop materialized view totals", "shop")
        self.client("mc --quiet rm --recursive --force lake/bronze/in >/dev/null; echo wrong | mc --quiet pipe lake/silver/large >/dev/null; mc --quiet rm 'lake/silver/large' >/dev/null; echo other | mc --quiet pipe 'lake/silver/large and odd é' >/dev/null")
        expect(self.everything_kept_or_not() != self.before, "nothing was broken")
        self.script("restore-all.sh", "--yes")
        self.same()

    def everything_kept_or_not(self) -> dict[str, str] | None:
        with contextlib.suppress(Failure):
            return self.everything_kept()
        return None

    def same(self) -> None:
        after = self.everything_kept()
        for what, before in self.before.items():
            expect(after[what] == before, f"{what} are not as they were:\n{before}\n---\n{after[what]}")

    def drills(self) -> None:
        said = self.script("verify-backup.sh", "--drill")
        expect("5002 rows" in said or "all as they were copied" in said, said)

    def everything_lost(self) -> None:
        """All volumes are gone, and with them all copies but those off site; passwords are the same, as the secrets are."""
        self.compose("--profile", "*", "down", "--volumes", "--timeout=20", merge=True, check=False)
        left = [name for name in self.engine.docker("volume", "ls", "--quiet").stdout.split() if name.startswith(self.project["name"])]
        expect(not left, f"left over: {left}")
        self.start()
        self.script("restore-all.sh", "--yes", "--from", "offsite")
        self.same()
        self.script("backup-all.sh")

    def ends(self) -> None:
        self.engine.docker("rm", "--force", "--volumes", "offsite", check=False)
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout=20", merge=True, check=False)


LIVE = (Kept.backs_up, Kept.drills, Kept.restores, Kept.everything_lost)


def wanted(report: Report) -> bool:
    """Only where it is asked for: it takes minutes."""
    return bool(report.only) and any(report.wants(f"backup/live-{test.__name__.replace('_', '-')}") for test in LIVE)


def test_live(report: Report, tools: Toolbox, engine: Engine, images: Images, compiler: Callable) -> None:
    """Backups of a bundle, by its own scripts, in containers."""
    with tempfile.TemporaryDirectory(prefix="lakewright-kept-") as temporary:
        folder = Path(temporary)
        os.chmod(folder, 0o755)
        kept: list[Kept] = []

        def prepare() -> None:
            tools.need("age-keygen")
            identity = folder / "identity"
            run(["age-keygen", "-o", identity])
            public = run(["age-keygen", "-y", identity]).stdout.strip()
            text = (ROOT / "tests/topologies/backup.toml").read_text(encoding="utf-8")
            topology = folder / "platform.toml"
            topology.write_text(re.sub(r'"age1\w+"', f'"{public}"', text), encoding="utf-8")
            compiler("build", topology, "-o", folder / "built")
            kept.append(Kept(folder / "built/dev", folder / "kept", tools, engine, images, compiler))
            kept[0].prepare(identity)
            kept[0].offsite()
            kept[0].start()

        try:
            if report.test("backup/live-start", prepare, always=True):
                for test in LIVE:
                    name = test.__name__.replace("_", "-")
                    if not report.test(f"backup/live-{name}", lambda test=test: test(kept[0]), always=True):
                        break
        finally:
            if kept:
                kept[0].ends()
