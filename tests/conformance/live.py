"""Starts a Compose bundle on an engine of the tests' own and looks at what runs."""

import json
import os
import re
import resource
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from bootstrap import bootstrap
from checks import files, is_dockerfile
from encryption import Encryption
from engine import Engine
from images import Image, Images, starts
from monitoring import Prometheus, used_metrics
from report import Failure, Report, expect
from toolbox import Toolbox, run

PLACEHOLDER = "placeholder"
START_TIMEOUT = 540

# Containers that are probed at once: what takes time is to wait for answers that do not come.
PROBES = 8

# Which of its arguments take a connection, if they are ADDRESS/PORT, or else are names of somebody. For what nobody is called the
# engine's resolver has no answer, which takes time.
MEET = (
    'export RES_OPTIONS="timeout:1 attempts:2"; for t in "$@"; do { case "$t" in */*) timeout 3 bash -c "exec 3<>/dev/tcp/$t" 2>/dev/null;; '
    '*) getent ahostsv4 "$t" >/dev/null;; esac && echo "$t"; } & done; wait; true'
)

# Starts Superset as its configuration says, where its database does not answer. What goes wrong is printed.
UNANSWERED = """
import superset_config as config
from sqlalchemy.engine.url import make_url

address = make_url(config.SQLALCHEMY_DATABASE_URI).set(port=9)
config.SQLALCHEMY_DATABASE_URI = address.render_as_string(hide_password=False)
from superset.app import create_app
create_app()
"""

# The tests of one bundle: those that need it running, and all.
RUNNING = (
    "start", "healthy", "postgres-settings", "postgres-owners", "buckets", "cache-closed", "published-ports", "routes",
    "superset-login", "superset-unanswered", "handshakes", "impostors", "expired", "renewed-services", "scrape-targets", "rules-loaded", "metrics-exist", "alerts-arrive", "reachability", "secrets", "bootstrap", "start-again", "keeps-data", "stop",
)  # fmt: skip
PARTS = ("dockerfiles", "nginx-config", "haproxy-config", "postgres-config", "replication", *RUNNING)


def ports_spoken_of(folder: Path, service: str) -> set[int]:
    """The ports that a bundle's files name together with a service."""
    pattern = re.compile(rf"(?<![\w.-]){re.escape(service)}:(\d{{2,5}})\b")
    texts = (path.read_text(encoding="utf-8", errors="ignore") for path in files(folder))
    return {int(port) for text in texts for port in pattern.findall(text)}


def ask_beside(images: Images, engine: Engine, container: str, script: str, *words: str) -> list[str]:
    """The words that a script of bash says in a container's network, from beside it: it may have no shell, and little memory."""
    image = Images.name(images.archive(Image(""), PLACEHOLDER))
    given = [f"--network=container:{container}", "--entrypoint=bash", image, "-c", script, "bash", *words]
    return engine.docker("run", "--rm", *given).stdout.split()


def leave_out_tracing(folder: Path) -> None:
    """No package has nginx's module for traces: a configuration that loads it is read without what the module knows."""
    for path in folder.glob("*/nginx.conf"):
        text = path.read_text(encoding="utf-8")
        if "ngx_otel_module" in text:
            text = re.sub(r"(?m)^load_module \S*ngx_otel_module\.so;\n|^\s*otel_exporter \{[^}]*\}\n|^\s*otel_\w+ .*;\n", "", text)
            path.write_text(text, encoding="utf-8")


