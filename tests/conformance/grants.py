"""Roles of the platform in a real PostgreSQL, which asks a real OpenLDAP for passwords, and in a real object store: what each may
do is done, what it may not is refused."""

import contextlib
import functools
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine import Engine
from images import Image, Images
from live import Stack
from report import Failure, Report, expect
from toolbox import Toolbox, run

ROOT = Path(__file__).resolve().parents[2]

WANTED = ("lakewright-prepare", "minio", "postgresql")
PASSWORD = "a-password-of-the-tests"
DIRECTORY = "ldap.people.example.org"
BASE = "dc=people,dc=example,dc=org"

# Who has which role. There are two engineers, since they share what they make.
PEOPLE = {"amy": "lake_admin", "eve": "lake_engineer", "ed": "lake_engineer", "ann": "lake_analyst", "vic": "lake_viewer"}

# Who, in which database, what; and whether it is done. In this order: what one makes the next uses.
STATEMENTS = (
    ("eve", "lake", "create table silver.orders{n} (id serial primary key, buyer text)", True),
    ("eve", "lake", "insert into silver.orders{n} (buyer) values ('x')", True),
    ("ed", "lake", "insert into silver.orders{n} (buyer) values ('y')", True),
    ("ed", "lake", "alter table silver.orders{n} add column paid boolean", True),
    ("ed", "lake", "create table gold.sales{n} as select count(*) from silver.orders{n}", True),
    ("eve", "lake", "create view gold.buyers{n} as select distinct buyer from silver.orders{n}", True),
    ("eve", "lake", "create materialized view gold.totals{n} as select count(*) from silver.orders{n}", True),
    ("eve", "lake", "create table bronze.moved{n} (a int); alter table bronze.moved{n} set schema gold", True),
    ("eve", "lake", "create table gold.back{n} (a int); alter table gold.back{n} set schema silver", True),
    ("ed", "lake", "drop table silver.back{n}; create table silver.back{n} (a int)", True),
    ("ann", "lake", "select * from gold.sales{n}", True),
    ("ann", "lake", "select * from gold.buyers{n}", True),
    ("ann", "lake", "select * from gold.totals{n}", True),
    ("ann", "lake", "select * from gold.moved{n}", True),
    ("ann", "lake", "create temporary table mine (a int)", True),
    ("ann", "lake", "select * from silver.orders{n}", False),
    ("ann", "lake", "select * from silver.back{n}", False),
    ("ann", "lake", "insert into gold.sales{n} values (1)", False),
    ("ann", "lake", "drop table gold.sales{n}", False),
    ("ann", "lake", "create table gold.own{n} (a int)", False),
    ("ann", "lake", "create table bronze.own{n} (a int)", False),
    ("ann", "lake", "create table public.own{n} (a int)", False),
    ("ann", "lake", "alter table gold.sales{n} owner to ann", False),
    ("ann", "lake", "set role lake_engineer", False),
    ("ann", "lake", "call lakewright.settle(0)", False),
    ("eve", "lake", "create table public.own{n} (a int)", False),
    ("eve", "lake", "create schema own{n}", False),
    ("eve", "lake", "drop schema gold", False),
    ("eve", "lake", "create role other{n}", False),
    ("eve", "lake", "set role lake_engineer; create database other{n}", False),
    ("eve", "lake", "set role lake_admin", False),
    ("eve", "lake", "drop event trigger lakewright_settle", False),
    ("eve", "lake", "create or replace function lakewright.settle_new() returns event_trigger language plpgsql as 'begin end'", False),
    ("eve", "lake", "copy silver.orders{n} to program 'true'", False),
    ("vic", "lake", "select 1", False),
    ("amy", "lake", "insert into silver.orders{n} (buyer) values ('z')", True),
    ("amy", "lake", "create table gold.of_amy{n} (a int)", True),
    ("ann", "lake", "select * from gold.of_amy{n}", True),
    ("eve", "lake", "drop table gold.of_amy{n}", True),
    ("amy", "lake", "select count(*) from pg_stat_activity where query = '<insufficient privilege>' having count(*) = 0", True),
    ("amy", "lake", "set role lake_admin; create role bob{n} login in role lake_analyst, lake_people; drop role bob{n}", True),
    ("amy", "lake", "set role lake_admin; create database made{n}", True),
    ("amy", "lake", "set role lake_admin; drop database made{n}", True),
    ("amy", "lake", "set role lake_admin; create role root{n} superuser", False),
    ("amy", "lake", "set role lake_admin; grant superset to amy", False),
    ("amy", "lake", "set role lake_admin; alter role superset password 'taken'", False),
    ("amy", "lake", "set role lake_admin; grant pg_execute_server_program to amy", False),
    ("amy", "lake", "set role postgres", False),
    *((who, database, "select 1", False) for who in PEOPLE for database in ("superset", "postgres", "template1")),
)

