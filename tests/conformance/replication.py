"""Runs a replicated PostgreSQL from a Compose bundle: copies, streams, loses its primary, and is brought back by its scripts."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine import Engine
from images import Images
from live import Stack
from report import Failure, Report, expect
from toolbox import Toolbox, run

FIRST, SECOND = "postgresql-1", "postgresql-2"
ROUTER = "postgresql-router"
CONSUMER = "superset-to-postgresql"
PATIENCE = 90


def is_replicated(bundle: Path) -> bool:
    """Whether the members of a database of the bundle replicate each other."""
    return any(bundle.glob("*/member.pl"))


class Members(Stack):
    """The part of a bundle that is the database; its consumer is a client of the tests' own, in the consumer's place."""

    @property
    def services(self) -> dict[str, dict]:
        mine = {name: service for name, service in self.project["services"].items() if name.startswith(("postgresql", "lakewright-"))}
        return mine

    # --- what is asked and told ---

    def script(self, name: str, *words: str, status: int | None = 0) -> str:
        """Runs one of the bundle's scripts as people do."""
        plugins = self.engine.folder / ".docker/cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        if not (plugins / "docker-compose").exists():
            (plugins / "docker-compose").symlink_to(self.tools.path("docker-compose"))
        files = f"{self.folder}/compose.yaml:{self.folder}/override.stand-in.yaml"
        environment = {**self.engine.environment, "COMPOSE_FILE": files}
        docker = Path(self.engine.docker_path).parent
        environment["PATH"] = f"{docker}:{environment['PATH']}"
        result = run([self.folder / "postgresql" / name, *words], check=False, merge=True, env=environment, timeout=300)
        if status is not None and result.returncode != status:
            raise Failure(f"{name} {' '.join(words)}: exit status {result.returncode}, not {status}\n{result.stdout}\n{self.logs()}")
        return result.stdout

    def job(self, name: str, *words: str, status: int = 0) -> str:
        result = self.compose("run", "--rm", f"postgresql-{name}", *words, check=False, merge=True, timeout=300)
        expect(result.returncode == status, f"{name}: exit status {result.returncode}, not {status}\n{result.stdout}\n{self.logs()}")
        return result.stdout

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail=25", FIRST, SECOND, ROUTER, check=False, merge=True).stdout

    def state(self, member: str) -> str:
        ask = "use lib '/opt/lakewright'; use Members; print join ' ', Members::state($ARGV[0])"
        return self.execute(member, "perl", "-e", ask, member, check=False).stdout.strip().split(" ")[0]

    def until(self, what: str, so: Callable[[], bool], patience: int = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not so():
            expect(time.monotonic() < deadline, f"not so after {patience} s: {what}\n{self.logs()}")
            time.sleep(0.5)

    def until_state(self, member: str, word: str) -> None:
        self.until(f"{member} is {word}", lambda: self.state(member) == word)

    def stays(self, member: str, word: str, seconds: int = 8) -> None:
        till = time.monotonic() + seconds
        while time.monotonic() < till:
            now = self.state(member)
            expect(now == word, f"{member} is {now}, and must stay {word}\n{self.logs()}")
            time.sleep(0.5)

    def container(self, member: str) -> str:
        return self.containers()[member]["Id"]

    def network(self, name: str) -> str:
        return self.project["networks"][name]["name"]

    def client(self, query: str, host: str = ROUTER) -> str | None:
        """What the consumer gets, from its own network, with its own password; None when it is refused."""
        password = self.secret_values()["postgresql-superset-metadata"]
        script = 'IFS= read -r PGPASSWORD && export PGPASSWORD && exec psql -X -A -t -q -v ON_ERROR_STOP=1 -c "$1" "$2"'
        target = f"host={host} user=superset dbname=superset connect_timeout=4"
        result = self.engine.docker(
            "run", "--rm", "--interactive", f"--network={self.network(CONSUMER)}", "--entrypoint=sh", f"lakewright-stand-in/{FIRST}:1",
            "-c", script, "sh", query, target, check=False, input=password + "\n",
        )  # fmt: skip
        return result.stdout.strip() if result.returncode == 0 else None

    def write(self, word: str) -> None:
        """As a client does that reconnects."""
        self.until(f"the router leads to a primary ({word})", lambda: self.client(f"insert into kept values ('{word}')") is not None)

    def words(self, member: str) -> set[str]:
        return set(self.sql(member, "select word from kept", database="superset").split())

    def serves(self, member: str) -> bool:
        return self.execute(member, "pg_isready", "--quiet", "--host=127.0.0.1", check=False).returncode == 0

    def empty_volume(self, member: str) -> None:
        self.compose("stop", member, merge=True)
        volume = self.project["volumes"][f"postgresql-data-{member[-1]}"]["name"]
        words = ["rm", "-rf", "/data/pgdata"]
        self.engine.docker("run", "--rm", f"--volume={volume}:/data", f"--entrypoint={words[0]}", f"lakewright-stand-in/{member}:1", *words[1:])

    # --- the tests, each on what the one before it left ---

    def bootstrap(self) -> None:
        """The first member makes the cluster only once it has heard the second, which copies it and follows."""
        self.started = True
        self.compose("up", "--detach", "--no-build", FIRST, merge=True)
        self.until_state(FIRST, "empty")
        self.stays(FIRST, "empty", 5)
        self.compose("up", "--detach", "--no-build", SECOND, ROUTER, "postgresql-databases", merge=True, timeout=200)
        self.until_state(FIRST, "primary")
        self.until_state(SECOND, "standby")
        self.until("status.sh is content", lambda: "streaming" in self.script("status.sh", status=None))
        self.script("status.sh")

    def streams(self) -> None:
        """What the consumer writes through the router is on the standby, which takes no writes."""
        self.until("the consumer gets in", lambda: self.client("create table if not exists kept (word text)") is not None)
        self.write("streamed")
        self.until("the row is on the standby", lambda: self.words(SECOND) == {"streamed"})
        refused = self.execute(SECOND, "psql", "-X", "-U", "postgres", "-c", "create table refused ()", check=False, merge=True)
        expect("read-only" in refused.stdout, refused.stdout)

    def is_closed(self) -> None:
        """The consumer reaches the router only; a command without the right signature is not taken."""
        for member in (FIRST, SECOND):
            networks = self.containers()[member]["NetworkSettings"]["Networks"]
            for address in [member, *(network["IPAddress"] for network in networks.values())]:
                expect(self.client("select 1", address) is None, f"the consumer reaches {member} as {address}")
        ask = "use lib '/opt/lakewright'; use Members; print join ' ', Members::ask($ARGV[0], 'POST', '/command', ('0' x 64) . qq{ recopy\\n})"
        answer = self.execute(FIRST, "perl", "-e", ask, SECOND).stdout
        expect(answer.startswith("403 "), f"an unsigned command: {answer}")
        self.stays(SECOND, "standby", 3)

    def promote_refuses(self) -> None:
        """Nothing is promoted while there is a primary."""
        expect("nothing was promoted" in self.job("promote"), "it does not say so")
        expect(self.state(SECOND) == "standby", "the standby was promoted beside a primary")

    def broken_copy(self) -> None:
        """A copy that was killed half-way is never started, and made again."""
        self.client("create table bulk as select n, repeat(md5(n::text), 20) as text from generate_series(1, 150000) as n")
        self.empty_volume(SECOND)
        self.compose("up", "--detach", "--no-build", "--no-deps", SECOND, merge=True)
        folder = "/var/lib/postgresql/data/pgdata"
        self.until("a copy is made", lambda: self.execute(SECOND, "test", "-d", f"{folder}.new", check=False).returncode == 0)
        self.engine.docker("pause", self.container(FIRST))
        try:
            done = self.execute(SECOND, "test", "-e", folder, check=False).returncode == 0
            expect(not done, "the copy was complete before it could be killed: the test shows nothing")
            self.engine.docker("kill", "--signal=KILL", self.container(SECOND))
        finally:
            self.engine.docker("unpause", self.container(FIRST))
        self.compose("start", SECOND, merge=True)
        self.until_state(SECOND, "standby")
        self.until("the copy has the rows", lambda: self.words(SECOND) == {"streamed"})
        left = self.execute(SECOND, "ls", "/var/lib/postgresql/data").stdout.split()
        expect(left == ["pgdata"], f"left over: {left}")

    def promote(self) -> None:
        """The primary is killed, with a row that only it has; promote.sh puts the standby in its place."""
        self.write("replicated")
        self.until("it is on the standby", lambda: "replicated" in self.words(SECOND))
        self.engine.docker("pause", self.container(SECOND))
        self.write("alone")
        self.engine.docker("kill", "--signal=KILL", self.container(FIRST))
        self.engine.docker("unpause", self.container(SECOND))
        # The connection's last data may still be on its way: the row may or may not be there.
        self.script("promote.sh", FIRST)
        expect(self.state(SECOND) == "primary", f"{SECOND} is {self.state(SECOND)}")
        self.write("after")
        expect({"streamed", "replicated", "after"} <= self.words(SECOND), f"rows are lost: {self.words(SECOND)}")
        expect("is the primary" in self.script("promote.sh", FIRST), "a second time it says something else")

    def old_primary(self) -> None:
        """Started again, the old primary does not serve, and the router does not lead to it."""
        self.compose("start", FIRST, merge=True)
        self.until_state(FIRST, "replaced")
        self.stays(FIRST, "replaced")
        expect(not self.serves(FIRST), f"{FIRST} serves beside the new primary")
        self.write("beside")
        expect("beside" in self.words(SECOND), "the router leads to the old primary")

    def rejoin(self) -> None:
        """rejoin.sh makes it follow; every row that was replicated is there, also a second time."""
        self.script("rejoin.sh", FIRST)
        self.until("it follows", lambda: self.words(FIRST) == self.words(SECOND))
        expect({"streamed", "replicated", "after", "beside"} <= self.words(FIRST), f"rows are lost: {self.words(FIRST)}")
        self.script("status.sh")
        self.script("rejoin.sh", FIRST)

    def switch_back(self) -> None:
        """A primary that runs hands over without losing anything."""
        self.write("before-switch")
        self.script("promote.sh", SECOND)
        expect("before-switch" in self.words(FIRST), "a row is lost in an orderly switch")
        self.write("switched")
        self.script("rejoin.sh", SECOND)
        self.until("it follows", lambda: "switched" in self.words(SECOND))

    def split(self) -> None:
        """A primary that was cut off while another was promoted stops as soon as it hears of it."""
        network = self.network("postgresql-internal")
        self.engine.docker("network", "disconnect", network, self.container(FIRST))
        self.job("promote")
        expect(self.state(SECOND) == "primary", f"{SECOND} is {self.state(SECOND)}")
        expect(self.serves(FIRST), "the old primary had stopped before it could know: the test shows nothing")
        self.sql(FIRST, "insert into kept values ('cut-off')", database="superset")
        self.write("majority")
        self.engine.docker("network", "connect", f"--alias={FIRST}", network, self.container(FIRST))
        self.until_state(FIRST, "replaced")
        expect(not self.serves(FIRST), f"{FIRST} serves beside the new primary")
        self.script("rejoin.sh", FIRST)
        self.until("it follows", lambda: self.words(FIRST) == self.words(SECOND))
        expect("majority" in self.words(FIRST) and "cut-off" not in self.words(FIRST), f"not rewound: {self.words(FIRST)}")

    def lost_disk(self) -> None:
        """Member 1 with an empty disk never makes a second cluster: not alone, not beside a standby."""
        self.script("promote.sh", SECOND)
        self.script("rejoin.sh", SECOND)
        self.empty_volume(FIRST)
        self.compose("stop", SECOND, merge=True)
        self.compose("up", "--detach", "--no-build", "--no-deps", FIRST, merge=True)
        self.until_state(FIRST, "empty")
        self.stays(FIRST, "empty", 13)
        self.compose("start", SECOND, merge=True)
        self.until_state(SECOND, "standby")
        self.stays(FIRST, "empty")
        self.script("promote.sh", FIRST)
        self.script("rejoin.sh", FIRST)
        self.until("it is a copy", lambda: self.words(FIRST) == self.words(SECOND))
        expect({"streamed", "replicated", "switched", "majority"} <= self.words(FIRST), f"rows are lost: {self.words(FIRST)}")

    def resume(self) -> None:
        """A primary that hears nobody waits, since another may lead by now, until it is told that nobody does."""
        self.compose("stop", FIRST, merge=True)
        self.compose("restart", SECOND, merge=True)
        self.until_state(SECOND, "waiting")
        self.stays(SECOND, "waiting", 5)
        self.job("resume")
        self.write("resumed")
        self.compose("start", FIRST, merge=True)
        self.until("it follows", lambda: self.state(FIRST) == "standby" and "resumed" in self.words(FIRST))

    def recopy(self) -> None:
        """A member gives up its data for a new copy when it is told to."""
        self.script("rejoin.sh", FIRST, "--recopy")
        self.until("it is a copy", lambda: "resumed" in self.words(FIRST))


TESTS = (
    Members.bootstrap, Members.streams, Members.is_closed, Members.promote_refuses, Members.broken_copy, Members.promote,
    Members.old_primary, Members.rejoin, Members.switch_back, Members.split, Members.lost_disk, Members.resume, Members.recopy,
    Members.secrets_stay_secret,
)  # fmt: skip


def test_replication(
    report: Report, label: str, bundle: Path, tools: Toolbox, engine: Engine, images: Images, compiler: Callable
) -> None:
    """Everything about the members of a bundle's database."""
    with tempfile.TemporaryDirectory(prefix="lakewright-members-") as folder:
        os.chmod(folder, 0o755)
        members = Members(bundle, Path(folder) / bundle.name, tools, engine, images, compiler)

        def prepare() -> None:
            members.make_secrets()
            members.load_images()

        if not report.test(f"{label}/stand-ins", prepare, always=True):
            return
        report.test(f"{label}/haproxy-config", members.haproxy_configuration)
        try:
            for test in TESTS:
                name = test.__name__.replace("_", "-")
                # What one leaves undone the next cannot be tried on.
                if not report.test(f"{label}/replication-{name}", lambda test=test: test(members), always=True):
                    break
        finally:
            if members.started:
                report.test(f"{label}/stop", members.stop, always=True)