class Stack:
    """One bundle as a Compose project."""

    def __init__(self, bundle: Path, folder: Path, tools: Toolbox, engine: Engine, images: Images, compiler: Callable):
        self.folder = folder
        self.compiler = compiler
        self.tools = tools
        self.engine = engine
        self.images = images
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
        leave_out_tracing(folder)
        self.started = False
        # Images of the bundle's own Dockerfiles by service.
        self.built: dict[str, Path] = {}

    # --- reading the bundle ---

    def compose(self, *words: str, check: bool = True, **options):
        given = ["-f", "compose.yaml"]
        if (self.folder / "override.stand-in.yaml").exists():
            given += ["-f", "override.stand-in.yaml"]
        compose = self.tools.path("docker-compose")
        return run([compose, *given, *words], cwd=self.folder, check=check, env=self.engine.environment, **options)

    @cached_property
    def project(self) -> dict:
        return json.loads(self.compose("config", "--format", "json").stdout)

    @cached_property
    def everything(self) -> dict[str, dict]:
        """The services of all profiles."""
        return json.loads(self.compose("--profile", "*", "config", "--format", "json").stdout)["services"]

    @property
    def services(self) -> dict[str, dict]:
        """Those that start without a profile."""
        return self.project["services"]

    def image(self, service: str) -> Image:
        return Image(self.services[service].get("image", ""))

    def stand_in(self, service: str) -> str:
        """The folder under images/ that a service's program comes from."""
        if self.is_job(service) and any(
            not self.is_job(other) and self.stand_in(other) == PLACEHOLDER for other in self.services[service].get("depends_on") or {}
        ):
            return PLACEHOLDER  # it would talk to a program that is not there
        if self.built.get(service):
            return Image(starts(self.dockerfile(service), {})[0]).stand_in or PLACEHOLDER
        return self.image(service).stand_in or PLACEHOLDER

    def dockerfile(self, service: str) -> Path:
        section = self.everything[service]["build"]
        return Path(section["context"]) / section.get("dockerfile", "Dockerfile")

    def of_kind(self, stand_in: str) -> list[str]:
        """Lasting services that run the program of a stand-in."""
        return [name for name in self.services if self.stand_in(name) == stand_in and not self.is_job(name)]

    def is_job(self, service: str) -> bool:
        """Whether it runs once and ends."""
        for other in self.services.values():
            wanted = (other.get("depends_on") or {}).get(service) or {}
            if wanted.get("condition") == "service_completed_successfully":
                return True
        return self.services[service].get("restart") in ("no", "on-failure")

    def ports_of(self, service: str) -> list[int]:
        """Every port under which the bundle's files speak of a service."""
        settings = self.services[service]
        found = {int(port["target"]) for port in settings.get("ports") or []}
        found |= {int(str(port).split("/")[0]) for port in settings.get("expose") or []}
        found |= ports_spoken_of(self.folder, service)
        test = " ".join((settings.get("healthcheck") or {}).get("test") or [])
        found |= {int(port) for port in re.findall(r"(?:localhost|127\.0\.0\.1)[:/](\d{2,5})\b", test)}
        return sorted(port for port in found if 0 < port < 65536) or [80]

    # --- making it startable ---

    def make_secrets(self) -> None:
        """As the bundle's README says; for bundles without an inventory, random contents for the files they name."""
        named = [Path(secret["file"]) for secret in (self.project.get("secrets") or {}).values() if "file" in secret]
        inventory = self.folder / "bundle.json"
        if inventory.exists():
            self.compiler("secrets", "init", self.folder, cwd=self.folder)
            known = json.loads(inventory.read_text(encoding="utf-8")).get("secrets", [])
            # What comes from elsewhere, an engine's own file or not.
            named += [self.folder / "secrets" / secret["name"] for secret in known if secret["kind"] == "given"]
        for path in named:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(secrets.token_hex(16), encoding="utf-8")
                # Bind-mounted as it is: the users inside containers must be able to read it.
                path.chmod(0o644)
        if (self.folder / "tls/issue.sh").exists():
            self.tools.need("openssl")
            run(["./tls/issue.sh"], cwd=self.folder)

    def secret_values(self) -> dict[str, str]:
        paths = [Path(secret["file"]) for secret in (self.project.get("secrets") or {}).values() if "file" in secret]
        paths += sorted((self.folder / "secrets").glob("*"))
        paths += sorted((self.folder / "secrets/tls").rglob("*.key"))
        found = {}
        for path in paths:
            value = path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
            if path.suffix == ".key":
                value = "".join(value.splitlines()[1:-1])  # what tells one key from another
            if len(value) >= 8 and "-----BEGIN" not in value:
                found[path.name if path.suffix != ".key" else f"{path.parent.name}/{path.name}"] = value
        return found

    def build_images(self) -> None:
        """Every Dockerfile of the bundle whose base can be had."""
        for name, service in self.everything.items():
            if "build" in service:
                section = service["build"]
                dockerfile = self.dockerfile(name).relative_to(section["context"])
                archive = self.images.derived(Path(section["context"]), str(dockerfile), section.get("args") or {})
                if archive is not None:
                    self.built[name] = archive

    def load_images(self) -> None:
        """Stand-ins under the names the bundle uses; where that cannot be, an override that names the stand-in."""
        override: dict[str, dict] = {}
        self.images.load(self.engine, self.images.archive(Image(""), PLACEHOLDER))
        for name, service in self.services.items():
            image = self.image(name)
            folder = self.stand_in(name)
            own = f"lakewright-stand-in/{name}:1"
            plain = image.full and "@" not in image.full and folder != PLACEHOLDER
            archive = self.built.get(name) or self.images.archive(image, folder)
            self.images.load(self.engine, archive, own, *([image.full] if plain else []))
            change: dict[str, object] = {"pull_policy": "never"}
            if not plain:
                change["image"] = own
            change |= self.affordable(service)
            if folder == PLACEHOLDER:
                if self.is_job(name):
                    change |= {"entrypoint": ["true"], "command": []}
                else:
                    ports = [str(port) for port in self.ports_of(name)]
                    change |= {
                        "entrypoint": ["python3", "/placeholder.py", name, *ports],
                        "command": [],
                        "healthcheck": {"test": ["CMD", "true"], "interval": "2s", "timeout": "5s", "retries": 5},
                    }
            override[name] = change
        text = json.dumps({"services": override}, indent=2)
        # JSON is YAML; only the tag that removes a build section has no JSON form.
        for name, service in self.services.items():
            if "build" in service:
                text = text.replace(f'"{name}": {{', f'"{name}": {{\n      "build": !reset null,', 1)
        (self.folder / "override.stand-in.yaml").write_text(text, encoding="utf-8")

    @staticmethod
    def affordable(service: dict) -> dict[str, object]:
        """Limits above what this machine has or may give: the engine would refuse them."""
        change: dict[str, object] = {}
        limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
        if float(limits.get("cpus") or 0) > (os.cpu_count() or 1):
            change["deploy"] = {"resources": {"limits": {"cpus": str(os.cpu_count())}}}
        for name, wanted in (service.get("ulimits") or {}).items():
            most = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
            hard = wanted.get("hard", 0) if isinstance(wanted, dict) else wanted
            if most != resource.RLIM_INFINITY and (hard > most or hard == -1):
                change.setdefault("ulimits", {})[name] = {"soft": most, "hard": most}
        return change

    # --- running ---

    def start(self) -> None:
        self.started = True
        result = self.compose(
            "up", "--detach", "--no-build",
            check=False, merge=True, timeout=START_TIMEOUT + 120,
        )  # fmt: skip
        if result.returncode != 0:
            raise Failure(f"up: exit status {result.returncode}\n{self.tail(result.stdout)}\n{self.troubles()}")

    @staticmethod
    def tail(text: str, lines: int = 15) -> str:
        return "\n".join(text.strip().splitlines()[-lines:])

    def containers(self) -> dict[str, dict]:
        """What the engine knows of each service's container."""
        ids = self.compose("ps", "--all", "--quiet").stdout.split()
        if not ids:
            return {}
        found = json.loads(self.engine.docker("inspect", *ids).stdout)
        return {container["Config"]["Labels"]["com.docker.compose.service"]: container for container in found}

    def engine_of(self, service: str) -> Engine:
        """Where a service's container is."""
        return self.engine

    def wrong(self) -> dict[str, str]:
        """Services whose containers are not as they should be."""
        result = {}
        containers = self.containers()
        for name in self.services:
            if name not in containers:
                result[name] = "no container"
                continue
            state = containers[name]["State"]
            health = (state.get("Health") or {}).get("Status", "healthy")
            if self.is_job(name):
                if state["Status"] == "running" or state["ExitCode"] != 0:
                    result[name] = f"{state['Status']}, exit status {state['ExitCode']}"
            elif state["Status"] != "running" or health != "healthy":
                result[name] = f"{state['Status']}, {health}"
            elif containers[name]["RestartCount"]:
                result[name] = f"restarted {containers[name]['RestartCount']} times"
        return result

    def troubles(self) -> str:
        said = []
        containers = self.containers()
        for name, what in self.wrong().items():
            said.append(f"-- {name}: {what}")
            if name in containers:
                logs = self.compose("logs", "--no-color", "--no-log-prefix", "--tail=25", name, check=False, merge=True)
                said.append(logs.stdout.strip())
                for entry in ((containers[name]["State"].get("Health") or {}).get("Log") or [])[-1:]:
                    said.append(f"health check: exit status {entry['ExitCode']}: {entry['Output'].strip()}")
        return "\n".join(said)

    def all_well(self) -> None:
        """Everything gets to where it should be: also after a start that failed for another reason."""
        deadline = time.monotonic() + START_TIMEOUT
        while wrong := self.wrong():
            expect(time.monotonic() < deadline, "\n".join(f"{name}: {what}" for name, what in wrong.items()) + "\n" + self.troubles())
            time.sleep(2)

    def up(self) -> None:
        self.compose("up", "--detach", "--no-build", merge=True, timeout=START_TIMEOUT)
        self.all_well()

    def start_again(self) -> None:
        """A second start changes nothing that lasts."""
        lasting = [name for name in self.services if not self.is_job(name)]
        before = {name: container["Id"] for name, container in self.containers().items() if name in lasting}
        started = {name: container["State"]["StartedAt"] for name, container in self.containers().items() if name in lasting}
        self.up()
        after = {name: container["Id"] for name, container in self.containers().items() if name in lasting}
        again = {name: container["State"]["StartedAt"] for name, container in self.containers().items() if name in lasting}
        expect(before == after, f"containers were replaced: {sorted(set(before.items()) ^ set(after.items()))}")
        expect(started == again, f"containers were restarted: {sorted(set(started.items()) ^ set(again.items()))}")

    def stop(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout=20", merge=True)
        self.started = False
        expect(not self.engine.leftovers(), "left over: " + ", ".join(self.engine.leftovers()))

    def execute(self, service: str, *words: str, check: bool = True, **options):
        """Runs a program inside a service's container."""
        return self.compose("exec", "-T", service, *words, check=check, **options)

    # --- configurations, read by their programs with the service's own files in place ---

    def mounts(self, service: str) -> list[str]:
        settings = self.services[service]
        words = []
        for volume in settings.get("volumes") or []:
            if volume["type"] == "bind":
                words.append(f"--volume={volume['source']}:{volume['target']}:ro")
            elif volume["type"] == "tmpfs":
                words.append(f"--tmpfs={volume['target']}")
            elif volume["source"] == f"{service}-tls":
                words.append(f"--volume={self.certificate(service)}:{volume['target']}:ro")
            elif volume["source"] == f"{service}-secrets" and self.authority is not None:
                words.append(f"--volume={self.authority}:{volume['target']}/authority.crt:ro")
        for kind, place in (("configs", "/"), ("secrets", "/run/secrets/")):
            for use in settings.get(kind) or []:
                given = self.project[kind][use["source"]]
                if "file" in given:
                    source = given["file"]
                else:
                    source = self.folder / f"content.{kind}.{use['source']}"
                    Path(source).write_text(given.get("content", ""), encoding="utf-8")
                target = use.get("target") or f"{place}{use['source']}"
                words.append(f"--volume={source}:{target if target.startswith('/') else place + target}:ro")
        words += [f"--tmpfs={entry}" for entry in settings.get("tmpfs") or []]
        words += [f"--env={key}={value}" for key, value in (settings.get("environment") or {}).items()]
        if settings.get("user"):
            words.append(f"--user={settings['user']}")
        return words

    @property
    def authority(self) -> Path | None:
        """The certificate of the platform's authority, for everybody to read, where services speak TLS among themselves."""
        kept, shown = self.folder / "secrets/tls/ca.crt", self.folder / "content.authority"
        if not self.speaks_tls or not kept.exists():
            return None
        shutil.copy(kept, shown)
        shown.chmod(0o644)
        return shown

    @cached_property
    def speaks_tls(self) -> bool:
        """Whether services speak TLS among themselves."""
        outline = self.folder / "platform.json"
        return outline.exists() and json.loads(outline.read_text(encoding="utf-8"))["policies"].get("tls_services") == "internal"

    def reached_by_tls(self, service: str) -> bool:
        """Whether others speak TLS with a service: one may be kept from it."""
        if not self.speaks_tls:
            return False
        flows = json.loads((self.folder / "platform.json").read_text(encoding="utf-8"))["flows"].values()
        # Members are numbered.
        names = {service, re.sub(r"-\d+$", "", service)}
        return any(flow["to"] in names and flow["encryption"] == "tls" for flow in flows)

    def certificate(self, service: str) -> Path:
        """A service's certificate, as the bundle would hand it over, but for everybody to read."""
        script = (self.folder / "prepare/prepare.sh").read_text(encoding="utf-8")
        name = re.search(rf"^hand {re.escape(service)} \S+ \S+ (\S+)", script, re.MULTILINE)[1]
        target = self.folder / f"content.tls.{service}"
        shutil.copytree(self.folder / "secrets/tls" / name, target, dirs_exist_ok=True)
        target.chmod(0o755)
        for path in target.iterdir():
            path.chmod(0o644)
        return target

    def try_out(self, service: str, *words: str) -> str:
        """Runs a program in a fresh container like the service's, with no network but every service's name known."""
        names = [f"--add-host={name}:127.0.0.1" for name in self.services]
        for other in self.services.values():
            for network in (other.get("networks") or {}).values():
                names += [f"--add-host={alias}:127.0.0.1" for alias in (network or {}).get("aliases") or []]
        result = self.engine.docker(
            "run", "--rm", "--network=bridge", *dict.fromkeys(names), *self.mounts(service),
            f"--entrypoint={words[0]}", f"lakewright-stand-in/{service}:1", *words[1:], check=False, merge=True,
        )  # fmt: skip
        expect(result.returncode == 0, f"{service}: {' '.join(words)}: exit status {result.returncode}\n{result.stdout}")
        return result.stdout

    def arguments(self, service: str, *programs: str) -> list[str]:
        """A service's command line without the program's name."""
        words = [*(self.services[service].get("entrypoint") or []), *(self.services[service].get("command") or [])]
        return words[1:] if words and os.path.basename(words[0]) in programs else words

    def nginx_configuration(self) -> None:
        for service in self.of_kind("nginx"):
            output = self.try_out(service, "nginx", "-t")
            expect("[warn]" not in output, output)

    def haproxy_configuration(self) -> None:
        for service in self.of_kind("haproxy"):
            words = [word for word in self.arguments(service, "haproxy") if word not in ("-W", "-db", "-d")]
            self.try_out(service, "haproxy", "-dW", "-c", *(words or ["-f", "/usr/local/etc/haproxy/haproxy.cfg"]))

    def postgres_configuration(self) -> None:
        """`-C` reads the whole file, and ends at once."""
        for service in self.of_kind("postgres"):
            for word in self.mounts(service):
                target = word.removesuffix(":ro").rpartition(":")[2]
                if target.endswith("postgresql.conf"):
                    user = ["setpriv", "--reuid=999", "--regid=999", "--clear-groups"] if "--user=" not in str(self.mounts(service)) else []
                    self.try_out(service, *user, "postgres", "-c", f"config_file={target}", "-D", "/tmp", "-C", "max_connections")

    # --- what runs ---

    def component(self, service: str) -> str:
        """What the names of a service's secrets begin with."""
        return service

    def postgres_settings(self) -> None:
        """Every line of postgresql.conf and pg_hba.conf was understood."""
        for service in self.of_kind("postgres"):
            bad = self.sql(service, "select sourcefile, sourceline, name, error from pg_file_settings where error is not null")
            expect(not bad, f"{service}: {bad}")
            bad = self.sql(service, "select line_number, error from pg_hba_file_rules where error is not null")
            expect(not bad, f"{service}: {bad}")

    def superuser(self, service: str) -> str:
        environment = self.services[service].get("environment") or {}
        return environment.get("POSTGRES_USER") or "postgres"

    def sql(self, service: str, query: str, *, user: str | None = None, database: str = "postgres") -> str:
        words = ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", user or self.superuser(service), "-d", database]
        return self.execute(service, *words, "-c", query).stdout.strip()

    def secrets_stay_secret(self) -> None:
        """No secret is in a log, nor in what the engine tells of a container."""
        said = []
        for service, container in self.containers().items():
            shown = {
                "settings": json.dumps([container["Config"], container["Args"], container["HostConfig"]]),
                "log": self.engine_of(service).docker("logs", container["Id"], merge=True).stdout,
            }
            if container["State"]["Running"]:
                shown["processes"] = self.engine_of(service).docker("top", container["Id"], "-ww", "-eo", "pid,args").stdout
            for name, value in self.secret_values().items():
                for where, text in shown.items():
                    line = next((line for line in text.splitlines() if value in line), None)
                    if line is not None:
                        said.append(f"{service}: the secret {name} is in its {where}: {line.replace(value, '*****')[:500]}")
        expect(not said, "\n".join(said))

    def postgres_owners_only(self) -> None:
        """Every database is open to its owner and who is a member of it, with their secrets, over the network, and to nobody else."""
        for service in self.of_kind("postgres"):
            query = "select datname || ' ' || pg_get_userbyid(datdba) from pg_database where not datistemplate and datname <> 'postgres'"
            owners = dict(line.split() for line in self.sql(service, query).splitlines())
            query = "select member::regrole || ' ' || roleid::regrole from pg_auth_members"
            members = {tuple(line.split()) for line in self.sql(service, query).splitlines()}
            # Whom an owner lets in, who belongs to the same component.
            query = (
                "select grantee::regrole || ' ' || datname from pg_database, aclexplode(datacl)"
                " where privilege_type = 'CONNECT' and datname <> 'postgres' and grantor = datdba and grantee not in (0, datdba)"
            )
            guests = {tuple(line.split()) for line in self.sql(service, query).splitlines()}
            guests = {(role, database) for role, database in guests if role.startswith(f"{owners[database]}_")}
            passwords = self.passwords(service, set(owners.values()))
            # A role of people is nobody by itself: it has no password, and nobody logs in as it.
            entering = set(self.sql(service, "select rolname from pg_roles where rolcanlogin").split())
            unknown = (set(owners.values()) & entering) - set(passwords)
            expect(not unknown, f"{service}: no secret is the password of {sorted(unknown)}")
            more = "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls from pg_roles where rolname = current_user"
            tries = [(role, password, database) for role, password in passwords.items() for database in [*owners, "postgres"]]
            for (role, _, database), allowed in zip(tries, self.logins(service, tries, more), strict=True):
                owner = owners.get(database)
                may = owner == role or (role, owner) in members or (role, database) in guests
                expect((allowed is not None) == may, f"{service}: {role} in {database}, owned by {owner}: {allowed}")
                expect(allowed in (None, "f"), f"{service}: {role} has rights over the whole server")

    def passwords(self, service: str, roles: set[str]) -> dict[str, str]:
        """The passwords of roles that own a database: which secret of the component opens it."""
        query = "select min(datname::text) from pg_database where datdba = '{}'::regrole"
        values = [value for name, value in self.secret_values().items() if name.startswith(self.component(service))]
        tries = [(role, value, self.sql(service, query.format(role))) for role in sorted(roles) for value in values]
        answers = self.logins(service, tries, "select 1")
        return {role: value for (role, value, _), answer in zip(tries, answers, strict=True) if answer == "1"}

    def logins(self, service: str, tries: list[tuple[str, str, str]], query: str) -> list[str | None]:
        """What a query answers to roles that come over the network with a password to a database; None for who is refused."""
        script = (
            "while IFS='|' read -r role database PGPASSWORD; do export PGPASSWORD; "
            'psql -X -A -t -c "$1" "host=$2 user=$role dbname=$database connect_timeout=5" </dev/null 2>/dev/null || echo refused; done'
        )
        lines = "".join(f"{role}|{database}|{password}\n" for role, password, database in tries)
        answers = self.execute(service, "sh", "-c", script, "sh", query, service, input=lines).stdout.split()
        expect(len(answers) == len(tries), f"{service}: {len(answers)} answers to {len(tries)} logins")
        return [None if answer == "refused" else answer for answer in answers]

    def buckets_and_users(self) -> None:
        """The lake's buckets exist, and every user of the store gets in with one secret and sees no more than its policy says."""
        for service in self.stores():
            _, logins = self.root_of(service)
            every = [found for found in logins.values() if found is not None]
            expect(len(every) == 1 and every[0], f"{service}: no bucket, or root gets in with {len(every)} secrets: {logins}")
            text = " ".join(path.read_text(encoding="utf-8", errors="ignore") for path in self.folder.glob("*/buckets.sh"))
            for name in re.findall(r"\bmb\b.* lake/['\"]?([a-z0-9.-]+)", text):
                expect(name in every[0], f"{service}: the bucket {name} was not made: {every[0]}")

    def stores(self) -> list[str]:
        return [name for name in self.of_kind("minio") if self.mounted(name, "/data")]

    def buckets(self, service: str, user: str, password: str) -> list[str] | None:
        """The buckets that a user of the object store sees; None when it is refused."""
        result = self.ask_store(service, user, password, "mc --quiet --json ls try")
        if result.returncode != 0:
            return None
        return [json.loads(line)["key"].strip("/") for line in result.stdout.splitlines()]

    def ask_store(self, service: str, user: str, password: str, action: str):
        """What the client of the object store does for a user, to whom the store is `try`."""
        script = (
            'export MC_CONFIG_DIR=/tmp/conformance-mc && mkdir -p "$MC_CONFIG_DIR" && '
            f"mc --quiet alias set try {'https' if self.reached_by_tls(service) else 'http'}://localhost:9000 >/dev/null && {action}; code=$?; "
            'rm -rf "$MC_CONFIG_DIR"; exit $code'
        )
        return self.execute(service, "sh", "-c", script, check=False, input=f"{user}\n{password}\n")

    def root_of(self, service: str) -> tuple[str, dict[str, list[str] | None]]:
        """Root of an object store, and the buckets that it sees by the names of secrets that might be its password."""
        root = (self.services[service].get("environment") or {}).get("MINIO_ROOT_USER") or "root"
        values = {name: value for name, value in self.secret_values().items() if name.startswith(self.component(service))}
        return root, {name: self.buckets(service, root, value) for name, value in values.items()}

    def cache_is_closed(self) -> None:
        """Nobody gets anything from the cache without a password."""
        for service in self.of_kind("valkey"):
            words = ["--tls", "--cacert", "/run/certs/ca.crt"] if self.reached_by_tls(service) else []
            answer = self.execute(service, "valkey-cli", *words, "-h", service, "dbsize", check=False, merge=True).stdout
            expect("NOAUTH" in answer or "NOPERM" in answer, f"{service}: {answer}")

    def hosts(self) -> list[str]:
        """The host names that the proxy knows."""
        found = []
        for path in files(self.folder):
            text = path.read_text(encoding="utf-8", errors="ignore")
            if path.name.endswith(".conf"):
                # Not the one that only says where the others are.
                found += re.findall(r'server_name\s+"([^"_]+)";(?!\s*return 308)', text)
            if path.name.endswith(".cfg"):
                found += re.findall(r"var\(txn\.host\) -m str -i ['\"]?([\w.-]+)", text)
        return sorted(set(found))

    def idle(self) -> set[str]:
        """Names of services that start only when they are asked for."""
        found = set()
        for name, service in self.everything.items():
            if name not in self.services:
                networks = service.get("networks") or {}
                found |= {name}.union(*((network or {}).get("aliases") or [] for network in networks.values()))
        return found

    def web(self) -> tuple[str, int, list[str]]:
        """How the proxy's web interfaces are reached: scheme, port, and what curl is told of certificates."""
        published = [(name, port, inside) for name, _, port, inside in self.published() if inside in (80, 443, 8080, 8443)]
        expect(published, "no web port is published")
        for service, port, inside in published:
            expect(self.stand_in(service) in ("nginx", "haproxy"), f"{service} publishes {port}, and is no proxy")
            if inside in (443, 8443):
                return "https", port, ["--cacert", str(self.folder / "secrets/tls/ca.crt")]
        return "http", published[0][1], []

    def fetch(self, host: str, path: str, *words: str, **options):
        """Asks the proxy for something, as a browser would; `words` are curl's."""
        scheme, port, trust = self.web()
        curl = [self.tools.path("curl"), "--silent", "--show-error", *trust, "--max-time", "60"]
        curl += ["--resolve", f"{host}:{port}:127.0.0.1"]
        return self.engine.inside(*curl, *words, f"{scheme}://{host}:{port}{path}", **options)

    def proxy_routes(self) -> None:
        """Every host name leads to an application, or says that it does not run; an unknown one leads to nothing."""
        said = []
        expect(self.hosts(), "the proxy's configuration names no host")
        for host in [*self.hosts(), "unknown.example.org"]:
            words = ["--output", "/dev/null", "--write-out", "%{http_code}"]
            if host == "unknown.example.org":
                words.append("--insecure")  # the certificate bears no such name
            result = self.fetch(host, "/", *words, check=False, merge=True)
            code = result.stdout.strip()[-3:]
            if host == "unknown.example.org":
                good = code in ("404", "403", "421")
            elif host.split(".")[0] in self.idle():
                good = code in ("502", "503", "504")
            else:
                good = code[:1] in "234" and code != "404"
            if not good:
                said.append(f"{host}: {result.stdout.strip()}")
        expect(not said, "\n".join(said))

    def superset_login(self) -> None:
        """The administrator of the secret logs in through the proxy, and the platform's connection is there."""
        password = self.secret_values().get("superset-admin")
        host = next((name for name in self.hosts() if name.startswith("superset.")), None)
        expect(password and host, "no secret superset-admin, or no host superset.*")
        body = json.dumps({"username": "admin", "password": password, "provider": "db", "refresh": False})
        login = "/api/v1/security/login"
        result = self.fetch(host, login, "--json", "@-", input=body)
        token = json.loads(result.stdout).get("access_token")
        expect(token, f"no access token: {result.stdout[:500]}")
        wrong = self.fetch(host, login, "--json", "@-", input=body.replace(password, "wrong"))
        expect("access_token" not in wrong.stdout, "a wrong password is accepted")
        roles = self.fetch(host, "/api/v1/database/", "--header", "@-", input=f"Authorization: Bearer {token}\n")
        expect('"count"' in roles.stdout, f"the list of databases: {roles.stdout[:500]}")

    def superset_unanswered(self) -> None:
        """Superset names its database when that does not answer, and no password."""
        said = self.execute("superset-web", "python", "-c", UNANSWERED, check=False, merge=True).stdout
        expect("Cannot connect to database" in said, f"it says nothing of its database: {said[-500:]}")
        shown = [name for name, value in self.secret_values().items() if value in said]
        expect(not shown, f"it prints {', '.join(shown)}")

    def only_wired_services_meet(self) -> None:
        """Only services that share a network can connect, the proxy to no database, and only it publishes ports."""
        containers = {name: one for name, one in self.containers().items() if one["State"]["Running"]}
        zones = {name: (self.services[name].get("labels") or {}).get("lakewright.zone", "") for name in containers}
        targets = {}
        for name, container in containers.items():
            for network in container["NetworkSettings"]["Networks"].values():
                for port in self.ports_of(name):
                    targets[f"{network['IPAddress']}/{port}"] = name
        said, met = [], []
        with ThreadPoolExecutor(PROBES) as pool:
            asked = pool.map(lambda one: ask_beside(self.images, self.engine, one["Id"], MEET, *targets), containers.values())
            answers = dict(zip(containers, asked, strict=True))
        for name, reached in answers.items():
            for other in sorted({targets[target] for target in reached} - {name}):
                met.append(f"{name} -> {other}")
                shared = set(self.services[name].get("networks") or {}) & set(self.services[other].get("networks") or {})
                if not shared:
                    said.append(f"{name} reaches {other}, with which it shares no network")
        for name, service in self.services.items():
            if service.get("ports") and zones.get(name) not in ("dmz", ""):
                said.append(f"{name} publishes ports, and is in the zone {zones.get(name)}")
        expect(met, "nobody reaches anybody: the probe is broken")
        for first, second in (("dmz", "postgres"), ("dmz", "valkey")):
            for pair in met:
                source, target = pair.split(" -> ")
                if zones[source] == first and self.stand_in(target) == second:
                    said.append(f"{pair}: the proxy has no business there")
        expect(not said, "\n".join(said))

    # --- what must outlive containers ---

    def keeps_data(self) -> None:
        """Removing and making the containers again loses nothing."""
        servers = self.of_kind("postgres")
        for service in servers:
            self.sql(service, "create table lakewright_kept as select 42 as answer")
        stores = self.stores()
        for service in stores:
            self.execute(service, "sh", "-c", "echo kept >/data/lakewright-kept")
        self.compose("down", "--timeout=60", merge=True)
        # Volumes that images declare and the bundle does not name are not data; Compose leaves them behind.
        for volume in self.engine.docker("volume", "ls", "--quiet").stdout.split():
            if re.fullmatch(r"[0-9a-f]{64}", volume):
                self.engine.docker("volume", "rm", volume)
        self.up()
        for service in servers:
            answer = self.sql(service, "select answer from lakewright_kept")
            expect(answer == "42", f"{service}: the table is gone: {answer}")
            self.sql(service, "drop table lakewright_kept")
        for service in stores:
            expect(self.execute(service, "cat", "/data/lakewright-kept").stdout == "kept\n", f"{service}: the file is gone")

    def mounted(self, service: str, target: str) -> bool:
        return any(volume["target"] == target for volume in self.services[service].get("volumes") or [])

    def published(self) -> list[tuple[str, str, int, int]]:
        """Service, address, port outside, port inside."""
        result = []
        for name, service in self.services.items():
            for port in service.get("ports") or []:
                if port.get("published"):
                    result.append((name, port.get("host_ip", ""), int(port["published"]), int(port["target"])))
        return result

    def published_ports_answer(self) -> None:
        """Something accepts connections on every published port."""
        for name, address, port, _ in self.published():
            host = address if address not in ("", "0.0.0.0", "::") else "127.0.0.1"
            result = self.engine.inside("bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}", check=False, timeout=20)
            expect(result.returncode == 0, f"{name}: {host}:{port}: {result.stderr.strip()}")


def wanted(report: Report, label: str) -> bool:
    return any(report.wants(f"{label}/{part}") for part in PARTS)


def test_monitoring(report: Report, label: str, stack: Stack) -> None:
    """What Prometheus sees of the rest, where there is one."""
    for service in stack.of_kind("prometheus"):
        prometheus = Prometheus(stack, service)
        pretended = {name for name in stack.services if stack.stand_in(name) == PLACEHOLDER}
        kept = {component(stack, name) for name in stack.services} - {component(stack, name) for name in pretended}
        report.test(f"{label}/scrape-targets", lambda: prometheus.targets_up(pretended))
        report.test(f"{label}/rules-loaded", prometheus.rules_loaded)
        report.test(f"{label}/metrics-exist", lambda: prometheus.metrics_exist(used_metrics(stack.tools, stack.folder, kept)))
        if stack.of_kind("alertmanager"):
            report.test(f"{label}/alerts-arrive", prometheus.alerts_arrive)


def component(stack: Stack, service: str) -> str:
    return (stack.services[service].get("labels") or {}).get("lakewright.component", "")


def test_stack(
    report: Report, label: str, bundle: Path, tools: Toolbox, engine: Engine, images: Images, compiler: Callable, *, again: bool, script: bool
) -> None:
    """Everything that needs an engine, for one bundle; `again`: it is also started a second time, and made anew; `script`: also by
    its own script."""
    with tempfile.TemporaryDirectory(prefix="lakewright-stack-") as folder:
        os.chmod(folder, 0o755)
        stack = Stack(bundle, Path(folder) / bundle.name, tools, engine, images, compiler)

        def prepare() -> None:
            stack.make_secrets()
            stack.load_images()

        if any(is_dockerfile(path) for path in files(bundle)):
            report.test(f"{label}/dockerfiles", stack.build_images, always=True)
        if not report.test(f"{label}/stand-ins", prepare, always=True):
            return
        for kind, check in (
            ("nginx", stack.nginx_configuration),
            ("haproxy", stack.haproxy_configuration),
            ("postgres", stack.postgres_configuration),
        ):
            if stack.of_kind(kind):
                report.test(f"{label}/{kind}-config", check)
        try:
            running = False
            if any(report.wants(f"{label}/{part}") for part in RUNNING):
                report.test(f"{label}/start", stack.start, always=True)
                running = report.test(f"{label}/healthy", stack.all_well, always=True)
            if running:
                if stack.of_kind("postgres"):
                    report.test(f"{label}/postgres-settings", stack.postgres_settings)
                    report.test(f"{label}/postgres-owners", stack.postgres_owners_only)
                if stack.stores():
                    report.test(f"{label}/buckets", stack.buckets_and_users)
                if stack.of_kind("valkey"):
                    report.test(f"{label}/cache-closed", stack.cache_is_closed)
                if stack.published():
                    report.test(f"{label}/published-ports", stack.published_ports_answer)
                    report.test(f"{label}/routes", stack.proxy_routes)
                if stack.of_kind("superset"):
                    report.test(f"{label}/superset-login", stack.superset_login)
                    if script:  # once: it takes a start
                        report.test(f"{label}/superset-unanswered", stack.superset_unanswered)
                if stack.speaks_tls:
                    encryption = Encryption(stack)
                    report.test(f"{label}/handshakes", encryption.handshakes)
                    if stack.of_kind("superset"):
                        report.test(f"{label}/impostors", encryption.impostors)
                        if report.only:  # where it is asked for: it takes minutes
                            report.test(f"{label}/expired", encryption.expired)
                test_monitoring(report, label, stack)
                if stack.speaks_tls:
                    report.test(f"{label}/renewed-services", encryption.renewed)
                report.test(f"{label}/reachability", stack.only_wired_services_meet)
                if script and (stack.folder / "bootstrap.sh").exists():
                    silent = {name for name in stack.services if stack.stand_in(name) == PLACEHOLDER}
                    report.test(f"{label}/bootstrap", lambda: bootstrap(stack, compiler.program(), silent))
                if again:
                    report.test(f"{label}/start-again", stack.start_again)
                    report.test(f"{label}/keeps-data", stack.keeps_data)
                report.test(f"{label}/secrets", stack.secrets_stay_secret)
        finally:
            if stack.started:
                report.test(f"{label}/stop", stack.stop, always=True)