# What the analyst had no right to is given by hand, as is done in a hurry.
TAMPERED = """
grant connect on database superset to lake_analyst;
grant pg_read_all_data to lake_analyst;
grant lake_engineer to lake_viewer;
grant connect on database lake to lake_viewer;
alter role lake_engineer createdb;
\\connect lake
grant usage on schema silver to lake_analyst;
grant select on all tables in schema silver to lake_analyst;
grant create on schema public to public;
alter event trigger lakewright_settle disable;
"""

# Who, what the client is asked for, and whether it is done.
CALLS = (
    *(("eve", f"echo x >small && mc --quiet cp small {{eve}}/{bucket}/in/{{n}}", True) for bucket in ("bronze", "silver", "gold")),
    *(("eve", f"mc --quiet cat {{eve}}/{bucket}/in/{{n}}", True) for bucket in ("bronze", "silver", "gold")),
    ("eve", "mc --quiet ls {eve}/bronze/in/", True),
    ("eve", "mc --quiet rm {eve}/bronze/in/{n}", True),
    ("eve", "mc --quiet mb {eve}/other{n}", False),
    ("eve", "mc --quiet version suspend {eve}/silver", False),
    ("eve", "mc --quiet admin info {eve}", False),
    ("eve", "mc --quiet admin user list {eve}", False),
    ("eve", "mc --quiet cat {eve}/exports/kept", False),
    ("ann", "mc --quiet ls {ann}/gold/in/", True),
    ("ann", "mc --quiet cat {ann}/gold/in/{n}", True),
    ("ann", "echo x >small && mc --quiet cp small {ann}/gold/in/{n}", False),
    ("ann", "mc --quiet rm {ann}/gold/in/{n}", False),
    ("ann", "mc --quiet ls {ann}/silver/in/", False),
    ("ann", "mc --quiet cat {ann}/silver/in/{n}", False),
    ("ann", "mc --quiet admin info {ann}", False),
    ("vic", "mc --quiet ls {vic}/gold/in/", False),
    ("vic", "mc --quiet cat {vic}/gold/in/{n}", False),
    ("amy", "mc --quiet admin info {amy}", True),
    ("amy", "mc --quiet admin user list {amy}", True),
    ("amy", "mc --quiet cat {amy}/silver/in/{n}", True),
    ("amy", "mc --quiet mb {amy}/other{n}", True),
    ("amy", "mc --quiet rb {amy}/other{n}", True),
)

POLICIES = {"amy": "consoleAdmin", "eve": "lake-engineer", "ann": "lake-analyst"}


