"""Services that speak TLS among themselves: what they show, what they refuse, and when they read a renewed certificate."""

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from report import expect
from toolbox import run

# What the least version of is fixed in the program: newer is spoken with whoever can.
OLDER_TOO = ("minio",)

# How a client asks for TLS where the connection begins in clear.
STARTTLS = {"postgres": ["-starttls", "postgres"]}

# What those say who serve a client in clear: HTTP's answers but for the one that says what is wrong, and those of Redis.
SERVED = re.compile(rb"HTTP/1\.[01] (?!400)|NOAUTH|PONG|-ERR")

# Says something in clear to ADDRESS PORT, and shows the answer.
IN_CLEAR = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as line:
    line.settimeout(5)
    line.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    try:
        sys.stdout.buffer.write(line.recv(4096))
    except OSError:
        pass
"""

# Connects as the generated configuration of Superset does: to what it names, which must work, and to the same servers by
# their addresses, which no certificate bears. Words: database and cache, each NAME=ADDRESS.
IMPOSTOR = """
import sys
import kombu, psycopg2, redis
import superset_config as config
from cachelib.redis import RedisCache
from lakewright_celery import redis_url
from sqlalchemy.engine.url import make_url

(database, store), (cache, other) = (word.split("=") for word in sys.argv[1:])
url = make_url(config.SQLALCHEMY_DATABASE_URI)
assert url.host == database, url.host
# What migrations know: the address alone. Superset prints it, so that it bears no password.
assert url.password is None
options = url.get_dialect()().create_connect_args(url)[1]

def ask_database(host):
    psycopg2.connect(**options | config.SQLALCHEMY_ENGINE_OPTIONS["connect_args"] | {"host": host}).close()

def ask_cache(host):
    redis.Redis.from_url(redis_url(1).replace("@" + cache, "@" + host)).ping()

def ask_queue(host):
    with kombu.Connection(redis_url(0).replace("@" + cache, "@" + host)) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=5)

for ask, right, wrong in ((ask_database, database, store), (ask_cache, cache, other), (ask_queue, cache, other)):
    ask(right)
    try:
        ask(wrong)
    except Exception as error:
        print(ask.__name__, "refused", type(error).__name__, str(error).replace(chr(10), " "))
    else:
        print(ask.__name__, "took an impostor")
"""

# Connects to the database as Superset is configured to.
CONNECT = """
import psycopg2
import superset_config as config
from sqlalchemy.engine.url import make_url

