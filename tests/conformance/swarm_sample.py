"""A small Swarm bundle without a fault, and faults: every check of Swarm bundles must see them."""

import copy
import hashlib
import json
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

import swarm
from report import Failure, Report, expect
from toolbox import Toolbox

PROJECT = "sample-try"
HOSTS = ("staging-1", "staging-2", "staging-3")

FILES = {
    "door/nginx.conf": """\
pid /tmp/nginx.pid;
error_log /dev/stderr;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  scgi_temp_path /tmp/scgi;
  uwsgi_temp_path /tmp/uwsgi;
  resolver 127.0.0.11 valid=1s;
  upstream web { zone web 64k; server web:8080 resolve; }
  server {
    listen 8443 default_server;
    return 404;
  }
  server {
    listen 8443;
    server_name "web.example.com";
    location / {
      proxy_pass http://web;
      proxy_connect_timeout 1s;
      proxy_next_upstream error timeout http_502 http_503;
    }
  }
}
""",
    "web/web.conf": "colour = green\n",
}

# Like a bundle's: labels, secrets, everything at once, and whether all of it runs.
SCRIPT = f"""\
#!/bin/sh
set -eu
cd "$(dirname "$0")"
[ "$*" != --dry-run ] || exit 0
for node in $(docker node ls --quiet); do
  host=$(docker node inspect --format '{{{{.Description.Hostname}}}}' "$node")
  docker node update --label-add "{PROJECT}.host=$host" "$node"
done
secret=$(grep -Eo '{PROJECT}_db-password-v[0-9]+' stack.yaml)
docker secret inspect "$secret" >/dev/null || docker secret create "$secret" secrets/db-password
docker stack deploy --resolve-image never --compose-file stack.yaml {PROJECT}
for turn in $(seq 100); do
  sleep 1
  waiting=
  for service in $(docker service ls --quiet --filter label=com.docker.stack.namespace={PROJECT}); do
    state=$(docker service inspect --format '{{{{.Spec.Name}}}} {{{{with .UpdateStatus}}}}{{{{.State}}}}{{{{end}}}}' "$service")
    case "$state" in
      *rollback_completed | *paused) echo "$state"; exit 1 ;;
      *updating | *rollback_started) waiting=yes ;;
    esac
  done
  docker service ls --filter label=com.docker.stack.namespace={PROJECT} --format '{{{{.Replicas}}}}' |
    awk '{{ split($1, n, "/"); if (n[1] != n[2] && $2 != "(1/1") waiting = 1 }} END {{ exit waiting }}' || waiting=yes
  [ "$waiting" ] || exit 0
done
docker service ls
exit 1
"""

Content = dict[str, dict]
Change = Callable[[Content], None]


def service(name: str, zone: str, networks: tuple[str, ...], **more: object) -> dict:
    return {
        "image": f"sample.example/{name}:1",
        "networks": {network: {} for network in networks},
        "cap_drop": ["ALL"],
        "labels": {"lakewright.component": name, "lakewright.zone": zone},
        "stop_grace_period": "5s",
        **more,
    }


def deploy(**more: object) -> dict:
    update = {"parallelism": 1, "order": "stop-first", "failure_action": "rollback", "monitor": "5s"}
    return {
        "update_config": update,
        "rollback_config": {"parallelism": 1, "monitor": "5s"},
        "restart_policy": {"condition": "any", "delay": "1s"},
        "resources": {"limits": {"cpus": "0.5", "memory": "128M"}, "reservations": {"memory": "32M"}},
        "endpoint_mode": "dnsrr",
        **more,
    }


def network(**more: object) -> dict:
    return {"driver": "overlay", "driver_opts": {"encrypted": "true"}, "internal": True, **more}


