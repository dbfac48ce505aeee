"""Deploys a Swarm bundle with its own scripts, on engines of the tests' own, and looks at what runs."""

import contextlib
import copy
import functools
import json
import os
import re
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import live
import swarm
from engine import Engine
from images import Image, Images, starts
from live import MEET, PLACEHOLDER, PROBES, ports_spoken_of
from report import Failure, Report, expect
from swarm_cluster import Swarm, Visitor
from toolbox import Toolbox, run

BESIDE = "beside.yaml"

# Writes the bundle of a topology again, with further settings of its environment.
Rebuild = Callable[[Path, dict], None]

# Seconds that a deployment may take, and what it did not wait for.
DEPLOYMENT = 900
SETTLING = 120

# What a topology declares of a host, of which this machine has less: what services reserve is lowered accordingly.
HOST_CPUS = 8
HOST_MEMORY = 16 * 1024**3

# Seconds in which somebody asks again and again.
VISIT = 3

# What only watches and has no stand-in: placeholders of it would take the time of those that have one, and show nothing.
LEFT_OUT = ("filebeat", "grafana", "jaeger", "kibana", "logstash", "otel-collector", "zipkin")

# Stand-ins that take much time to start.
SLOW = ("superset",)

# Asking for health this often, and watching updates this long, one is seen to be good or bad within seconds.
HEALTH = {"interval": "4s", "timeout": "5s", "retries": 5}

# Each question takes a fraction of a second of a processor: asked of more than these at once, nothing else is done.
HEALTHY_AT_ONCE = 10
WATCHED = "5s"

# With this exit status ends whatever is told to run and is not there.
TOLD = 7

# How a component's configuration is changed, for seeing what follows from that.
OPTIONS: dict[str, dict[str, object]] = {"superset": {"row_limit": 4321}, "web": {"colour": "blue"}}

# A secret to rotate: the first of these that a bundle has.
ROTATED = ("superset-admin", "db-password")

# What an engine now and then says of a container with secrets, of itself and not of the stack (moby/moby#48783). The
# task is made again at once.
BUSY = "unable to remount dir as readonly"

UNITS = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def size(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1].lower()]


