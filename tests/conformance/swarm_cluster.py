"""Engines of the tests' own that form one Swarm: hosts with names and addresses of their own, on one wire."""

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from engine import Engine
from report import Failure, Missing, expect
from toolbox import Toolbox, run

# The addresses of the hosts are the first ones, that of a client outside the Swarm is the last.
NETWORK = "192.168.77"
CLIENT = f"{NETWORK}.254"

# Seconds until a Swarm has found out that a host is lost, and what it does then is done.
LOSS_TIMEOUT = 120


class Swarm:
    """Use as a context manager. Every host is a manager; the scripts of bundles run on the first.

    The wire is a bridge in a network namespace that no engine owns, so that any host can be lost. From there, a client
    sees what somebody outside the Swarm sees.
    """

    def __init__(self, tools: Toolbox, hosts: Iterable[str], fill: Callable[[Engine], None] = lambda _: None):
        """`fill` loads images into an engine: every host gets the same."""
        self.tools = tools
        self.fill = fill
        self.engines = {host: Engine(tools, isolated=True, host=host) for host in hosts}
        self.lost: set[str] = set()
        self.wire: subprocess.Popen | None = None

    def __enter__(self) -> "Swarm":
        if os.geteuid() != 0:
            raise Missing("docker engine", "only root can start one")
        self.tools.need("ip", "nsenter", "setpriv", "unshare")
        with contextlib.ExitStack() as stack:
            stack.push(self.__exit__)
            self.wire = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", "unshare", "--net", "sleep", "infinity"],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            first, *others = self.engines.values()
            first.launch()
            first.wait_until_up()
            self.fill(first)
            for engine in others:
                # An image's files are never written to: loading them again would only take time and room.
                engine.launch(images_of=first)
            for engine in others:
                engine.wait_until_up()
            self.connect()
            self.join()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self.engines.values():
            engine.ask_to_stop()
        for engine in self.engines.values():
            engine.__exit__()
        if self.wire is not None:
            self.wire.kill()
            self.wire.wait()

    # --- making it ---

    def client(self, *words: str | Path, check: bool = True, **options) -> subprocess.CompletedProcess:
        """Runs a program outside the Swarm, where hosts are known by their addresses."""
        return run(["nsenter", "--target", str(self.wire.pid), "--net", *words], check=check, **options)

    def connect(self) -> None:
        deadline = time.monotonic() + 10
        ours = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{self.wire.pid}/ns/net").readlink() == ours:
            expect(time.monotonic() < deadline, "no network namespace for the hosts' network")
            time.sleep(0.05)
        script = [
            "ip link set lo up",
            "ip link add wire type bridge",
            f"ip addr add {CLIENT}/24 dev wire",
            "ip link set wire up",
            # Overlay networks are made of these.
            "ip link add trial type vxlan id 1 dstport 4789 dev wire",
            "ip link del trial",
        ]
        for number, engine in enumerate(self.engines.values(), 1):
            script.append(f"ip link add host{number} type veth peer name eth0 netns {engine.init_pid()}")
            script.append(f"ip link set host{number} master wire up")
        result = self.client("sh", "-ec", "\n".join(script), check=False)
        if result.returncode != 0:
            raise Missing("bridge, veth and vxlan in the kernel", result.stderr.strip())
        for host, engine in self.engines.items():
            engine.inside("sh", "-ec", f"ip addr add {self.address(host)}/24 dev eth0\nip link set eth0 up")

    def address(self, host: str) -> str:
        return f"{NETWORK}.{list(self.engines).index(host) + 1}"

    def join(self) -> None:
        first, *others = self.engines
        address = self.address(first)
        result = self.engines[first].docker("swarm", "init", "--advertise-addr", address, check=False)
        if result.returncode != 0:
            raise Missing("docker swarm", result.stderr.strip())
        token = self.docker("swarm", "join-token", "--quiet", "manager").stdout.strip()
        for host in others:
            words = ["swarm", "join", "--token", token, "--advertise-addr", self.address(host), f"{address}:2377"]
            result = self.engines[host].docker(*words, check=False)
            if result.returncode != 0:
                raise Missing("docker swarm", result.stderr.strip())
        expect(sorted(self.nodes()) == sorted(self.engines), f"nodes: {self.nodes()}")

    # --- what this kernel has ---

    def encrypts(self) -> bool:
        """Whether encrypted networks carry anything between hosts: IPsec's ESP is a part of the kernel that it may lack."""
        state = ["src", CLIENT, "dst", f"{NETWORK}.253", "proto", "esp", "spi", "0x100", "mode", "transport"]
        key = ["aead", "rfc4106(gcm(aes))", "0x" + "00" * 20, "128"]
        return self.client("ip", "xfrm", "state", "add", *state, *key, check=False).returncode == 0

    def balances(self) -> bool:
        """Whether virtual IPs of services answer, for which the kernel needs IPVS."""
        return self.client("test", "-e", "/proc/net/ip_vs", check=False).returncode == 0

    # --- using it ---

    @property
    def alive(self) -> dict[str, Engine]:
        return {host: engine for host, engine in self.engines.items() if host not in self.lost}

    @property
    def manager(self) -> Engine:
        """The first host that there is."""
        return next(iter(self.alive.values()))

    def docker(self, *words: str | Path, check: bool = True, **options) -> subprocess.CompletedProcess:
        return self.manager.docker(*words, check=check, **options)

    def script(self, *words: str | Path, engine: Engine | None = None, **options) -> subprocess.CompletedProcess:
        """Runs a program on the first host, or that of an engine, with its network and its name; a failure is a result, and so is to take too long."""
        engine = engine or self.manager
        spaces = ["nsenter", "--target", str(engine.init_pid()), "--net", "--uts"]
        try:
            return run([*spaces, *words], check=False, merge=True, env=engine.environment, **options)
        except subprocess.TimeoutExpired as late:
            said = (late.stdout or b"").decode(errors="replace")
            return subprocess.CompletedProcess(late.cmd, 124, f"{said}\nnot done after {late.timeout:.0f} s\n", "")

    def inspect(self, kind: str, ids: list[str]) -> list[dict]:
        # Of those that are gone since they were listed, nothing is told.
        return json.loads(self.docker("inspect", "--type", kind, *ids, check=False).stdout or "[]") if ids else []

    def names(self, kind: str, *words: str) -> list[str]:
        """What `docker KIND ls --quiet` lists: ids, or names where objects have no others."""
        return self.docker(kind, "ls", "--quiet", *words).stdout.split()

    def nodes(self) -> dict[str, dict]:
        """By host name."""
        return {node["Description"]["Hostname"]: node for node in self.inspect("node", self.names("node"))}

    def services(self, stack: str) -> dict[str, dict]:
        """Those of a stack, without its name in theirs."""
        ids = self.names("service", "--filter", f"label=com.docker.stack.namespace={stack}")
        return {service["Spec"]["Name"].removeprefix(f"{stack}_"): service for service in self.inspect("service", ids)}

    def tasks(self, services: dict[str, dict]) -> dict[str, list[dict]]:
        """The tasks of services that the Swarm remembers, by service."""
        found: dict[str, list[dict]] = {name: [] for name in services}
        names = {service["ID"]: name for name, service in services.items()}
        ids = self.docker("service", "ps", "--quiet", "--no-trunc", *names).stdout.split() if names else []
        for task in self.inspect("task", ids):
            found[names[task["ServiceID"]]].append(task)
        return found

    def execute(self, host: str, container: str, *words: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        """Runs a program in a container."""
        given = ["--interactive"] if "input" in options else []
        return self.engines[host].docker("exec", *given, container, *words, check=check, **options)

    def wait(self, what: str, condition: Callable[[], object], timeout: float, why: Callable[[], str] = lambda: "") -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"{what}: not within {timeout:.0f} s\n{why()}".strip())
            time.sleep(1)

    def lose(self, host: str) -> None:
        """Takes the power from a host, and waits until the others know."""
        self.lost.add(host)
        self.engines[host].kill()

        def noticed() -> bool:
            try:
                return self.nodes()[host]["Status"]["State"] == "down"
            except Failure:  # the managers that are left are electing a leader
                return False

        self.wait(f"the Swarm notices that {host} is lost", noticed, LOSS_TIMEOUT)


class Visitor:
    """Asks for something again and again, from a thread of its own, and remembers what it did not get."""

    def __init__(self, ask: Callable[[], str], pause: float = 0.2):
        self.ask = ask
        self.pause = pause
        self.asked = 0
        self.said: list[str] = []
        self.leaving = threading.Event()
        self.thread = threading.Thread(target=self.visit, daemon=True)

    def visit(self) -> None:
        start = time.monotonic()
        while not self.leaving.wait(self.pause):
            self.asked += 1
            message = self.ask()
            if message:
                self.said.append(f"after {time.monotonic() - start:.1f} s: {message}")

    def __enter__(self) -> "Visitor":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        self.thread.join(timeout=60)