url = make_url(config.SQLALCHEMY_DATABASE_URI)
psycopg2.connect(**url.get_dialect()().create_connect_args(url)[1], **config.SQLALCHEMY_ENGINE_OPTIONS["connect_args"]).close()
"""

# Servers that are asked at once.
AT_ONCE = 4

# How long a renewed certificate may take to be shown by a service that looks by itself, in seconds.
NOTICE = 90


@dataclass(frozen=True)
class Server:
    service: str
    port: int


class Encryption:
    """The encrypted flows of a stack that runs, as its `platform.json` lists them."""

    def __init__(self, stack):
        self.stack = stack
        self.containers: dict[str, dict] = {}
        self.authority = stack.folder / "secrets/tls/ca.crt"
        flows = json.loads((stack.folder / "platform.json").read_text(encoding="utf-8"))["flows"].values()
        real = {name for name in stack.services if stack.stand_in(name) != "placeholder"}
        found = {Server(flow["to"], flow["port"]) for flow in flows if flow["encryption"] == "tls" and flow["to"] in real}
        self.servers = sorted(found, key=lambda server: (server.service, server.port))

    def look(self) -> None:
        """Where servers are now: one that was started again may have another address."""
        self.containers = self.stack.containers()

    def address(self, server: Server) -> str:
        networks = self.containers[server.service]["NetworkSettings"]["Networks"].values()
        return next(network["IPAddress"] for network in networks)

    def handshake(self, server: Server, *words: str, name: str | None = None):
        name = name or server.service
        return self.stack.engine.inside(
            "openssl", "s_client", "-connect", f"{self.address(server)}:{server.port}",
            *STARTTLS.get(self.stack.stand_in(server.service), []), "-CAfile", self.authority, "-servername", name,
            "-verify_hostname", name, "-verify_return_error", *words, check=False, merge=True, input="", timeout=30,
        )  # fmt: skip

    def handshakes(self) -> None:
        """TLS 1.3 and nothing older, nothing in clear, and a certificate of the platform for the service's name alone."""
        expect(len(self.servers) > 3, f"few servers speak TLS: {self.servers}")
        self.look()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            said = [fault for faults in pool.map(self.faults, self.servers) for fault in faults]
        for service in self.stack.of_kind("postgres"):
            refused = self.stack.execute(
                service, "psql", "-X", "-c", "select 1", f"host={service} user=postgres sslmode=disable connect_timeout=5",
                check=False, merge=True,
            ).stdout  # fmt: skip
            if "no encryption" not in refused:
                said.append(f"{service}: a connection in clear is not refused for being one: {refused}")
        expect(not said, "\n".join(said))

    def faults(self, server: Server) -> list[str]:
        said = []
        newest = self.handshake(server, "-tls1_3")
        if newest.returncode != 0 or "Verify return code: 0 (ok)" not in newest.stdout:
            said.append(f"{server}: TLS 1.3 is refused: {newest.stdout[-600:]}")
        older = self.handshake(server, "-tls1_2")
        if older.returncode == 0 and self.stack.stand_in(server.service) not in OLDER_TOO:
            said.append(f"{server}: TLS 1.2 is accepted")
        if self.handshake(server, "-tls1_3", name="other.example.org").returncode == 0:
            said.append(f"{server}: it bears any name")
        words = ["-c", IN_CLEAR, self.address(server), str(server.port)]
        answer = self.stack.engine.inside(sys.executable, *words, check=False).stdout
        if SERVED.search(answer.encode()):
            said.append(f"{server}: it answers in clear: {answer[:200]!r}")
        return said

    def impostors(self) -> None:
        """Clients with their generated settings refuse who bears another name."""
        [database], [cache] = self.stack.of_kind("postgres"), self.stack.of_kind("valkey")
        worker = next(name for name in self.stack.of_kind("superset") if name.endswith("-worker"))
        words = [f"{name}={self.address_for(worker, name)}" for name in (database, cache)]
        result = self.stack.execute(worker, "python", "-c", IMPOSTOR, *words, check=False, merge=True)
        lines = [line for line in result.stdout.splitlines() if line.startswith("ask_")]
        expect(result.returncode == 0 and len(lines) == 3, result.stdout[-2000:])
        for line in lines:
            expect(" refused " in line and re.search(r"match|verify failed", line), line)

    def address_for(self, client: str, server: str) -> str:
        """The address of a server in a network that it shares with a client."""
        containers = self.stack.containers()
        mine = set(containers[client]["NetworkSettings"]["Networks"])
        theirs = containers[server]["NetworkSettings"]["Networks"]
        return next(network["IPAddress"] for name, network in theirs.items() if name in mine)

    def serials(self) -> dict[Server, str]:
        found = {}
        self.look()
        for server in self.servers:
            shown = self.handshake(server, "-tls1_3").stdout
            pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", shown, re.DOTALL)
            expect(pem, f"{server}: {shown[-600:]}")
            found[server] = run(["openssl", "x509", "-noout", "-serial"], input=pem[0]).stdout.strip()
        return found

    def began(self) -> dict[str, str]:
        return {name: one["State"]["StartedAt"] for name, one in self.stack.containers().items()}

    def commands(self) -> list[str]:
        """What the README says after something was renewed, each without `docker compose`."""
        readme = (self.stack.folder / "README.md").read_text(encoding="utf-8")
        pattern = r"^    docker compose (run --rm lakewright-prepare|exec .*?kill -s .*?|restart .*?)(?:     #.*)?$"
        return re.findall(pattern, readme, re.MULTILINE)

    def type(self, lines: list[str]) -> None:
        for line in lines:
            script = f'exec "$0" -f compose.yaml -f override.stand-in.yaml {line.replace("exec ", "exec -T ", 1)}'
            environment = self.stack.engine.environment
            run(["sh", "-c", script, self.stack.tools.path("docker-compose")], cwd=self.stack.folder, env=environment, merge=True)

    def expired(self) -> None:
        """A certificate that has ended is said to, nobody connects to who shows it, and all is well once it is renewed."""
        [database] = self.stack.of_kind("postgres")
        worker = next(name for name in self.stack.of_kind("superset") if name.endswith("-worker"))
        lines = [line for line in self.commands() if "lakewright-prepare" in line or f"exec {database} " in line]
        expect(len(lines) == 2, f"the README does not say how {database} reads a renewed certificate: {lines}")

        def connects() -> str:
            result = self.stack.execute(worker, "python", "-c", CONNECT, check=False, merge=True)
            return "" if result.returncode == 0 else result.stdout

        expect(not connects(), f"{worker} does not reach {database}")
        kept, settings = f"secrets/tls/{database}", f"tls/{database}.cnf"
        try:
            run(["openssl", "req", "-new", "-key", f"{kept}/tls.key", "-config", settings, "-out", f"{kept}/tls.csr"], cwd=self.stack.folder)
            run(
                ["openssl", "x509", "-req", "-in", f"{kept}/tls.csr", "-days", "0", "-CA", "secrets/tls/ca.crt", "-CAkey", "secrets/tls/ca.key",
                 "-extfile", settings, "-extensions", "certificate", "-out", f"{kept}/tls.crt"], cwd=self.stack.folder,
            )  # fmt: skip
            time.sleep(2)
            said = run(["./tls/issue.sh", "--check"], cwd=self.stack.folder, check=False, merge=True)
            expect(said.returncode == 1 and f"{database}: has ended" in said.stdout, f"--check: {said.stdout}")
            # Clients of PostgreSQL say that they do not trust it, and not why.
            said = run(["openssl", "verify", "-CAfile", "secrets/tls/ca.crt", f"{kept}/tls.crt"], cwd=self.stack.folder, check=False, merge=True)
            expect("certificate has expired" in said.stdout, f"something else is wrong with it: {said.stdout}")
            self.type(lines)
            deadline = time.monotonic() + NOTICE
            while "certificate verify failed" not in (refused := connects()):
                expect(time.monotonic() < deadline, f"it is not refused for having ended: {refused or 'it connects'}")
                time.sleep(2)
        finally:
            (self.stack.folder / kept / "tls.csr").unlink(missing_ok=True)
            run(["./tls/issue.sh"], cwd=self.stack.folder)
            self.type(lines)
        deadline = time.monotonic() + NOTICE
        while refused := connects():
            expect(time.monotonic() < deadline, f"it is renewed, and {worker} is refused: {refused}")
            time.sleep(2)

    def renewed(self) -> None:
        """The commands of the README show renewed certificates, and restart nobody who need not be."""
        lines = self.commands()
        restarted = {word for line in lines if line.startswith("restart ") for word in line.split()[1:]}
        before, began = self.serials(), self.began()
        names = sorted({server.service for server in self.servers})
        run(["./tls/issue.sh", *(word for name in names for word in ("--renew", name))], cwd=self.stack.folder)
        expect(self.serials() == before, "somebody reads what nobody gave it")
        self.type(lines)
        self.stack.all_well()
        deadline = time.monotonic() + NOTICE
        while old := [server for server, serial in self.serials().items() if serial == before[server]]:
            expect(time.monotonic() < deadline, f"after {NOTICE} s these show what they had: {old}")
            time.sleep(5)
        again = {name for name, time_of in self.began().items() if time_of != began.get(name)} - restarted
        expect(not {name for name in again if not self.stack.is_job(name)}, f"restarted: {sorted(again)}")