class Deployment(live.Stack):
    """One bundle as a stack. Its files are a copy, in which stack.yaml is changed where this machine cannot follow:

    - images are stand-ins, and programs that have none are placeholders;
    - limits and reservations are lowered to what there is;
    - networks are not encrypted, and services have no virtual IPs, unless the kernel has what these need;
    - health is asked for every few seconds, and updates are watched for five.
    """

    def __init__(self, bundle: Path, folder: Path, tools: Toolbox, images: Images, compiler: Callable, rebuild: Rebuild):
        super().__init__(bundle, folder, tools, None, images, compiler)
        self.rebuild = rebuild
        self.swarm: Swarm | None = None
        # Images by the names that the bundle gives them.
        self.archives: dict[str, Path] = {}
        # The stand-in that each of them starts from.
        self.bases: dict[str, str] = {}
        self.turn = 0
        # Components whose programs have been seen: in what follows, placeholders do, which start at once.
        self.seen: set[str] = set()
        self.take()

    def take(self) -> None:
        """Reads the stack as it was built."""
        live.leave_out_tracing(self.folder)
        self.read()
        self.original = copy.deepcopy(self.stack.content)

    def read(self) -> None:
        self.stack = swarm.Stack(self.tools, self.folder)

    # --- what a Compose project says otherwise ---

    @property
    def services(self) -> dict[str, dict]:
        return self.stack.services

    @property
    def everything(self) -> dict[str, dict]:
        return self.stack.services

    @property
    def project(self) -> dict:
        return self.stack.content

    @property
    def name(self) -> str:
        return self.stack.project

    def is_job(self, service: str) -> bool:
        return self.stack.is_job(service)

    def component(self, service: str) -> str:
        return swarm.component(self.stack, service)

    def idle(self) -> set[str]:
        return {name for name in self.services if self.stack.replicas(name) == 0}

    def stand_in(self, service: str) -> str:
        return self.kinds[service]

    def execute(self, service: str, *words: str, check: bool = True, **options):
        found = self.where(service)
        expect(found, f"{service}: runs nowhere")
        return self.swarm.execute(*found[0], *words, check=check, **options)

    def containers(self) -> dict[str, dict]:
        """What its engine knows of each running container, by service, host and container."""
        found: dict[str, dict] = {}
        for host, engine in self.swarm.alive.items():
            ids = engine.docker("ps", "--quiet", "--filter", f"label=com.docker.stack.namespace={self.name}").stdout.split()
            for container in json.loads(engine.docker("inspect", *ids, check=False).stdout or "[]") if ids else []:
                service = container["Config"]["Labels"]["com.docker.swarm.service.name"].removeprefix(f"{self.name}_")
                found[f"{service} {host} {container['Id']}"] = container
        return found

    def engine_of(self, service: str) -> Engine:
        return self.swarm.engines[service.split()[1]]

    def fetch(self, host: str, path: str, *words: str, **options):
        """As live.Stack's, from outside the Swarm, through the proxies of all hosts in turn."""
        port = self.door()
        authority = self.folder / "secrets/tls/ca.crt"
        scheme = "https" if authority.exists() else "http"
        proxies = self.proxies()
        self.turn += 1
        proxy = proxies[self.turn % len(proxies)]
        curl = [self.tools.path("curl"), "--silent", "--show-error", "--max-time", "20"]
        curl += ["--cacert", authority] if authority.exists() else []
        curl += ["--resolve", f"{host}:{port}:{self.swarm.address(proxy)}"]
        return self.swarm.client(*curl, *words, f"{scheme}://{host}:{port}{path}", **options)

    def proxies(self) -> list[str]:
        """The hosts that let in whoever comes from outside."""
        facing = [name for name in self.services if self.stack.facing(name)]
        found = [host for host in self.swarm.alive if any(self.stack.hosts(name, [host]) for name in facing)]
        expect(found, "no host has a proxy")
        return found

    def door(self) -> int:
        """The published port for browsers."""
        web = sorted(port for _, _, port, inside in self.published() if inside in (443, 8443)) or sorted(
            port for _, _, port, inside in self.published() if inside in (80, 8080)
        )
        expect(web, "no web port is published")
        return web[0]

    # --- making it startable ---

    def make_secrets(self) -> None:
        super().make_secrets()
        if (self.folder / "tls/issue.sh").exists():
            run([self.folder / "tls/issue.sh"])

    def build_images(self) -> None:
        """Those that the bundle's images.sh would build and push: each is named after its folder."""
        for name in sorted({service["image"] for service in self.services.values()}):
            dockerfile = self.folder / "images" / name.rpartition("/")[2].partition(":")[0] / "Dockerfile"
            archive = self.images.derived(dockerfile.parent, "Dockerfile", {}) if dockerfile.exists() else None
            if archive is not None:
                self.archives[name] = archive
                self.bases[name] = Image(starts(dockerfile, {})[0]).stand_in or PLACEHOLDER

    def choose(self) -> None:
        """Which image each service gets."""
        self.kinds = {
            name: self.bases.get(service["image"]) or self.image(name).stand_in or PLACEHOLDER
            for name, service in self.services.items()
        }
        self.kinds |= {name: PLACEHOLDER for name in self.services if self.component(name) in self.seen}
        lacking = {name for name, kind in self.kinds.items() if kind == PLACEHOLDER and not self.is_job(name)}
        for name in self.services:
            # A job that would talk to a program that is not there.
            near = [set(self.stack.users(network)) & lacking for network in swarm.networks(self.services[name])]
            own = {self.component(other) for other in lacking}
            if self.is_job(name) and (self.component(name) in own or (near and all(near))):
                self.kinds[name] = PLACEHOLDER
        if idle := self.idle():
            # Of one at least that waits to be told, it is known what it will say.
            self.kinds[min(idle, key=lambda name: (self.kinds[name] != PLACEHOLDER, name))] = PLACEHOLDER
        self.chosen = {
            name: (self.archives.get(service["image"]) if self.kinds[name] != PLACEHOLDER else None)
            or self.images.archive(self.image(name), self.kinds[name])
            for name, service in self.services.items()
        }

    def fill(self, engine: Engine) -> None:
        archives = [*self.chosen.values(), self.images.archive(Image("busybox")), self.images.archive(Image(""), PLACEHOLDER)]
        for archive in dict.fromkeys(archives):
            self.images.load(engine, archive)

    def adapt(self) -> None:
        """Changes the copy of the stack."""
        content = copy.deepcopy(self.original)
        often = max(1, len(content["services"]) // HEALTHY_AT_ONCE)
        health = HEALTH | {"interval": f"{4 * often}s", "timeout": f"{5 * often}s"}
        for name, service in content["services"].items():
            service["image"] = Images.name(self.chosen[name])
            self.shrink(service)
            if "healthcheck" in service:
                service["healthcheck"] |= health
            deploy = service.setdefault("deploy", {})
            for part in ("update_config", "rollback_config"):
                if "monitor" in deploy.get(part, {}):
                    deploy[part]["monitor"] = WATCHED
            if self.kinds[name] == PLACEHOLDER:
                self.hold_place(name, service)
            if not self.swarm.balances():
                deploy["endpoint_mode"] = "dnsrr"
        if not self.swarm.encrypts():
            for network in content.get("networks", {}).values():
                network.pop("driver_opts", None)
        self.write(content)

    def write(self, content: dict) -> None:
        """The stack as it is deployed next."""
        (self.folder / swarm.STACK).write_text(self.tools.to_yaml(content), encoding="utf-8")
        self.read()

    def hold_place(self, name: str, service: dict) -> None:
        if name in self.idle():
            service |= {"entrypoint": ["sh", "-c", f"echo {name} was told; exit {TOLD}"], "command": []}
            return
        if self.is_job(name):
            service |= {"entrypoint": ["true"], "command": []}
            return
        ports = [str(port) for port in self.ports_of(name)]
        service |= {"entrypoint": ["python3", "/placeholder.py", name, *ports], "command": []}
        service["healthcheck"] = {"test": ["CMD", "true"], **HEALTH}

    def shrink(self, service: dict) -> None:
        given = service.get("deploy", {}).get("resources", {})
        cpus, memory = os.cpu_count() or 1, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if "cpus" in given.get("limits", {}):
            given["limits"]["cpus"] = str(min(float(given["limits"]["cpus"]), cpus))
        reserved = given.get("reservations", {})
        if "cpus" in reserved:
            reserved["cpus"] = f"{float(reserved['cpus']) * min(1, cpus / HOST_CPUS):.3f}"
        if "memory" in reserved:
            reserved["memory"] = f"{int(size(reserved['memory']) * min(1, memory / HOST_MEMORY))}b"
        for name, most in self.affordable(service).get("ulimits", {}).items():
            service["ulimits"][name] = most

    def prepare(self) -> None:
        """All that can be done before there are engines."""
        self.make_secrets()
        self.build_images()
        self.choose()

    def start(self, swarm: Swarm) -> None:
        self.swarm = swarm
        self.adapt()

    def hosts_named(self) -> list[str]:
        """The hosts that the bundle is for."""
        return sorted({host for name in self.services if (host := self.stack.host(name))})

    def change(self, settings: dict) -> None:
        """The bundle of the topology with other settings, in place of the one that was."""
        self.rebuild(self.folder, settings)
        self.take()
        self.make_secrets()
        self.choose()
        self.adapt()

    def see(self) -> None:
        """Lets placeholders take over from programs that have been seen, and take much time to start."""
        self.seen |= {self.component(name) for name in self.services if self.kinds[name] in SLOW}
        self.stack.content = copy.deepcopy(self.original)
        self.stack.__dict__.pop("services", None)
        self.choose()
        self.adapt()
        self.deploy_well()

    # --- beside the stack ---

    def has_beside(self) -> bool:
        return (self.folder / BESIDE).exists()

    def adapt_beside(self) -> None:
        """As the stack; without all rights, which placeholders do not need and this machine may not give."""
        [content] = self.tools.yaml(self.folder / BESIDE)
        for name, service in content["services"].items():
            kind = Image(service["image"]).stand_in or PLACEHOLDER
            service["image"] = Images.name(self.images.archive(Image(service["image"]), kind))
            service.pop("privileged", None)
            self.shrink(service)
            if kind == PLACEHOLDER:
                names = [name, *(alias for network in swarm.networks(service).values() for alias in network.get("aliases", []))]
                ports = sorted({port for known in names for port in ports_spoken_of(self.folder, known)})
                service |= {"entrypoint": ["python3", "/placeholder.py", name, *map(str, ports)], "command": []}
                service["healthcheck"] = {"test": ["CMD", "true"], **HEALTH}
        (self.folder / BESIDE).write_text(self.tools.to_yaml(content), encoding="utf-8")

    def beside(self, action: str, host: str | None = None):
        """Runs the bundle's script for it, on its host or another one."""
        own = re.search(r"(?m)^host=(\S+)$", (self.folder / "beside.sh").read_text(encoding="utf-8"))
        engine = self.swarm.engines[host or own[1]]
        plugins = engine.folder / ".docker/cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        if not (plugins / "docker-compose").exists():
            (plugins / "docker-compose").symlink_to(self.tools.path("docker-compose"))
        return self.swarm.script(self.folder / "beside.sh", action, engine=engine, timeout=DEPLOYMENT, cwd=self.folder)

    def start_beside(self) -> None:
        """It starts on its host, and nowhere else, and a second time changes nothing."""
        self.adapt_beside()
        for host in self.swarm.alive:
            result = self.beside("status", host)
            expect(result.returncode == 1, f"{host}: status before it runs: {result.returncode}\n{result.stdout}")
        result = self.beside("up")
        expect(result.returncode == 0, f"up: exit status {result.returncode}\n{self.tail(result.stdout, 40)}")
        result = self.beside("status")
        expect(result.returncode == 0, f"status: exit status {result.returncode}\n{self.tail(result.stdout, 40)}")
        refused = [host for host in self.swarm.alive if self.beside("up", host).returncode != 0]
        expect(len(refused) == len(self.swarm.alive) - 1, f"is refused on {refused} only")

    # --- what runs ---

    def preflight(self) -> None:
        """What is lacking is said, everything at once; and only what is."""
        (self.folder / "secrets").rename(self.folder / "kept")
        words = ["--small-hosts", "--no-images"]
        try:
            result = self.script("preflight.sh", *words, "--no-probe", "--host=nobody=staging-1")
        finally:
            (self.folder / "kept").rename(self.folder / "secrets")
        expect(result.returncode == 1, f"without secrets: exit status {result.returncode}\n{result.stdout}")
        said = [line for line in result.stdout.splitlines() if line.startswith("lacking:")]
        for part in ("in ./secrets", "certificates", "--host nobody"):
            expect(any(part in line for line in said), f"nothing is said of {part}:\n{result.stdout}")
        probe = Images.name(self.images.archive(Image("busybox")))
        result = self.script("preflight.sh", *words, f"--probe-image={probe}")
        said = [line for line in result.stdout.splitlines() if line.startswith("lacking:")]
        # Of the machine's own settings, tests change none; each host says so of its own.
        short = [line for line in said if "vm.max_map_count" in line]
        asked = (self.folder / "preflight.sh").read_text(encoding="utf-8").count("\nsetting ")
        least = int(Path("/proc/sys/vm/max_map_count").read_text()) < 262144
        expect(said == short and len(short) == (asked if least else 0), result.stdout)
        expect(result.returncode == (1 if short else 0), f"exit status {result.returncode}\n{result.stdout}")
        left = self.state()
        expect(not any(left[kind] for kind in ("service", "config", "secret", "network")), f"left: {left}")

    def script(self, name: str, *words: str, **options):
        return self.swarm.script(self.folder / name, *words, timeout=DEPLOYMENT, cwd=self.folder, **options)

    def deploy(self, *words: str):
        result = self.script("deploy.sh", *self.options(), *words)
        expect("Ignoring" not in result.stdout, f"deploy.sh: Swarm ignores something:\n{result.stdout}")
        return result

    def options(self) -> list[str]:
        """What this machine does not have, by the options that are for that."""
        options = ["--no-preflight"] if (self.folder / "preflight.sh").exists() else []
        # It is started apart, on the host that it is for.
        return [*options, "--no-beside"] if self.has_beside() else options

    def deploy_well(self, *words: str) -> None:
        result = self.deploy(*words)
        expect(result.returncode == 0, f"exit status {result.returncode}\n{self.tail(result.stdout, 60)}\n{self.troubles()}")

    def deploy_first(self) -> None:
        """What runs beside the stack joins its networks: it comes second, and answers only then."""
        self.deploy_well(*(["--no-smoke"] if self.has_beside() else []))

    def found(self) -> tuple[dict[str, dict], dict[str, list[dict]]]:
        services = self.swarm.services(self.name)
        return services, self.swarm.tasks(services)

    def running(self) -> dict[str, list[tuple[str, str]]]:
        """Host and container of every running task."""
        hosts = {node["ID"]: host for host, node in self.swarm.nodes().items()}
        _, tasks = self.found()
        return {
            name: [
                (hosts[task["NodeID"]], task["Status"]["ContainerStatus"]["ContainerID"])
                for task in found
                if task["Status"]["State"] == task["DesiredState"] == "running" and hosts[task["NodeID"]] in self.swarm.alive
            ]
            for name, found in tasks.items()
        }

    def where(self, service: str) -> list[tuple[str, str]]:
        return self.running()[service]

    def wanted(self, service: str) -> int:
        """How many tasks of a service there can be on the hosts that are left."""
        hosts = self.stack.hosts(service, self.swarm.alive)
        if self.stack.is_global(service) or not hosts:
            return len(hosts)
        most = ((self.services[service].get("deploy") or {}).get("placement") or {}).get("max_replicas_per_node")
        return min(self.stack.replicas(service), len(hosts) * most) if most else self.stack.replicas(service)

    def wrong(self) -> dict[str, str]:
        """Services that are not as they should be."""
        said = {}
        services, tasks = self.found()
        for name in self.services:
            if name not in services:
                said[name] = "not there"
                continue
            state = (services[name].get("UpdateStatus") or {}).get("State", "completed")
            good = "complete" if self.is_job(name) else "running"
            count = sum(task["Status"]["State"] == good and (self.is_job(name) or task["DesiredState"] == good) for task in tasks[name])
            if self.is_job(name):
                count = min(count, self.wanted(name))
            if count != self.wanted(name):
                states = ", ".join(f"{task['Status']['State']} ({task['Status'].get('Err', '')})" for task in tasks[name])
                said[name] = f"{good}: {count} of {self.wanted(name)}: {states}"
            elif state not in ("completed", "rollback_completed"):
                said[name] = f"its update: {state}"
        return said

    def troubles(self) -> str:
        said = []
        for name, what in self.wrong().items():
            logs = self.swarm.docker("service", "logs", "--no-trunc", "--tail=15", f"{self.name}_{name}", check=False, merge=True, timeout=30)
            said.append(f"-- {name}: {what}\n{logs.stdout.strip()}")
        return "\n".join(said)

    def converged(self) -> None:
        """What the script says is done is done, and nothing was tried twice."""
        wrong = self.wrong()
        expect(not wrong, self.troubles())
        _, tasks = self.found()
        failed = [
            f"{name}: {task['Status']['State']}: {task['Status'].get('Err')}"
            for name, found in tasks.items()
            for task in found
            if task["Status"]["State"] in ("failed", "rejected") and BUSY not in task["Status"].get("Err", "")
        ]
        expect(not failed, "tasks failed on the way:\n" + "\n".join(failed))

    def run_job(self) -> None:
        """What waits to be told runs when it is, says what it has to say, and ends as it ends."""
        result = self.script("run.sh", "nothing")
        expect(result.returncode == 2, f"nothing: exit status {result.returncode}\n{result.stdout}")
        told = [name for name in self.idle() if self.kinds[name] == PLACEHOLDER]
        expect(told, "no job is a placeholder")
        for name in [*told, *(name for name in self.idle() - set(told) if name.endswith("-status"))]:
            result = self.script("run.sh", name)
            wanted = TOLD if name in told else 0
            expect(result.returncode == wanted, f"{name}: exit status {result.returncode}, not {wanted}\n{result.stdout}")
            expect(name not in told or f"{name} was told" in result.stdout, f"{name}: its log is not shown:\n{result.stdout}")
        expect(not [name for name in self.idle() if self.where(name)], "runs on")

    def placement(self) -> None:
        """What is pinned is where it should be; replicas are on as many hosts as there are."""
        said = []
        for name, found in self.running().items():
            at = [host for host, _ in found]
            allowed = self.stack.hosts(name, self.swarm.alive)
            if set(at) - set(allowed):
                said.append(f"{name}: runs on {', '.join(at)}, not on {', '.join(allowed)}")
            if len(set(at)) < min(len(at), len(allowed)):
                said.append(f"{name}: its replicas are on {', '.join(at)}")
        expect(not said, "\n".join(said))

    def published_ports_answer(self) -> None:
        """On every host, just the ports that are published there can be connected to, besides those of the Swarm itself."""
        said = []
        running = self.running()
        for host in self.swarm.alive:
            declared = {port for name, _, port, _ in self.published() if host in dict(running[name])}
            listing = self.swarm.engines[host].inside("ss", "--no-header", "--listening", "--tcp", "--numeric").stdout
            open_ports = {int(line.split()[3].rpartition(":")[2]) for line in listing.splitlines() if not line.split()[3].startswith("127.")}
            if open_ports - {2377, 7946} != declared:
                said.append(f"{host}: {sorted(open_ports)} are open, published are {sorted(declared)}")
            for port in sorted(declared):
                result = self.swarm.client("bash", "-c", f"exec 3<>/dev/tcp/{self.swarm.address(host)}/{port}", check=False, timeout=20)
                if result.returncode != 0:
                    said.append(f"{host}:{port}: {result.stderr.strip()}")
        expect(not said, "\n".join(said))

    def only_wired_services_meet(self) -> None:
        """Every container finds the names of just those services with which its own shares a network, and connects to no others."""
        containers = self.containers()
        aliases = {
            alias: name
            for name, service in self.services.items()
            for network in swarm.networks(service).values()
            for alias in (name, *(network.get("aliases") or []))
        }
        targets = {}
        for key, container in containers.items():
            for network in container["NetworkSettings"]["Networks"].values():
                for port in self.ports_of(key.split()[0]):
                    targets[f"{network['IPAddress']}/{port}"] = key.split()[0]
        said, met = [], []

        def probe(key: str) -> None:
            name, host, container = key.split()
            shares = self.stack.near(name)
            answers = live.ask_beside(self.images, self.swarm.engines[host], container, MEET, *aliases, *targets)
            known = {aliases[word] for word in answers if word in aliases}
            said.extend(f"{name} on {host} resolves {other}" for other in known - shares - {name})
            said.extend(f"{name} on {host} does not resolve {other}" for other in (shares & self.lasting()) - known - {name})
            others = {targets[word] for word in answers if word in targets} - {name}
            met.extend(others)
            said.extend(f"{name} on {host} reaches {other}, with which it shares no network" for other in others - shares)

        with ThreadPoolExecutor(PROBES) as pool:
            list(pool.map(probe, containers))
        said.sort()
        expect(met, "nobody reaches anybody: the probe is broken")
        expect(not said, "\n".join(said))

    # --- what changes ---

    def running_tasks(self) -> dict[str, set[str]]:
        """Of services that last."""
        _, tasks = self.found()
        return {
            name: {task["ID"] for task in found if task["DesiredState"] == "running"}
            for name, found in tasks.items()
            if not self.is_job(name)
        }

    def replaced(self, before: dict[str, set[str]]) -> set[str]:
        after = self.running_tasks()
        return {name for name in before if before[name] != after.get(name)}

    def dry_run(self) -> None:
        before = self.state()
        result = self.deploy("--dry-run")
        expect(result.returncode == 0, f"exit status {result.returncode}\n{self.tail(result.stdout, 40)}")
        after = self.state()
        made = {kind: sorted(set(after[kind]) - set(before[kind])) for kind in after}
        expect(not any(made.values()), f"a dry run makes {made}")

    def state(self) -> dict[str, list[str]]:
        """Everything that the Swarm keeps."""
        kept = {kind: self.swarm.names(kind) for kind in ("service", "config", "secret")}
        kept["network"] = self.swarm.names("network", "--filter", f"label=com.docker.stack.namespace={self.name}")
        marks = [f"{host}: {node['Spec'].get('Labels')}" for host, node in self.swarm.nodes().items()]
        return kept | {"node": marks}

    def deploy_again(self) -> None:
        """A second time changes nothing. Jobs may run again, as Swarm has it: they find that there is nothing to do."""
        before, state = self.running_tasks(), self.state()
        self.deploy_well()
        expect(not self.replaced(before), f"tasks were replaced: {sorted(self.replaced(before))}")
        expect(self.state() == state, f"before: {state}\nafter: {self.state()}")

    def front(self) -> str | None:
        """A service that the proxy asks, not pinned, with as many replicas as there is one with."""
        facing = {name for name in self.services if self.stack.facing(name)}
        found = [
            name
            for name in self.lasting() - facing
            if self.stack.near(name) & facing and self.stack.host(name) is None and not self.stack.is_global(name)
        ]
        return max(found, key=lambda name: (self.stack.replicas(name), name), default=None)

    @contextlib.contextmanager
    def visited(self) -> Iterator[None]:
        """Somebody who looks at the front all the time is never left without an answer."""
        front = self.front()
        host = next((name for name in self.hosts() if name.split(".")[0] == self.component(front)), None)
        expect(host, f"the proxy knows no host for {front}")

        def ask() -> str:
            path = "/health" if self.kinds[front] != PLACEHOLDER else "/"
            result = self.fetch(host, path, "--output", "/dev/null", "--write-out", "%{http_code}", check=False, merge=True)
            return "" if result.stdout.strip()[-3:] == "200" else result.stdout.strip()

        with Visitor(ask) as visitor:
            yield
        expect(visitor.asked, "nobody asked")
        expect(not visitor.said, f"{len(visitor.said)} of {visitor.asked} requests failed:\n" + "\n".join(visitor.said[:10]))

    def config_change(self) -> None:
        """Who has a config that changed is replaced, one after the other; nobody else is."""
        component = self.component(self.front())
        before, old = self.running_tasks(), self.stack.section("configs")
        self.change({"components": {component: OPTIONS[component]}})
        new = self.stack.section("configs")
        changed = {key for key in new if new[key] != old.get(key)}
        users = self.lasting(lambda service: changed & {use["source"] for use in service.get("configs") or []})
        expect(users, f"{OPTIONS[component]} changes nothing")
        with self.visited():
            self.deploy_well()
        self.expect_settled()
        replaced = self.replaced(before)
        expect(replaced == users, f"have a changed config: {sorted(users)}; were replaced: {sorted(replaced)}")

    def lasting(self, condition: Callable[[dict], object] = lambda _: True) -> set[str]:
        """Services that run all the time, and of which something holds."""
        return {name for name, service in self.services.items() if not self.is_job(name) and name not in self.idle() and condition(service)}

    def expect_settled(self) -> None:
        self.swarm.wait("all services settle", lambda: not self.wrong(), SETTLING, self.troubles)

    def bad_update(self, broken: dict) -> None:
        """Swarm takes back what does not come up; the script says so; nobody notices."""
        front = self.front()
        good = copy.deepcopy(self.stack.content)
        before = self.swarm.services(self.name)[front]["Spec"]["TaskTemplate"]["ContainerSpec"]
        bad = copy.deepcopy(good)
        bad["services"][front] |= broken
        self.write(bad)
        with self.visited():
            result = self.deploy()
            self.write(good)
        expect(result.returncode == 1, f"exit status {result.returncode}\n{self.tail(result.stdout, 40)}")
        expect(front in result.stdout, f"nothing is said of {front}:\n{self.tail(result.stdout, 40)}")
        after = self.swarm.services(self.name)[front]
        expect(after["Spec"]["TaskTemplate"]["ContainerSpec"] == before, f"{front} was not rolled back: {after.get('UpdateStatus')}")
        self.expect_settled()

    def bad_image(self) -> None:
        """A program that ends at once."""
        self.bad_update({"entrypoint": ["sh", "-c", "exit 3"], "command": []})

    def bad_probe(self) -> None:
        """A program that is never well."""
        self.bad_update({"healthcheck": {"test": ["CMD", "false"], **HEALTH, "retries": 2}})

    def secret_rotation(self) -> None:
        """A new version of a secret reaches everybody who reads it, and nobody else is touched."""
        name = next((name for name in ROTATED if name in self.stack.section("secrets")), None)
        expect(name, f"none of {ROTATED}")
        before = self.running_tasks()
        (self.folder / "secrets" / name).unlink(missing_ok=True)
        self.change({"secret_versions": {name: 2}, "components": {self.component(self.front()): OPTIONS[self.component(self.front())]}})
        value = (self.folder / "secrets" / name).read_text(encoding="utf-8").strip()
        self.deploy_well()
        self.expect_settled()
        users = self.lasting(lambda service: any(use["source"] == name for use in service.get("secrets") or []))
        running = self.running()
        for service in users:
            [use] = [use for use in self.services[service]["secrets"] if use["source"] == name]
            path = os.path.join("/run/secrets", use.get("target") or name)
            for host, container in running[service]:
                # Whoever may read it: without its capabilities, root may not read what belongs to others.
                words = ["exec", f"--user={use.get('uid', 0)}", container, "cat", path]
                given = self.swarm.engines[host].docker(*words, check=False, merge=True).stdout.strip()
                expect(given == value, f"{service} on {host}: {path} is not the secret's new value")
        replaced = self.replaced(before)
        expect(replaced == users, f"have the secret {name}: {sorted(users)}; were replaced: {sorted(replaced)}")

    # --- a host is lost ---

    def lose_a_host(self) -> None:
        """What has no data there goes on elsewhere, and whoever comes in by another host is answered."""
        lost = self.spare()
        several = self.stack.replicas(self.front()) > 1
        with self.visited() if several else contextlib.nullcontext():
            self.swarm.lose(lost)
            self.swarm.wait("what can run elsewhere does", lambda: not self.wrong(), SETTLING, self.troubles)
        with self.visited():
            time.sleep(VISIT)
        self.stored()

    def stored(self) -> None:
        """What one member of an object store takes is given back by every other that is left."""
        stores = [name for name in self.stores() if self.stack.host(name) in self.swarm.alive]
        for service in stores:
            root, logins = self.root_of(service)
            [(secret, found)] = [(name, found) for name, found in logins.items() if found]
            path = f"try/{found[0]}/conformance-{service}"
            given = self.ask_store(service, root, self.secret_values()[secret], f"echo kept | mc --quiet pipe {path}")
            expect(given.returncode == 0, f"{service} takes nothing: {given.stderr or given.stdout}")
            for other in stores:
                got = self.ask_store(other, root, self.secret_values()[secret], f"mc --quiet cat {path}")
                expect(got.stdout.startswith("kept"), f"{other} does not have what {service} took: {got.stderr or got.stdout}")

    def spare(self) -> str:
        """The last host that does not lead the Swarm, and has no primary of a database."""
        hosts = list(self.swarm.nodes().items())
        primaries = {
            self.stack.host(name) for name in self.of_kind("postgres") if self.sql(name, "select pg_is_in_recovery()") == "f"
        }
        leaders = {host for host, node in hosts if (node.get("ManagerStatus") or {}).get("Leader")}
        found = [host for host in self.swarm.alive if host not in primaries | leaders and host != next(iter(self.swarm.alive))]
        expect(found, f"every host leads the Swarm or has a primary: {primaries}, {leaders}")
        return found[-1]

    def remove(self) -> None:
        """Nothing stays but what has to: secrets and volumes."""
        if self.has_beside() and self.beside("down").returncode != 0:
            raise Failure("beside.sh down fails")
        self.swarm.docker("stack", "rm", self.name)
        self.swarm.wait("its containers end", lambda: not self.containers(), SETTLING)
        self.swarm.wait("its networks are removed", lambda: not self.state()["network"], SETTLING)
        left = self.state()
        expect(not left["service"] and not left["config"], f"left: {left}")


# The tests of a bundle that runs, in this order: each finds what the one before left. What has to be there for some.
RUNNING: dict[str, tuple[Callable[[Deployment], None], Callable[[Deployment], object]]] = {
    "beside": (Deployment.start_beside, Deployment.has_beside),
    "converged": (Deployment.converged, lambda _: True),
    "placement": (Deployment.placement, lambda _: True),
    "postgres-settings": (Deployment.postgres_settings, lambda it: it.of_kind("postgres")),
    "buckets": (Deployment.buckets_and_users, lambda it: it.stores()),
    "cache-closed": (Deployment.cache_is_closed, lambda it: it.of_kind("valkey")),
    "published-ports": (Deployment.published_ports_answer, lambda it: it.published()),
    "routes": (Deployment.proxy_routes, lambda it: it.published()),
    "superset-login": (Deployment.superset_login, lambda it: it.of_kind("superset")),
    "reachability": (Deployment.only_wired_services_meet, lambda _: True),
    "secrets": (Deployment.secrets_stay_secret, lambda _: True),
    "run-job": (Deployment.run_job, Deployment.idle),
}

# What takes ten minutes more: only when `--only` asks for it. The sample goes through most of it in each run.
LONG: dict[str, tuple[Callable, Callable]] = {
    "placeholders": (Deployment.see, lambda it: any(kind in SLOW for kind in it.kinds.values())),
    "deploy-again": (Deployment.deploy_again, lambda _: True),
    "config-change": (Deployment.config_change, Deployment.front),
    "bad-image": (Deployment.bad_image, Deployment.front),
    "bad-probe": (Deployment.bad_probe, Deployment.front),
    "secret-rotation": (Deployment.secret_rotation, lambda _: True),
    "lost-host": (Deployment.lose_a_host, Deployment.front),
    "remove": (Deployment.remove, lambda _: True),
}


def topology_of(root: Path, bundle: Path) -> Path | None:
    """The topology that a bundle is made from, by its names."""
    about = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    for path in sorted([*root.glob("examples/*/platform.toml"), *root.glob("tests/topologies/*.toml")]):
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        if found["platform"]["name"] == about["platform"] and about["environment"] in found["environments"]:
            return path
    return None


def toml(value: object) -> str:
    """A value in TOML; tables are inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(entry)}" for key, entry in value.items()) + " }"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def merge(under: dict, over: dict) -> dict:
    both = {key: merge(under[key], over[key]) for key in under.keys() & over.keys() if isinstance(over[key], dict)}
    return under | over | both


def rebuild(compiler: Callable, topology: Path, folder: Path, settings: dict) -> None:
    """Builds into `folder` again, from the topology with further settings of the bundle's environment."""
    environment = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["environment"]
    with tempfile.TemporaryDirectory(prefix="lakewright-topology-") as temporary:
        # With what it may refer to.
        copy = Path(shutil.copytree(topology.parent, Path(temporary) / "topology")) / topology.name
        changed = merge(tomllib.loads(copy.read_text(encoding="utf-8")), {"environments": {environment: settings}})
        copy.write_text("".join(f"{key} = {toml(value)}\n" for key, value in changed.items()), encoding="utf-8")
        compiler("build", copy, "-e", environment, "-o", Path(temporary) / "built")
        shutil.copytree(Path(temporary) / "built" / environment, folder, dirs_exist_ok=True)


def wanted(report: Report, label: str) -> bool:
    return any(report.wants(f"{label}/{part}") for part in ("stand-ins", "swarm", "preflight", "deploy-dry-run", "deploy", *RUNNING, *LONG))


def test_swarm(report: Report, label: str, bundle: Path, tools: Toolbox, compiler: Callable, root: Path) -> None:
    """Everything that needs engines, for one bundle; `root` has the topologies."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lakewright-swarm-")))
        folder.chmod(0o755)
        again = functools.partial(rebuild, compiler, topology_of(root, bundle))
        it = Deployment(bundle, folder / "bundle", tools, Images(tools), compiler, again)
        if left_out := {it.component(name) for name in it.services} & {*LEFT_OUT}:
            again(it.folder, {"components": {name: {"enabled": False} for name in sorted(left_out)}})
            it.take()
        if not report.test(f"{label}/stand-ins", it.prepare, always=True):
            return
        if report.test(f"{label}/swarm", lambda: it.start(stack.enter_context(Swarm(tools, it.hosts_named(), it.fill))), always=True):
            test_deployment(report, label, it)


def test_deployment(report: Report, label: str, it: Deployment) -> None:
    if (it.folder / "preflight.sh").exists():
        report.test(f"{label}/preflight", it.preflight)
    report.test(f"{label}/deploy-dry-run", it.dry_run)
    if not report.test(f"{label}/deploy", it.deploy_first, always=True):
        return
    for name, (check, applies) in (RUNNING | LONG if report.only else RUNNING).items():
        if report.wants(f"{label}/{name}") and applies(it):
            report.test(f"{label}/{name}", lambda check=check: check(it))