class Granted(Stack):
    """The part of a bundle in which people have roles."""

    # How often the statements have run: names of what they make end in it.
    round = 0

    @property
    def services(self) -> dict[str, dict]:
        return {name: service for name, service in self.everything.items() if name.startswith(WANTED)}

    def prepare(self) -> None:
        self.right, self.other = self.certificates("right"), self.certificates("other")
        secrets = self.folder / "secrets"
        secrets.mkdir(mode=0o700, exist_ok=True)
        # PostgreSQL binds as people do, and never as the account that looks for them: there is no password of that one.
        (secrets / "identity-authority").write_bytes((self.right / "ca.crt").read_bytes())
        (secrets / "identity-authority").chmod(0o600)
        self.make_secrets()
        self.load_images()

    def start(self) -> None:
        self.started = True
        result = self.compose("up", "--detach", "--no-build", "--wait", "minio", "postgresql", check=False, merge=True, timeout=300)
        expect(result.returncode == 0, result.stdout)
        self.settle()
        self.directory(self.right)

    # --- the directory ---

    def certificates(self, name: str) -> Path:
        """A folder with an authority, the directory's certificate by it, and who is in the directory."""
        folder = self.folder.parent / name
        folder.mkdir()
        folder.chmod(0o755)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        run(["openssl", "req", "-x509", *key, "-keyout", folder / "ca.key", "-out", folder / "ca.crt", "-subj", f"/CN={name}"])
        run(
            ["openssl", "req", "-x509", *key, "-keyout", folder / "directory.key", "-out", folder / "directory.crt", "-subj", f"/CN={DIRECTORY}",
             "-addext", f"subjectAltName=DNS:{DIRECTORY}", "-addext", "basicConstraints=critical,CA:FALSE",
             "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key"],
        )  # fmt: skip
        said = [f"dn: {BASE}\nobjectClass: domain\ndc: people"]
        said += [f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}" for unit in ("people", "groups", "services")]
        said += [
            f"dn: uid={who},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {who}\ncn: {who}\nsn: {who}\nuserPassword: {PASSWORD}"
            for who in (*PEOPLE, "nobody")
        ]
        (folder / "people.ldif").write_text("\n\n".join(said) + "\n", encoding="utf-8")
        for path in folder.iterdir():
            path.chmod(0o644)
        return folder

    def directory(self, certificates: Path | None) -> None:
        """Starts it with a certificate, or ends it."""
        self.engine.docker("rm", "--force", "--volumes", "directory", check=False)
        if certificates is None:
            return
        archive = self.images.archive(Image(""), "slapd")
        self.images.load(self.engine, archive)
        self.engine.docker(
            "run", "--detach", "--name=directory", f"--network={self.project['networks']['postgresql-egress']['name']}",
            f"--network-alias={DIRECTORY}", f"--volume={certificates}:/ldap:ro", Images.name(archive),
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while self.engine.docker("exec", "directory", "test", "-e", "/tmp/filled", check=False).returncode != 0:
            expect(time.monotonic() < deadline, "the directory: " + self.engine.docker("logs", "directory", merge=True).stdout)
            time.sleep(0.5)

    def settle(self) -> None:
        """What every start of the platform does."""
        for job in ("minio-buckets", "postgresql-databases"):
            self.compose("run", "--rm", "--no-deps", "-T", job, merge=True, timeout=300)

    # --- PostgreSQL ---

    def superuser_says(self, text: str, database: str = "postgres") -> str:
        words = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]
        return self.execute("postgresql", *words, input=text).stdout.strip()

    def people(self) -> None:
        """As ACCESS.md says: the superuser makes the Admin, who makes the others."""
        self.superuser_says("create role amy login in role lake_admin;")
        for name, role in PEOPLE.items():
            if name != "amy":
                refused = self.says("amy", "lake", f"set role lake_admin; create role {name} login in role {role}, lake_people")
                expect(refused is None, f"the Admin cannot make {name}: {refused}")
            # In other databases nobody asks the directory: what keeps people out there must not be that they have no password.
            self.superuser_says(f"alter role {name} password '{PASSWORD}';")

    def says(self, who: str, database: str, text: str, password: str = PASSWORD) -> str | None:
        """Runs statements as somebody who logs in over the network; None when they were done, else what was said."""
        target = f"host=127.0.0.1 sslmode=require user={who} dbname={database} connect_timeout=5"
        # Each in its own transaction, since databases are made in none.
        statements = [word for statement in text.split("; ") for word in ("-c", statement)]
        script = 'export PGPASSWORD="$1"; shift; exec psql -X -A -t -q -v ON_ERROR_STOP=1 "$@"'
        words = ["sh", "-c", script, "sh", password, *statements, target]
        result = self.engine.docker("exec", self.container("postgresql"), *words, check=False, merge=True)
        return result.stdout if result.returncode != 0 else None

    @functools.cache
    def container(self, service: str) -> str:
        return self.containers()[service]["Id"]

    def logs_in(self) -> None:
        """The directory says whether a password is right, and only the one whose certificate is by the authority that is trusted."""
        expect(self.says("eve", "lake", "select 1") is None, f"the right password: {self.says('eve', 'lake', 'select 1')}")
        # The server has another one of its own, which does not count here.
        self.superuser_says("alter role eve password 'another-password';")
        self.superuser_says("create role stranger login in role lake_analyst, lake_people;")
        self.superuser_says("create role nobody login;")
        tries = [("eve", "another-password"), ("eve", "wrong"), ("eve", ""), ("stranger", PASSWORD), ("nobody", PASSWORD), ("unknown", PASSWORD)]
        entered = [who for who, word in tries if self.says(who, "lake", "select 1", word) is None]
        expect(not entered, f"let in: {entered}")
        self.superuser_says(f"alter role eve password '{PASSWORD}';")
        log = self.engine.docker("logs", self.container("postgresql"), merge=True).stdout
        expect("LDAP authentication failed" in log or "LDAP login failed" in log, "nobody was refused by the directory")
        for certificates in (self.other, None):
            self.directory(certificates)
            expect(self.says("eve", "lake", "select 1") is not None, "let in by another directory" if certificates else "let in by none")
        self.directory(self.right)
        expect(self.says("eve", "lake", "select 1") is None, "the directory is back, and nobody is let in")

    def grants(self) -> None:
        """Every statement is done or refused as its role says, also about what was made by the last round."""
        self.round += 1
        wrong = []
        for who, database, text, may in STATEMENTS:
            statement = text.format(n=self.round)
            refused = self.says(who, database, statement)
            if may and refused is not None:
                wrong.append(f"{who} may not: {statement}: {refused.strip()}")
            elif not may and refused is None:
                wrong.append(f"{who} may: {statement} (in {database})")
            elif not may and not any(word in refused for word in ("permission denied", "must be owner", "must be superuser", "must have", "Only roles with")):
                wrong.append(f"{who} is refused for another reason: {statement}: {refused.strip()}")
        expect(not wrong, "\n".join(wrong))

    def again(self) -> None:
        """A second start changes nothing, and what was made before is still whose it was."""
        self.settle()
        self.grants()
        for relation in ("gold.sales1", "gold.buyers1"):
            expect(self.says("ann", "lake", f"select * from {relation}") is None, f"the analyst lost {relation}")
        expect(self.says("ann", "lake", "select * from silver.orders1") is not None, "the analyst reads silver")

    def corrected(self) -> None:
        """What was given by hand is noticed by these tests, and taken back by the next start."""
        self.superuser_says(TAMPERED)
        try:
            self.grants()
        except Failure as failure:
            for words in ("ann may: select * from silver.orders", "ann may: select 1 (in superset)", "vic may: select 1 (in lake)",
                          "eve may: set role lake_engineer; create database", "ann may not: select * from gold.sales"):  # fmt: skip
                expect(words in str(failure), f"not noticed: {words}\n{failure}")
        else:
            raise Failure("rights that were given by hand are not noticed")
        self.settle()
        self.grants()

    def restored(self) -> None:
        """A dump that is put back as a restore does it, has the grants, and what gives them to new tables."""
        self.execute("postgresql", "sh", "-euc", "pg_dump -U postgres --format=custom --dbname=lake >/tmp/lake.dump && psql -X -q -U postgres -d postgres -c 'drop database lake' && pg_restore -U postgres --create --exit-on-error --dbname=template1 /tmp/lake.dump && rm /tmp/lake.dump")
        self.grants()

    # --- the object store ---

    def client(self, script: str) -> tuple[int, str]:
        words = ["sh", "-c", f"cd /tmp; {script}"]
        result = self.engine.docker("exec", self.container("minio"), *words, check=False, merge=True)
        return result.returncode, result.stdout

    def buckets_people(self) -> None:
        login = 'mc --quiet alias set lake https://localhost:9000 root "$(cat /run/secrets/minio-root-password)" >/dev/null; '
        users = [f"mc --quiet admin user add lake {name} {PASSWORD}" for name in PEOPLE if name != "ed"]
        roles = [f"mc --quiet admin policy attach lake {policy} --user {name}" for name, policy in POLICIES.items()]
        kept = ["mc --quiet mb --ignore-existing lake/exports", "echo x >small", "mc --quiet cp small lake/exports/kept"]
        status, said = self.client("set -e; " + login + "; ".join([*users, *roles, *kept]))
        expect(status == 0, said)

    def policies(self) -> None:
        """Every call is done or refused as its role says."""
        self.round += 1
        if self.round_of_policies == 0:
            self.buckets_people()
        self.round_of_policies += 1
        names = {name: name for name in PEOPLE}
        hosts = "; ".join(f"export MC_HOST_{name}=https://{name}:{PASSWORD}@localhost:9000" for name in PEOPLE)
        wrong = []
        for who, call, may in CALLS:
            command = call.format(n=self.round, **names)
            status, said = self.client(f"{hosts}; {command}")
            refused = status != 0 or "Access Denied" in said
            if may and refused:
                wrong.append(f"{who} may not: {command}: {said.strip()}")
            elif not may and not refused:
                wrong.append(f"{who} may: {command}")
            elif not may and not any(word in said for word in ("Access Denied", "Insufficient permissions", "not allowed")):
                wrong.append(f"{who} is refused for another reason: {command}: {said.strip()}")
        expect(not wrong, "\n".join(wrong))

    round_of_policies = 0

    def policies_again(self) -> None:
        """A policy that was widened by hand is noticed, and is as it should be after the next start."""
        self.client("mc --quiet admin policy attach lake readwrite --user ann")
        try:
            self.policies()
        except Failure as failure:
            expect("mc --quiet cp small ann/gold" in str(failure), f"another failure: {failure}")
        else:
            raise Failure("a policy that allows more is not noticed")
        self.client("mc --quiet admin policy detach lake readwrite --user ann")
        self.client("echo '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:*\"],\"Resource\":[\"arn:aws:s3:::*\"]}]}' >wide.json; mc --quiet admin policy create lake lake-analyst wide.json")
        self.settle()
        self.policies()

    def ends(self) -> None:
        self.directory(None)
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout=20", merge=True, check=False)