def content() -> Content:
    pinned = {"constraints": [f"node.labels.{PROJECT}.host == staging-1"]}
    healthy = {"test": ["CMD", "true"], "interval": "2s", "timeout": "2s", "retries": 2}
    return {
        "services": {
            "door": service(
                "door", "dmz", ("edge", "door-to-web"),
                image="docker.io/library/nginx:1.30",
                user="1000:1000",
                environment={"PRICE": "$$1"},
                command=["nginx", "-c", "/etc/door.conf", "-g", "daemon off;"],
                configs=[{"source": "door_nginx.conf", "target": "/etc/door.conf"}],
                ports=[{"target": 8443, "published": 8443, "protocol": "tcp", "mode": "host"}],
                deploy=deploy(mode="global"),
            ),
            "web": service(
                "web", "application", ("door-to-web", "web-to-db"),
                healthcheck=healthy,
                configs=[{"source": "web_web.conf", "target": "/etc/web.conf"}],
                secrets=[{"source": "db-password", "target": "db-password", "uid": "1000", "gid": "1000", "mode": 256}],
                deploy=deploy(replicas=3, placement={"preferences": [{"spread": "node.id"}]}),
            ),
            "db": service(
                "db", "data", ("web-to-db",),
                healthcheck=healthy,
                secrets=[{"source": "db-password", "target": "db-password"}],
                volumes=[{"type": "volume", "source": "db-data", "target": "/data"}],
                deploy=deploy(placement=pinned),
            ),
            "db-setup": service(
                "db-setup", "data", ("web-to-db",),
                deploy={"mode": "replicated-job", "replicas": 1, "restart_policy": {"condition": "on-failure"}},
            ),
        },
        "networks": {"edge": network(internal=False), "door-to-web": network(), "web-to-db": network()},
        "volumes": {"db-data": {}},
        "configs": {
            path.replace("/", "_"): {"name": f"{PROJECT}_{path.replace('/', '_')}-{digest(text)}", "file": f"./{path}"}
            for path, text in FILES.items()
        },
        "secrets": {"db-password": {"external": True, "name": f"{PROJECT}_db-password-v1"}},
    }  # fmt: skip


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write(folder: Path, change: Change | None = None) -> Path:
    """A bundle in `folder`, after `change` had its way with the stack."""
    stack = copy.deepcopy(content())
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    if change is not None:
        change(stack)
    # JSON is YAML.
    (folder / swarm.STACK).write_text(json.dumps(stack, indent=1), encoding="utf-8")
    platform, _, environment = PROJECT.partition("-")
    (folder / "bundle.json").write_text(json.dumps({"platform": platform, "environment": environment}), encoding="utf-8")
    (folder / "deploy.sh").write_text(SCRIPT, encoding="utf-8")
    (folder / "deploy.sh").chmod(0o755)
    return folder


def rebuild(folder: Path, settings: dict) -> None:
    """As of a topology with these settings."""
    colour = settings.get("components", {}).get("web", {}).get("colour", "green")
    version = settings.get("secret_versions", {}).get("db-password", 1)

    def change(stack: Content) -> None:
        text = f"colour = {colour}\n"
        (folder / "web/web.conf").write_text(text, encoding="utf-8")
        stack["configs"]["web_web.conf"]["name"] = f"{PROJECT}_web_web.conf-{digest(text)}"
        stack["secrets"]["db-password"]["name"] = f"{PROJECT}_db-password-v{version}"

    write(folder, change)


def make_secrets(_: str, __: str, folder: Path, **___: object) -> None:
    """In place of `lakewright secrets init`."""
    path = folder / "secrets/db-password"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text(secrets.token_hex(16), encoding="utf-8")


# --- faults of the file ---


def at(*path: str, **given: object) -> Change:
    """A change that puts something under a path of the stack."""

    def change(stack: Content) -> None:
        place = stack
        for key in path:
            place = place.setdefault(key, {})
        place |= given

    change.__name__ = ".".join([*path, *given])
    return change


def web(**given: object) -> Change:
    return at("services", "web", **given)


def without(*path: str) -> Change:
    def change(stack: Content) -> None:
        place = stack
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    change.__name__ = f"without {'.'.join(path)}"
    return change


PORT = {"target": 80, "published": 80, "mode": "host"}
IGNORED = {
    "build": "web", "depends_on": ["db"], "security_opt": ["no-new-privileges:true"], "privileged": True, "shm_size": "64m",
    "restart": "always", "container_name": "web", "expose": ["80"], "links": ["db"], "external_links": ["db"], "ipc": "host",
    "pid": "host", "network_mode": "host", "devices": ["/dev/null"], "mac_address": "02:00:00:00:00:01", "userns_mode": "host",
    "domainname": "example.com", "cgroup_parent": "web", "profiles": ["web"], "tmpfs": ["/tmp"],
}  # fmt: skip

