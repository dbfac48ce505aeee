"""What holds for the files of a Swarm bundle: its stack is what Swarm acts on, within its limits, and closed."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

from report import Missing, Report, expect
from toolbox import PATH, Toolbox, run

STACK = "stack.yaml"

# Anything is taken, or any mapping of names to what is in it.
ANY = "any"
EACH = "each"

UPDATE = dict.fromkeys(("parallelism", "delay", "failure_action", "monitor", "max_failure_ratio", "order"), ANY)
FILE_OF_SERVICE = dict.fromkeys(("source", "target", "uid", "gid", "mode"), ANY)

# What Swarm acts on, in the stacks that `docker stack deploy` reads: everything else is refused, or ignored in silence or
# with a warning that nobody sees. `depends_on`, `restart` and `security_opt` are among the ignored.
KEYS = {
    "services": {
        EACH: {
            **dict.fromkeys(
                (
                    "cap_add", "cap_drop", "command", "dns", "dns_search", "entrypoint", "environment", "extra_hosts", "hostname",
                    "image", "init", "labels", "logging", "read_only", "stdin_open", "stop_grace_period",
                    "stop_signal", "sysctls", "tty", "ulimits", "user", "working_dir",
                ),
                ANY,
            ),
            "configs": [FILE_OF_SERVICE],
            "secrets": [FILE_OF_SERVICE],
            "deploy": {
                **dict.fromkeys(("mode", "replicas", "labels", "endpoint_mode"), ANY),
                "update_config": UPDATE,
                "rollback_config": UPDATE,
                "resources": {
                    "limits": dict.fromkeys(("cpus", "memory", "pids"), ANY),
                    "reservations": dict.fromkeys(("cpus", "memory"), ANY),
                },
                "restart_policy": dict.fromkeys(("condition", "delay", "max_attempts", "window"), ANY),
                "placement": {"constraints": ANY, "preferences": [{"spread": ANY}], "max_replicas_per_node": ANY},
            },
            "healthcheck": dict.fromkeys(("test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"), ANY),
            "networks": {EACH: {"aliases": ANY}},
            "ports": [dict.fromkeys(("target", "published", "protocol", "mode"), ANY)],
            "volumes": [
                {
                    **dict.fromkeys(("type", "source", "target", "read_only"), ANY),
                    "bind": {"propagation": ANY},
                    "volume": {"nocopy": ANY},
                    "tmpfs": {"size": ANY},
                }
            ],
        }
    },
    "networks": {
        EACH: {
            **dict.fromkeys(("name", "external", "driver", "driver_opts", "attachable", "internal", "labels"), ANY),
            "ipam": {"driver": ANY, "config": [{"subnet": ANY}]},
        }
    },
    "volumes": {EACH: dict.fromkeys(("name", "external", "driver", "driver_opts", "labels"), ANY)},
    "configs": {EACH: dict.fromkeys(("name", "external", "file", "labels", "template_driver"), ANY)},
    "secrets": {EACH: dict.fromkeys(("name", "external", "labels"), ANY)},
}  # fmt: skip

# Longest names, in characters (swarmkit, controlapi/common.go), and what they are made of.
LONGEST = {"services": 63, "configs": 64, "secrets": 64}
NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?")
CONFIG_SIZE = 1000 * 1024

# What is replaced before Swarm sees it: a dollar sign that is not doubled. A variable may be asked for in one way, which
# stops whoever has none; of those, names have digits.
VARIABLE = re.compile(r"(?<!\$)(\$\$)*\$(?!\$|\{[A-Z0-9_]+:\?[^{}]+\})")
REQUIRED = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+):\?[^{}]+\}")
DIGITS = "0123456789ab"

MEMORY = re.compile(r"[1-9]\d*[bkmgBKMG]")
CPUS = re.compile(r"\d+(\.\d{1,3})?")
DURATION = re.compile(r"(\d+(ms|us|s|m|h))+")

# The value of the label `lakewright.zone` of services that face the outside.
FACING = "dmz"


def is_swarm(bundle: Path) -> bool:
    return (bundle / STACK).exists()


class Stack:
    """A stack file and the folder it is in."""

    def __init__(self, tools: Toolbox, folder: Path):
        self.folder = folder
        self.path = folder / STACK
        [self.content] = tools.yaml(self.path)

    def section(self, name: str) -> dict[str, dict]:
        return {key: value or {} for key, value in (self.content.get(name) or {}).items()}

    @cached_property
    def services(self) -> dict[str, dict]:
        return self.section("services")

    @cached_property
    def project(self) -> str:
        """The name under which the bundle deploys it."""
        return project(self.folder)

    def name(self, kind: str, key: str) -> str:
        """What an object of the stack is called in the Swarm."""
        given = self.section(kind)[key]
        if given.get("name"):
            return given["name"]
        return key if given.get("external") else f"{self.project}_{key}"

    def users(self, network: str) -> list[str]:
        return [name for name, service in self.services.items() if network in networks(service)]

    def near(self, service: str) -> set[str]:
        """Those with which it shares a network, and itself."""
        return {other for name in networks(self.services[service]) for other in self.users(name)} | {service}

    def zone(self, service: str) -> str:
        return labels(self.services[service]).get("lakewright.zone", "")

    def facing(self, service: str) -> bool:
        return self.zone(service) == FACING

    def is_job(self, service: str) -> bool:
        """Whether it runs once and ends."""
        deploy = self.services[service].get("deploy") or {}
        condition = (deploy.get("restart_policy") or {}).get("condition", "any")
        return deploy.get("mode", "").endswith("-job") or condition in ("none", "on-failure")

    def is_global(self, service: str) -> bool:
        return (self.services[service].get("deploy") or {}).get("mode", "").startswith("global")

    def replicas(self, service: str) -> int | None:
        """How many tasks it has; None when it has one on every host."""
        return None if self.is_global(service) else int((self.services[service].get("deploy") or {}).get("replicas", 1))

    def constraints(self, service: str) -> list[str]:
        return ((self.services[service].get("deploy") or {}).get("placement") or {}).get("constraints") or []

    def host(self, service: str) -> str | None:
        """The host that a service is pinned to."""
        for constraint in self.constraints(service):
            found = re.fullmatch(r"node\.(?:hostname|labels\.\S+\.host) *== *(\S+)", constraint)
            if found:
                return found[1]
        return None

    def hosts(self, service: str, among: Iterable[str]) -> list[str]:
        """Where its tasks may be."""
        pinned = self.host(service)
        elsewhere = re.findall(r"node\.(?:hostname|labels\.\S+\.host) *!= *(\S+)", "\n".join(self.constraints(service)))
        return [host for host in among if host not in elsewhere and pinned in (None, host)]

    def volumes(self, service: str) -> list[dict]:
        return [volume for volume in self.services[service].get("volumes") or [] if volume["type"] == "volume"]


def project(folder: Path) -> str:
    """The name of the stack."""
    about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    return f"{about['platform']}-{about['environment']}"


def networks(service: dict) -> dict[str, dict]:
    given = service.get("networks") or {}
    return {name: {} for name in given} if isinstance(given, list) else {name: value or {} for name, value in given.items()}


def labels(service: dict) -> dict[str, str]:
    """Of its containers and of itself."""
    result: dict[str, str] = {}
    for given in (service.get("labels"), (service.get("deploy") or {}).get("labels")):
        result |= dict(line.split("=", 1) for line in given) if isinstance(given, list) else given or {}
    return result


# --- checks that read: what is wrong, line by line ---


def unknown(given: object, known: object, path: str) -> Iterator[str]:
    if known == ANY or given is None:
        return
    if isinstance(known, list):
        if not isinstance(given, list):
            yield f"{path}: a list is wanted"
            return
        for number, entry in enumerate(given):
            yield from unknown(entry, known[0], f"{path}[{number}]")
    elif not isinstance(given, dict):
        # `networks: [a]` and the short forms of volumes, ports, configs and secrets: one way to say a thing is enough.
        yield f"{path}: a mapping is wanted"
    else:
        for key, value in given.items():
            if key in known or EACH in known:
                yield from unknown(value, known.get(key, known.get(EACH)), f"{path}.{key}".lstrip("."))
            elif not (key.startswith("x-") and path.count(".") <= 1):
                yield f"{path}.{key}: is not acted on by Swarm".lstrip(".")


def keys(stack: Stack) -> Iterator[str]:
    """Nothing that Swarm refuses or ignores."""
    yield from unknown(stack.content, KEYS, "")
    for path, text in texts(stack.content, ""):
        if VARIABLE.search(text):
            yield f"{path}: a variable of whoever deploys: {text}"
    for name, service in stack.services.items():
        if (service.get("deploy") or {}).get("replicas") is not None and stack.is_global(name):
            yield f"services.{name}.deploy.replicas: nothing that is global has replicas"


def texts(given: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(given, str):
        yield path, given
    for key, value in given.items() if isinstance(given, dict) else enumerate(given) if isinstance(given, list) else ():
        yield from texts(value, f"{path}.{key}".lstrip("."))


def limits(stack: Stack) -> Iterator[str]:
    """Names, sizes and amounts that Swarm takes."""
    for kind, longest in LONGEST.items():
        for key in stack.section(kind):
            name = REQUIRED.sub(DIGITS, f"{stack.project}_{key}" if kind == "services" else stack.name(kind, key))
            if len(name) > longest or not NAME.fullmatch(name):
                yield f"{kind}.{key}: the name {name}: has {len(name)} characters of {longest}, or others than allowed"
    for key, config in stack.section("configs").items():
        path = stack.folder / config.get("file", "")
        if not path.is_file():
            yield f"configs.{key}: no file {config.get('file')}"
        elif not 0 < path.stat().st_size < CONFIG_SIZE:
            yield f"configs.{key}: {config['file']} has {path.stat().st_size} bytes of at most {CONFIG_SIZE}"
    for name, service in stack.services.items():
        yield from (f"services.{name}: {line}" for line in amounts(service))


def amounts(service: dict) -> Iterator[str]:
    deploy = service.get("deploy") or {}
    for kind, given in (deploy.get("resources") or {}).items():
        for key, pattern in (("cpus", CPUS), ("memory", MEMORY)):
            if key in given and not (isinstance(given[key], str) and pattern.fullmatch(given[key])):
                yield f"{kind}.{key}: {given[key]!r}"
    durations = {
        "stop_grace_period": service.get("stop_grace_period"),
        **{key: (service.get("healthcheck") or {}).get(key) for key in ("interval", "timeout", "start_period", "start_interval")},
        **{f"{part}.{key}": (deploy.get(part) or {}).get(key) for part in ("update_config", "rollback_config") for key in ("delay", "monitor")},
        **{f"restart_policy.{key}": (deploy.get("restart_policy") or {}).get(key) for key in ("delay", "window")},
    }
    for key, value in durations.items():
        if value is not None and not (isinstance(value, str) and DURATION.fullmatch(value)):
            yield f"{key}: {value!r}"
    for key, value in (service.get("environment") or {}).items():
        if not isinstance(value, str):
            yield f"environment.{key}: {value!r} is no text"


def ports(stack: Stack) -> Iterator[str]:
    """Only the proxy can be reached from outside, on the hosts where it is, without the mesh that hides who asks."""
    for name, service in stack.services.items():
        for port in service.get("ports") or []:
            published = port.get("published")
            if not stack.facing(name):
                yield f"services.{name}: publishes {published}, and is in the zone {stack.zone(name)!r}"
            if not (isinstance(published, int) and isinstance(port.get("target"), int)):
                yield f"services.{name}: the port {port}: numbers are wanted"
            if port.get("mode") != "host":
                yield f"services.{name}: the port {published}: not of the host"
            most = ((service.get("deploy") or {}).get("placement") or {}).get("max_replicas_per_node")
            if not stack.is_global(name) and stack.replicas(name) != 1 and most != 1:
                yield f"services.{name}: the port {published}: two replicas may meet on a host"
            order = ((service.get("deploy") or {}).get("update_config") or {}).get("order", "stop-first")
            if order != "stop-first":
                yield f"services.{name}: the port {published}: still taken when the next replica starts first"


def overlays(stack: Stack) -> Iterator[str]:
    """Every network is encrypted, and has a way out only for those that need it, one by one."""
    for name, network in stack.section("networks").items():
        if network.get("external"):
            yield f"networks.{name}: is not the bundle's"
            continue
        if network.get("driver") != "overlay":
            yield f"networks.{name}: the driver {network.get('driver')!r}"
        # Any value encrypts, `false` too: only the one that says so is honest.
        if (network.get("driver_opts") or {}).get("encrypted") != "true":
            yield f"networks.{name}: is not encrypted"
        users = stack.users(name)
        if not users:
            yield f"networks.{name}: nobody is in it"
        if not network.get("internal") and len({component(stack, user) for user in users}) > 1:
            yield f"networks.{name}: has a way out for {', '.join(users)}"
    for name, service in stack.services.items():
        # Without any, the engine puts it into a default network that is neither encrypted nor closed.
        if not networks(service):
            yield f"services.{name}: has no network, and so the default one"
        outside = [network for network in networks(service) if not (stack.section("networks").get(network) or {}).get("internal")]
        if service.get("ports") and not outside:
            yield f"services.{name}: publishes ports, and has no network with a way out"


def component(stack: Stack, service: str) -> str:
    return labels(stack.services[service]).get("lakewright.component", service)


def volumes(stack: Stack) -> Iterator[str]:
    """Data stays where it is: what has a volume of its own on a host runs on that host."""
    declared = stack.section("volumes")
    hosts: dict[str, set[str | None]] = {}
    for name in stack.services:
        for volume in stack.volumes(name):
            if not volume.get("source"):
                if volume["target"] != "/tmp":
                    yield f"services.{name}: {volume['target']}: a volume without a name is lost with its container"
                continue
            given = declared.get(volume["source"])
            if given is None:
                yield f"services.{name}: the volume {volume['source']} is not declared"
            elif not (given.get("driver_opts") or {}).get("type", "").startswith("nfs"):
                hosts.setdefault(volume["source"], set()).add(stack.host(name))
                if stack.host(name) is None:
                    yield f"services.{name}: has the volume {volume['source']}, and is pinned to no host"
                elif stack.is_global(name) or stack.replicas(name) not in (0, 1):
                    yield f"services.{name}: several replicas have the volume {volume['source']}"
    for name, found in hosts.items():
        if len(found - {None}) > 1:
            yield f"volumes.{name}: is on several hosts: {', '.join(sorted(map(str, found)))}"
    for name in set(declared) - {volume.get("source") for service in stack.services for volume in stack.volumes(service)}:
        yield f"volumes.{name}: nobody has it"


def config_names(stack: Stack) -> Iterator[str]:
    """A config is called by its content: another content is another name, and that of the others stays."""
    for key, config in stack.section("configs").items():
        content = (stack.folder / config.get("file", "")).read_bytes()
        if not stack.name("configs", key).endswith(f"-{hashlib.sha256(content).hexdigest()[:12]}"):
            yield f"configs.{key}: the name {stack.name('configs', key)} does not end in the digest of {config.get('file')}"
    for kind in ("configs", "secrets"):
        used = {use["source"] for service in stack.services.values() for use in service.get(kind) or []}
        for key in sorted(used ^ set(stack.section(kind))):
            yield f"{kind}.{key}: not used, or not declared"
    for key, secret in stack.section("secrets").items():
        # Those of certificates are told apart by digits that whoever deploys them knows.
        name = REQUIRED.sub("v1", secret.get("name", ""))
        if not secret.get("external") or not re.fullmatch(rf"{re.escape(stack.project)}_.+-v[1-9]\d*", name):
            yield f"secrets.{key}: not an external one with a version in its name: {secret}"


READING: dict[str, Callable[[Stack], Iterator[str]]] = {
    "stack-keys": keys,
    "stack-limits": limits,
    "stack-ports": ports,
    "stack-networks": overlays,
    "stack-volumes": volumes,
    "stack-names": config_names,
}


def read(tools: Toolbox, folder: Path, check: Callable[[Stack], Iterator[str]]) -> None:
    stack = Stack(tools, folder)
    expect(stack.services, "no services")
    said = list(check(stack))
    expect(not said, "\n".join(said))


def accepted(tools: Toolbox, folder: Path) -> None:
    """The program that deploys it reads it without a word."""
    docker = tools.path("docker")
    environment = {"PATH": PATH, "HOME": str(folder)}
    if "docker stack config" not in run([docker, "stack", "config", "--help"], check=False, env=environment).stdout:
        raise Missing("docker stack config", f"{docker} is too old")
    # Whoever deploys says these.
    environment |= dict.fromkeys(REQUIRED.findall((folder / STACK).read_text(encoding="utf-8")), DIGITS)
    result = run([docker, "stack", "config", "--compose-file", STACK], cwd=folder, check=False, env=environment)
    expect(result.returncode == 0, result.stderr or result.stdout)
    expect(not result.stderr.strip(), f"warnings:\n{result.stderr}")


def test_files(report: Report, label: str, bundle: Path, tools: Toolbox) -> None:
    report.test(f"{label}/stack-config", lambda: accepted(tools, bundle))
    for name, check in READING.items():
        report.test(f"{label}/{name}", lambda check=check: read(tools, bundle, check))