GRANTS = {"logs-in": Granted.logs_in, "grants": Granted.grants, "grants-again": Granted.again, "grants-corrected": Granted.corrected, "grants-restored": Granted.restored}
POLICY = {"policies": Granted.policies, "policies-again": Granted.policies_again}


def wanted(report: Report) -> bool:
    return any(report.wants(f"identity/{name}") for name in (*GRANTS, *POLICY))


def test_grants(report: Report, tools: Toolbox, engine: Engine, images: Images, compiler: Callable) -> None:
    """Roles in a bundle's database and object store, in containers."""
    with tempfile.TemporaryDirectory(prefix="lakewright-granted-") as temporary:
        folder = Path(temporary)
        os.chmod(folder, 0o755)
        found: list[Granted] = []

        def prepare() -> None:
            compiler("build", ROOT / "tests/topologies/grants.toml", "-e", "dev", "-o", folder / "built")
            found.append(Granted(folder / "built/dev", folder / "granted", tools, engine, images, compiler))
            found[0].prepare()
            found[0].start()
            found[0].people()

        try:
            if report.test("identity/start", prepare, always=True):
                for name, test in (GRANTS | POLICY).items():
                    report.test(f"identity/{name}", lambda test=test: test(found[0]))
        finally:
            if found:
                with contextlib.suppress(Failure):
                    found[0].ends()