# Check -> how to break what it looks at, and what it must say then.
READING: dict[str, list[tuple[Change, str]]] = {
    "stack-keys": [
        *((web(**{key: value}), f"services.web.{key}: is not acted on") for key, value in IGNORED.items()),
        (at("services", "web", "networks", "web-to-db", ipv4_address="10.0.0.5"), "web-to-db.ipv4_address: is not acted on"),
        (at("services", "web", "deploy", canary=1), "services.web.deploy.canary: is not acted on"),
        (at("services", "web", "deploy", "update_config", strategy="x"), "update_config.strategy: is not acted on"),
        (at("services", "door", "deploy", replicas=2), "services.door.deploy.replicas: nothing that is global"),
        (at("networks", "edge", enable_ipv6=True), "networks.edge.enable_ipv6: is not acted on"),
        (at("configs", "web_web.conf", content="x"), "configs.web_web.conf.content: is not acted on"),
        (web(ports=["80:80"]), "services.web.ports[0]: a mapping is wanted"),
        (web(command=["sh", "-c", "echo $HOME"]), "services.web.command.2: a variable of whoever deploys"),
        (at(name="sample"), "name: is not acted on"),
    ],
    "stack-limits": [
        (at("services", **{"w" * 60: service("w", "application", ("door-to-web",))}), "has 71 characters of 63"),
        (at("configs", "web_web.conf", name="c" * 65), "has 65 characters of 64"),
        (at("configs", "web_web.conf", file="./web/none"), "no file ./web/none"),
        (at("services", "web", "deploy", "resources", limits={"cpus": 1}), "limits.cpus: 1"),
        (at("services", "web", "deploy", "resources", limits={"memory": "1.5G"}), "limits.memory: '1.5G'"),
        (web(stop_grace_period=30), "stop_grace_period: 30"),
        (web(environment={"A": True}), "environment.A: True is no text"),
    ],
    "stack-ports": [
        (web(ports=[PORT]), "services.web: publishes 80, and is in the zone 'application'"),
        (at("services", "door", ports=[PORT | {"published": "80"}]), "numbers are wanted"),
        (at("services", "door", ports=[PORT | {"mode": "ingress"}]), "not of the host"),
        (at("services", "door", deploy=deploy(replicas=2)), "two replicas may meet on a host"),
        (at("services", "door", "deploy", update_config={"order": "start-first"}), "still taken"),
    ],
    "stack-networks": [
        (at("networks", "web-to-db", driver_opts={}), "networks.web-to-db: is not encrypted"),
        (at("networks", "web-to-db", driver_opts={"encrypted": "false"}), "networks.web-to-db: is not encrypted"),
        (at("networks", "web-to-db", driver="bridge"), "networks.web-to-db: the driver 'bridge'"),
        (at("networks", "web-to-db", internal=False), "networks.web-to-db: has a way out for web, db"),
        (at("networks", "web-to-db", external=True), "networks.web-to-db: is not the bundle's"),
        (at("networks", empty=network()), "networks.empty: nobody is in it"),
        (without("services", "web", "networks"), "services.web: has no network"),
        (without("services", "door", "networks", "edge"), "services.door: publishes ports, and has no network with a way out"),
    ],
    "stack-volumes": [
        (at("services", "db", "deploy", placement={}), "services.db: has the volume db-data, and is pinned to no host"),
        (at("services", "db", "deploy", replicas=2), "services.db: several replicas"),
        (at("volumes", spare={}), "volumes.spare: nobody has it"),
        (at("services", "db", "deploy", placement={"constraints": ["node.role == manager"]}), "pinned to no host"),
        (without("volumes", "db-data"), "the volume db-data is not declared"),
        (at("services", "db", volumes=[{"type": "volume", "target": "/data"}]), "a volume without a name"),
    ],
    "stack-names": [
        (at("configs", "web_web.conf", name=f"{PROJECT}_web"), "does not end in the digest of ./web/web.conf"),
        (at("secrets", "db-password", name=f"{PROJECT}_db-password-${{VERSION}}"), "not an external one"),
        (web(configs=[{"source": "door_nginx.conf"}]), "configs.web_web.conf: not used, or not declared"),
        (at("secrets", "db-password", name=f"{PROJECT}_db-password"), "not an external one with a version in its name"),
    ],
}


def refused(check: Callable[[Path], object], bundle: Path, what: str, words: str) -> None:
    try:
        check(bundle)
    except Failure as failure:
        expect(words in str(failure), f"{what}: is refused for another reason:\n{failure}")
        return
    raise Failure(f"accepts a broken bundle: {what}")


def reading(tools: Toolbox, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="lakewright-broken-") as temporary:
        folder = Path(temporary)
        swarm.read(tools, write(folder / "good"), swarm.READING[name])
        for number, (change, words) in enumerate(READING[name]):
            bundle = write(folder / str(number), change)
            refused(lambda bundle: swarm.read(tools, bundle, swarm.READING[name]), bundle, change.__name__, words)


def config(tools: Toolbox) -> None:
    with tempfile.TemporaryDirectory(prefix="lakewright-broken-") as temporary:
        folder = Path(temporary)
        swarm.accepted(tools, write(folder / "good"))
        for number, (change, words) in enumerate(
            (
                (web(depends_on={"db": {"condition": "service_healthy"}}), "depends_on must be a list"),
                (web(cpus=1), "Additional property cpus is not allowed"),
            )
        ):
            refused(lambda bundle: swarm.accepted(tools, bundle), write(folder / str(number), change), change.__name__, words)


def test_swarm_harness(report: Report, tools: Toolbox) -> None:
    """Every check of Swarm bundles, on bundles that are broken on purpose."""
    report.test("harness/stack-config-refuses", lambda: config(tools))
    for name in swarm.READING:
        report.test(f"harness/{name}-refuses", lambda name=name: reading(tools, name))
