"""Who people are, for real: a Keycloak that the files of a bundle configure, and oauth2-proxy with a bundle's environment
before a page. A small browser stands for people and for the proxy at the edge."""

import base64
import contextlib
import hashlib
import html
import http.client
import http.server
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from applications import declared, exposed, postgresql
from report import Failure, Missing, Report, expect
from toolbox import HERE, Toolbox, digest, free_port, run

ROOT = HERE.parents[1]
WANTED = HERE / "tools/identity/keycloak.toml"
MAVEN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"

# Where a browser is sent back to after a login, where the company's own provider of SAML is, and what its directory holds.
BACK = "http://traces.localhost"
COMPANY = "http://company.localhost:8080"
BASE = "dc=people,dc=example,dc=org"
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


def distribution(tools: Toolbox, command: str) -> Path:
    """Keycloak's folder, after the command of the bundle's Dockerfile; its own user cannot write there."""
    wanted = tomllib.loads(WANTED.read_text(encoding="utf-8"))
    maven, java = tools.need("mvn", "java")

    def make(made: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="lakewright-keycloak-") as folder:
            argv = [maven, "--batch-mode", "--quiet", MAVEN, f"-Dartifact={wanted['artifact']}", f"-DoutputDirectory={folder}"]
            got = run(argv, check=False, timeout=1200)
            files = list(Path(folder).glob("*.tar.gz"))
            if got.returncode != 0 or not files:
                raise Missing("keycloak", (got.stderr or got.stdout).strip()[-500:])
            found = hashlib.sha256(files[0].read_bytes()).hexdigest()
            expect(found == wanted["sha256"], f"{files[0].name} has the SHA-256 {found}")
            with tarfile.open(files[0]) as archive:
                archive.extractall(Path(folder) / "all", filter="data")
            shutil.move(next((Path(folder) / "all").iterdir()), made)
        run(["sh", "-c", command.replace("/opt/keycloak", str(made))], timeout=1200)
        run(["chmod", "-R", "a+rX", made])

    return tools.once(tools.cache / f"keycloak-{digest(WANTED, command, java)}", make)


class Browser:
    """Keeps cookies, follows what it is sent to, and reaches every public address at the port that stands for it."""

    def __init__(self, ports: dict[str, int]):
        self.ports, self.cookies = ports, {}

    def once(self, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None):
        parts = urllib.parse.urlsplit(url)
        jar = self.cookies.setdefault(parts.hostname, {})
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[parts.hostname], timeout=60)
        # What the proxy at the edge adds.
        sent = {"Host": parts.netloc, "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": parts.scheme, "X-Forwarded-Host": parts.netloc}
        sent |= {"X-Forwarded-Port": str(parts.port), "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} | (headers or {})
        body = None
        if form is not None:
            body, sent["Content-Type"] = urllib.parse.urlencode(form), "application/x-www-form-urlencoded"
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request("POST" if form is not None else "GET", path, body, sent)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            jar[name.strip()] = value
            if not value or "max-age=0" in line.lower():
                jar.pop(name.strip())
        connection.close()
        to = answer.headers["Location"]
        return answer.status, urllib.parse.urljoin(url, to) if to else None, text

    def open(self, url: str, stop: str = "\0") -> tuple[int, str, str]:
        """Follows redirects until there are none, or one leads to an address that begins with `stop`."""
        for _ in range(12):
            status, to, text = self.once(url)
            if to is None or to.startswith(stop):
                return status, to or url, text
            url = to
        raise Failure(f"too many redirects, the last to {url}")

    def login(self, url: str, user: str, password: str, stop: str = "\0") -> tuple[int, str, str]:
        """Opens a page that asks who is there, and answers."""
        status, _, text = self.open(url, stop)
        form = re.search(r'<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"', text)
        expect(form, f"{url}: no form to log in: {status} {text[:300]}")
        status, to, text = self.once(html.unescape(form[1]), {"username": user, "password": password})
        if to is None or to.startswith(stop):
            return status, to or "", text
        return self.open(to, stop)


class Trial:
    """The folder of a bundle, and what its names mean on this machine."""

    def __init__(self, tools: Toolbox, compiler: Callable[..., None], folder: Path):
        self.tools, self.folder = tools, folder
        compiler("-q", "build", ROOT / "tests/topologies/identity.toml", "-o", folder / "bundles")
        self.dev = folder / "bundles/dev"
        self.compose = tools.yaml(self.dev / "compose.yaml")[0]
        self.http, self.management, self.database = free_port(), free_port(), free_port()
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        self.keycloak: Path | None = None

    def secret(self, name: str) -> str:
        """A secret's value, made when it is first asked for."""
        path = self.secrets / name
        if not path.exists():
            path.write_text(secrets.token_hex(16), encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def here(self, text: str) -> str:
        """A text of the bundle, with the addresses and paths of this machine."""
        for name in re.findall(r"/run/secrets/([a-z0-9.-]+)", text):
            self.secret(name)
        for there, local in (
            ("/run/secrets", str(self.secrets)),
            ("http://keycloak:8080", f"http://127.0.0.1:{self.http}"),
            ("postgresql:5432", f"127.0.0.1:{self.database}"),
            ("/opt/keycloak", str(self.keycloak)),
        ):
            text = text.replace(there, local)
        return text

    def environment(self, service: str) -> dict[str, str]:
        return {name: self.here(str(value)) for name, value in self.compose["services"][service]["environment"].items()}

    def browser(self, **ports: int) -> Browser:
        return Browser({"keycloak.localhost": self.http} | {f"{name}.localhost": port for name, port in ports.items()})

    def realm(self, path: Path | None = None) -> str:
        """What the job of the bundle says when it runs."""
        wanted = self.folder / "realm.json"
        wanted.write_text(self.here((path or self.dev / "keycloak/realm.json").read_text(encoding="utf-8")), encoding="utf-8")
        return run([sys.executable, "-B", self.dev / "keycloak/realm.py", wanted], merge=True).stdout

    def token(self, user: str | None = None) -> str:
        """Of the job's client, or of an administrator with the password of its secret."""
        form = {"grant_type": "client_credentials", "client_id": "lakewright-setup", "client_secret": self.secret("keycloak-setup")}
        if user:
            form = {"grant_type": "password", "client_id": "admin-cli", "username": user, "password": self.secret("keycloak-admin")}
        address = f"http://127.0.0.1:{self.http}/realms/master/protocol/openid-connect/token"
        with urllib.request.urlopen(address, urllib.parse.urlencode(form).encode(), timeout=60) as answer:
            return json.load(answer)["access_token"]

    def ask(self, method: str, path: str, body: object = None, user: str | None = None):
        headers = {"Authorization": f"Bearer {self.token(user)}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/admin/realms{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def person(self, realm: str, name: str, groups: list[str]) -> None:
        credentials = [{"type": "password", "value": f"correct-{name}-horse", "temporary": False}]
        person = {"username": name, "enabled": True, "firstName": name, "lastName": name, "email": f"{name}@example.org"}
        self.ask("POST", f"/{realm}/users", {**person, "groups": groups, "credentials": credentials})

    def people(self) -> None:
        """Ann is an administrator of the lake, Bob is in no group."""
        self.person("identity", "ann", ["/lake-admin"])
        self.person("identity", "bob", [])

    def client(self, name: str) -> dict:
        return self.ask("GET", f"/identity/clients?clientId={name}")[0]


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


@contextlib.contextmanager
def server(trial: Trial) -> Iterator[None]:
    """Keycloak as the bundle starts it, by its entry script, as a user who may write scratch folders only."""
    tools = trial.tools
    setpriv = tools.path("setpriv")
    dockerfile = (trial.dev / "keycloak/image-server/Dockerfile").read_text(encoding="utf-8")
    command = re.search(r"^RUN ((?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)[1].replace("\\\n", " ")
    # The cache may lie where another user does not get to.
    trial.keycloak = trial.folder / "keycloak"
    run(["cp", "-a", distribution(tools, command), trial.keycloak])
    scratch = trial.folder / "scratch"
    for writable in (scratch, trial.keycloak / "data"):
        writable.mkdir(exist_ok=True)
        os.chown(writable, 65534, 65534)
    entry = trial.folder / "entry.sh"
    entry.write_text(trial.here((trial.dev / "keycloak/entry.sh").read_text(encoding="utf-8")), encoding="utf-8")
    for path in (trial.folder, trial.secrets, *trial.secrets.iterdir(), entry):
        path.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], **trial.environment("keycloak")}
    environment |= {"KC_HTTP_PORT": str(trial.http), "KC_HTTP_MANAGEMENT_PORT": str(trial.management), "KC_HTTP_HOST": "127.0.0.1"}
    environment |= {"KC_CACHE_EMBEDDED_NETWORK_BIND_ADDRESS": "127.0.0.1", "KC_CACHE_EMBEDDED_NETWORK_BIND_PORT": str(free_port())}
    # What Swarm's environment trusts, whose directory is tried.
    swarm = tools.yaml(trial.folder / "bundles/swarm/stack.yaml")[0]["services"]["keycloak-1"]["environment"]
    environment["KC_TRUSTSTORE_PATHS"] = trial.here(swarm["KC_TRUSTSTORE_PATHS"])
    environment["JAVA_OPTS_APPEND"] = f"-Djava.io.tmpdir={scratch}"
    be = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    log = trial.folder / "keycloak.log"
    with log.open("wb") as output, subprocess.Popen([*be, "bash", entry], env=environment, stdout=output, stderr=output, cwd="/") as process:
        try:
            limit = time.monotonic() + 600
            while True:
                with contextlib.suppress(OSError):
                    if json.loads(get(trial.management, "/health/ready"))["status"] == "UP":
                        break
                tail = log.read_text(encoding="utf-8", errors="replace")[-1500:]
                expect(process.poll() is None and time.monotonic() < limit, f"Keycloak does not start: {tail}")
                time.sleep(1)
            yield
        finally:
            process.terminate()
            process.wait(60)


# --- Keycloak --------------------------------------------------------------------------------------------------------


def claims(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def asking(challenge: bool = True, **more: str) -> tuple[str, str]:
    """A verifier, and where the client of `traces` sends a browser to."""
    verifier = secrets.token_urlsafe(48)
    form = {"response_type": "code", "client_id": "traces-identity", "scope": "openid profile", "state": "s"}
    form["redirect_uri"] = f"{BACK}:8080/oauth2/callback"
    if challenge:
        hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        form |= {"code_challenge": hashed, "code_challenge_method": "S256"}
    return verifier, f"http://keycloak.localhost:8080/realms/identity/protocol/openid-connect/auth?{urllib.parse.urlencode(form | more)}"


def code(
    trial: Trial, user: str, *, challenge: bool = True, back: str | None = None, password: str | None = None
) -> tuple[int, str, str, str]:
    """What a browser comes back with after a login for the client of `traces`, and the verifier."""
    verifier, url = asking(challenge, **({"redirect_uri": back} if back else {}))
    browser = trial.browser()
    status, to, text = browser.open(url, BACK)
    if "error=" in to or "kc-form-login" not in text:
        return status, to, text, verifier
    return *browser.login(url, user, password or f"correct-{user}-horse", BACK), verifier


def exchanged(trial: Trial, to: str, verifier: str, secret: str) -> dict:
    """The tokens for a code, asked for under the name inside the platform."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(to).query)
    expect("code" in query, f"no code: {to}")
    form = {"grant_type": "authorization_code", "code": query["code"][0], "code_verifier": verifier, "client_id": "traces-identity"}
    form |= {"client_secret": secret, "redirect_uri": "http://traces.localhost:8080/oauth2/callback"}
    address = f"http://127.0.0.1:{trial.http}/realms/identity/protocol/openid-connect/token"
    request = urllib.request.Request(address, urllib.parse.urlencode(form).encode(), {"Host": "keycloak:8080"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return {"error": error.read().decode()}


def tokens(trial: Trial) -> None:
    """Tokens say who somebody is, in which groups, and for whom; a client gets no more than it was made for."""
    secret = trial.secret("keycloak-traces-identity")
    issuer = "http://keycloak.localhost:8080/realms/identity"
    for user, groups in (("ann", ["lake-admin"]), ("bob", [])):
        _, to, _, verifier = code(trial, user)
        got = exchanged(trial, to, verifier, secret)
        expect("access_token" in got, f"{user}: {got}")
        for name in ("id_token", "access_token"):
            found = claims(got[name])
            audience = found["aud"] if isinstance(found["aud"], list) else [found["aud"]]
            expect(found["iss"] == issuer and "traces-identity" in audience, f"{name}: {found}")
            expect(found.get("groups", []) == groups and found["preferred_username"] == user, f"{name}: {found}")
    _, to, _, verifier = code(trial, "ann")
    expect("error" in exchanged(trial, to, "x" * 60, secret), "a code is taken with another verifier")
    _, to, _, verifier = code(trial, "ann")
    expect("error" in exchanged(trial, to, verifier, "wrong"), "a code is taken with another secret")
    _, to, _, _ = code(trial, "ann", challenge=False)
    expect("error=" in to and "code=" not in to, f"a login without a challenge: {to}")
    for back in ("http://traces.localhost:8080/oauth2/callback/x", "http://traces.localhost:8080/", "http://evil.localhost:8080/oauth2/callback"):
        status, to, text, _ = code(trial, "ann", back=back)
        expect(status == 400 and "kc-form-login" not in text, f"{back} is taken: {status} {to}")
    found = trial.browser().once("http://keycloak.localhost:8080/realms/identity/.well-known/openid-configuration", headers={"Host": "keycloak:8080"})
    found = json.loads(found[2])
    expect(found["issuer"] == issuer and found["token_endpoint"].startswith("http://keycloak"), f"{found}")


def corrected(trial: Trial) -> None:
    """The job changes nothing that is right, puts right what is wrong, and leaves alone what it did not make."""
    quiet = trial.realm()
    expect(quiet == "realm: all is as the topology says\n", f"a second run changes something: {quiet}")
    client = trial.client("traces-identity")
    trial.ask("PUT", f"/identity/clients/{client['id']}", {**client, "redirectUris": ["*"], "directAccessGrantsEnabled": True})
    mapper = next(one for one in client["protocolMappers"] if one["name"] == "lakewright-groups")
    trial.ask("DELETE", f"/identity/clients/{client['id']}/protocol-mappers/models/{mapper['id']}")
    trial.ask("POST", "/identity/clients", {"clientId": "by-hand"})
    trial.ask("POST", "/identity/clients", {"clientId": "gone", "attributes": {"lakewright": "made"}})
    trial.ask("PUT", "/identity", {"registrationAllowed": True, "bruteForceProtected": False})
    user = trial.ask("GET", "/master/users?exact=true&username=admin")[0]
    changed = {"type": "password", "value": "changed-in-the-console", "temporary": False}
    trial.ask("PUT", f"/master/users/{user['id']}/reset-password", changed)
    old = trial.secret("keycloak-traces-identity")
    new = secrets.token_hex(16)
    (trial.secrets / "keycloak-traces-identity").write_text(new, encoding="utf-8")
    said = trial.realm()
    for part in ("corrected the client traces-identity", "took away the client gone", "corrected the realm", "set the password of admin"):
        expect(part in said, f"not said: {part}\n{said}")
    expect(trial.realm() == quiet, "it is not right after it was corrected")
    names = {one["clientId"] for one in trial.ask("GET", "/identity/clients")}
    expect("by-hand" in names and "gone" not in names, f"clients: {names}")
    expect(trial.client("traces-identity")["redirectUris"] == ["http://traces.localhost:8080/oauth2/callback"], "the redirect URI")
    expect(trial.ask("GET", "/master", user="admin")["realm"] == "master", "the administrator's password")
    _, to, _, verifier = code(trial, "ann")
    expect("error" in exchanged(trial, to, verifier, old), "the old secret of a client is still taken")
    _, to, _, verifier = code(trial, "ann")
    got = exchanged(trial, to, verifier, new)
    expect(claims(got.get("access_token", "..")).get("groups") == ["lake-admin"], f"with the new secret: {got}")


# --- a directory and a provider behind Keycloak -----------------------------------------------------------------------


def brokering(trial: Trial, **behind: dict) -> Path:
    """The realm's settings with those of Swarm's environment for what is behind it, changed to what is here."""
    wanted = json.loads((trial.dev / "keycloak/realm.json").read_text(encoding="utf-8"))
    swarm = json.loads((trial.folder / "bundles/swarm/keycloak/realm.json").read_text(encoding="utf-8"))
    path = trial.folder / "brokering.json"
    path.write_text(json.dumps(wanted | {name: swarm[name] | changed for name, changed in behind.items()}), encoding="utf-8")
    return path


def brokered(trial: Trial) -> None:
    """The directory and the SAML provider of the Swarm environment are taken, twice alike; then they are gone."""
    path = brokering(trial, ldap={}, saml={})
    said = trial.realm(path)
    for part in ("made the directory", "made the directory's groups", "made the SAML provider"):
        expect(part in said, f"not said: {part}\n{said}")
    kinds = {one["providerId"] for one in trial.ask("GET", "/identity/components")}
    expect({"ldap", "group-ldap-mapper"} <= kinds, f"components {kinds}")
    found = trial.ask("GET", "/identity/identity-provider/instances/saml")["config"]
    expect(found["validateSignature"] == "true" and found["singleSignOnServiceUrl"] == "https://sso.example.org/saml2/sso", f"{found}")
    mappers = trial.ask("GET", "/identity/identity-provider/instances/saml/mappers")
    groups = json.loads(path.read_text(encoding="utf-8"))["groups"]
    expect({one["config"].get("group") for one in mappers} == {None, *(f"/{name}" for name in groups)}, f"{mappers}")
    # The directory's password cannot be read back, so it is written each time.
    again = trial.realm(path)
    expect(again == "realm: wrote the directory\nrealm: all is as the topology says\n", f"again: {again}")
    said = trial.realm()
    expect("took away the directory" in said and "took away the SAML provider" in said, said)


def authority(trial: Trial) -> None:
    """Makes the authority that Keycloak is told to trust besides the public ones."""
    folder = trial.folder / "authority"
    folder.mkdir()
    run(["openssl", "req", "-x509", *KEY, "-keyout", folder / "ca.key", "-out", folder / "ca.crt", "-days", "2", "-subj", "/CN=own authority"])
    (trial.secrets / "keycloak-authorities").write_text((folder / "ca.crt").read_text(encoding="ascii"), encoding="ascii")


@contextlib.contextmanager
def slapd(trial: Trial, port: int, groups: dict[str, list[str]], host: str = "localhost") -> Iterator[None]:
    """OpenLDAP with a certificate for `host`: Cleo, Dora, Gus who has no address of e-mail, and these members of groups."""
    keys = trial.folder / "authority"
    with tempfile.TemporaryDirectory(prefix="lakewright-slapd-") as temporary:
        folder = Path(temporary)
        (folder / "names").write_text(f"subjectAltName=DNS:{host}\n", encoding="ascii")
        run(["openssl", "req", *KEY, "-keyout", folder / "directory.key", "-out", folder / "csr", "-subj", f"/CN={host}"])
        sign = ["-CA", keys / "ca.crt", "-CAkey", keys / "ca.key", "-days", "2", "-extfile", folder / "names"]
        run(["openssl", "x509", "-req", "-in", folder / "csr", *sign, "-out", folder / "directory.crt"])
        said = [f"dn: {BASE}\nobjectClass: domain\ndc: people"]
        said += [f"dn: ou={name},{BASE}\nobjectClass: organizationalUnit\nou: {name}" for name in ("people", "groups", "services")]
        finder = f"objectClass: person\ncn: finder\nsn: finder\nuserPassword: {trial.secret('keycloak-ldap')}"
        said.append(f"dn: cn=finder,ou=services,{BASE}\n{finder}")
        for name in ("cleo", "dora"):
            # The same person, whenever the directory is made.
            person = f"entryUUID: {uuid.uuid5(uuid.NAMESPACE_DNS, name)}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}"
            person += f"\nsn: Of Test\ngivenName: {name}\nmail: {name}@example.org"
            said.append(f"dn: uid={name},ou=people,{BASE}\n{person}\nuserPassword: correct-{name}-horse")
        said.append(f"dn: uid=gus,ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: gus\ncn: gus\nsn: gus\nuserPassword: correct-gus-horse")
        for group, members in groups.items():
            lines = "".join(f"\nmember: uid={name},ou=people,{BASE}" for name in members)
            said.append(f"dn: cn={group},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {group}{lines}")
        settings = (HERE / "images/slapd/slapd.conf").read_text(encoding="ascii")
        settings = settings.replace(" /ldap/", f" {folder}/").replace("/var/lib/directory", f"{folder}/data")
        (folder / "slapd.conf").write_text(settings, encoding="ascii")
        (folder / "data").mkdir()
        run([trial.tools.path("slapadd"), "-q", "-f", folder / "slapd.conf"], input="\n\n".join(said) + "\n")
        argv = [trial.tools.path("slapd"), "-f", folder / "slapd.conf", "-h", f"ldaps://127.0.0.1:{port}", "-d", "0"]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                limit = time.monotonic() + 30
                while True:
                    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                        break
                    expect(process.poll() is None and time.monotonic() < limit, "the directory does not start")
                    time.sleep(0.1)
                yield
            finally:
                process.terminate()
                process.wait(20)


def enter(trial: Trial, user: str, **options: str) -> list[str] | None:
    """The groups in the token of somebody who logs in, None for nobody."""
    _, to, _, verifier = code(trial, user, **options)
    if "code=" not in to:
        return None
    got = exchanged(trial, to, verifier, trial.secret("keycloak-traces-identity"))
    return sorted(claims(got["access_token"]).get("groups", []))


def directory(trial: Trial) -> None:
    """People of a directory log in with its passwords and in the groups that it says then, as long as it is the right one."""
    port = free_port()
    ldap = {"url": f"ldaps://localhost:{port}", "bind": f"cn=finder,ou=services,{BASE}"}
    path = brokering(trial, ldap=ldap | {name: f"ou={unit},{BASE}" for name, unit in (("users", "people"), ("groups", "groups"))})
    both = ("cleo", "dora")
    with slapd(trial, port, {"lake-engineer": ["cleo"], "others": both}):
        trial.realm(path)
        found = {name: enter(trial, name) for name in (*both, "gus", "ann", "nobody")}
        right = {"cleo": ["lake-engineer", "others"], "dora": ["others"], "gus": [], "ann": ["lake-admin"], "nobody": None}
        expect(found == right, f"{found}")
        expect(enter(trial, "cleo", password="wrong") is None, "a wrong password is taken")
    with slapd(trial, port, {"lake-engineer": ["dora"], "others": both}):
        found = {name: enter(trial, name) for name in both}
        expect(found == {"cleo": ["others"], "dora": ["lake-engineer", "others"]}, f"after groups changed: {found}")
    with slapd(trial, port, {"lake-engineer": ["cleo"]}, host="elsewhere.example.org"):
        expect(enter(trial, "cleo") is None, "a directory with the certificate of another host is believed")
    # There is none: people of Keycloak's own need none.
    found = {name: enter(trial, name) for name in ("ann", "cleo")}
    expect(found == {"ann": ["lake-admin"], "cleo": None}, f"without a directory: {found}")
    trial.realm()


def another_realm(trial: Trial) -> dict[str, str]:
    """A provider of SAML: another realm, with a client for the first. Says what a topology has to."""
    signs = next(key["certificate"] for key in trial.ask("GET", "/identity/keys")["keys"] if key["algorithm"] == "RS256")
    trial.ask("POST", "", {"realm": "company", "enabled": True, "sslRequired": "none", "attributes": {"frontendUrl": COMPANY}})
    here = "http://keycloak.localhost:8080/realms/identity"
    mappers = [{"name": "groups", "protocol": "saml", "protocolMapper": "saml-group-membership-mapper",
                "config": {"attribute.name": "groups", "single": "true", "full.path": "false"}}]  # fmt: skip
    for ours, attribute in (("email", "mail"), ("firstName", "givenName"), ("lastName", "sn")):
        config = {"user.attribute": ours, "attribute.name": attribute, "attribute.nameformat": "Basic"}
        mappers.append({"name": ours, "protocol": "saml", "protocolMapper": "saml-user-property-mapper", "config": config})
    signed = {"saml.assertion.signature": "true", "saml.client.signature": "true", "saml.signing.certificate": signs}
    client = {"clientId": here, "protocol": "saml", "redirectUris": [f"{here}/broker/saml/endpoint"], "defaultClientScopes": []}
    attributes = {**signed, "saml_name_id_format": "username"}
    trial.ask("POST", "/company/clients", {**client, "attributes": attributes, "protocolMappers": mappers})
    for name in ("lake-viewer", "lake-analyst"):
        trial.ask("POST", "/company/groups", {"name": name})
    certificate = next(key["certificate"] for key in trial.ask("GET", "/company/keys")["keys"] if key["algorithm"] == "RS256")
    return {"url": f"{COMPANY}/realms/company/protocol/saml", "entity_id": f"{COMPANY}/realms/company", "certificate": certificate}


def enter_by_saml(trial: Trial, user: str, answers: dict[str, str] | None = None) -> dict | str:
    """The claims of somebody who comes by the provider's button, and answers a page that asks for more; else the page."""
    browser = trial.browser(company=trial.http)
    verifier, url = asking(kc_idp_hint="saml")
    status, to, text = browser.open(url, BACK)
    for _ in range(6):
        if to.startswith(BACK):
            return claims(exchanged(trial, to, verifier, trial.secret("keycloak-traces-identity"))["access_token"])
        form = re.search(r'<form[^>]*?id="kc-[^>]*action="([^"]+)"|<form[^>]*?action="([^"]+)"', text)
        if form is None:
            return text
        hidden = dict(re.findall(r'<input type="hidden" name="(SAML[A-Za-z]+|RelayState)" value="([^"]*)"', text, re.IGNORECASE))
        fields = {name: html.unescape(value) for name, value in hidden.items()}
        if "kc-form-login" in text:
            fields = {"username": user, "password": f"correct-{user}-horse"}
        elif not fields:
            if answers is None:
                return text
            fields, answers = answers, None
        status, to, text = browser.once(html.unescape(form[1] or form[2]), fields)
        if to is not None and not to.startswith(BACK):
            status, to, text = browser.open(to, BACK)
        to = to or ""
    raise Failure(f"no end: {status} {to} {text[:300]}")


def saml(trial: Trial) -> None:
    """People of a SAML provider log in and are in the groups that it says then, under the name that it says."""
    settings = another_realm(trial)
    trial.realm(brokering(trial, saml=settings))
    trial.person("company", "eve", ["/lake-viewer"])
    told = enter_by_saml(trial, "eve")
    shown = {"preferred_username": "eve", "email": "eve@example.org", "given_name": "eve", "family_name": "eve", "groups": ["lake-viewer"]}
    expect(isinstance(told, dict) and shown.items() <= told.items(), f"the first login: {str(told)[:900]}")
    user = trial.ask("GET", "/company/users?username=eve")[0]["id"]
    for name, method in (("lake-viewer", "DELETE"), ("lake-analyst", "PUT")):
        group = next(one["id"] for one in trial.ask("GET", "/company/groups") if one["name"] == name)
        trial.ask(method, f"/company/users/{user}/groups/{group}")
    told = enter_by_saml(trial, "eve")
    expect(isinstance(told, dict) and told["groups"] == ["lake-analyst"], f"after groups changed: {str(told)[:900]}")
    # The provider says no address: who is asked for it gets no other name on the way.
    trial.realm(brokering(trial, saml={**settings, "email": "absent"}))
    trial.person("company", "fay", [])
    page = enter_by_saml(trial, "fay")
    expect(isinstance(page, str) and 'name="email"' in page and 'name="username"' not in page, f"what is missing is asked for: {str(page)[:900]}")
    missing = {"email": "fay@example.org", "firstName": "fay", "lastName": "fay"}
    told = enter_by_saml(trial, "fay", {**missing, "username": "root"})
    expect(isinstance(told, str) or told["preferred_username"] == "fay", f"with another name: {str(told)[:900]}")
    told = enter_by_saml(trial, "fay", missing)
    expect(isinstance(told, dict) and told["preferred_username"] == "fay" and "groups" not in told, f"in no group: {str(told)[:900]}")
    # Somebody else signs.
    other = next(key["certificate"] for key in trial.ask("GET", "/master/keys")["keys"] if key["algorithm"] == "RS256")
    trial.realm(brokering(trial, saml={**settings, "certificate": other}))
    told = enter_by_saml(trial, "eve")
    expect(isinstance(told, str) and "login-error" in told, f"an answer that the provider did not sign is believed: {str(told)[:900]}")
    trial.realm()


def measured(trial: Trial) -> None:
    """What metrics.toml declares is there, after logins that succeed and fail."""
    _, to, text, _ = code(trial, "ann", password="wrong")
    expect("code=" not in to and "kc-form-login" in text, f"a wrong password is taken: {to}")
    text = get(trial.management, "/metrics")
    there = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}
    absent = declared(ROOT / "blueprints/keycloak", "default") - there
    expect(not absent, f"declared and not there: {sorted(absent)}")
    expect(re.search(r'^keycloak_user_events_total\{.*error="[a-z_]+".*event="login".*\} [1-9]', text, re.MULTILINE), "no failed login is counted")


def told(trial: Trial) -> None:
    """Who logs in and who fails to is in the log, as lines of JSON."""
    lines = [json.loads(line) for line in (trial.folder / "keycloak.log").read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    events = [line["message"] for line in lines if line["loggerName"] == "org.keycloak.events"]
    expect(any('type="LOGIN"' in line and 'username="ann"' in line for line in events), f"no login in {events[:3]}")
    expect(any('type="LOGIN_ERROR"' in line for line in events), "no failed login")


# --- oauth2-proxy ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def page() -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A page that knows no people, and what it was asked with."""
    asked: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(dict(self.headers))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"the page")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield listening.server_port, asked
        finally:
            listening.shutdown()


@contextlib.contextmanager
def proxy(trial: Trial, upstream: int) -> Iterator[tuple[int, int]]:
    """oauth2-proxy as the bundle starts it, with sessions in cookies; its port and that of its metrics."""
    program = trial.tools.path("oauth2-proxy")
    web, metrics = free_port(), free_port()
    environment = trial.environment("traces")
    environment = {name: value for name, value in environment.items() if "REDIS" not in name}
    environment |= {"PATH": os.environ["PATH"], "OAUTH2_PROXY_SESSION_STORE_TYPE": "cookie"}
    environment["OAUTH2_PROXY_HTTP_ADDRESS"] = f"127.0.0.1:{web}"
    environment["OAUTH2_PROXY_METRICS_ADDRESS"] = f"127.0.0.1:{metrics}"
    expect(environment["OAUTH2_PROXY_UPSTREAMS"] == "http://jaeger:16686/", environment["OAUTH2_PROXY_UPSTREAMS"])
    environment["OAUTH2_PROXY_UPSTREAMS"] = f"http://127.0.0.1:{upstream}/"
    entry = trial.folder / "proxy.sh"
    text = trial.here((trial.dev / "traces/entry.sh").read_text(encoding="utf-8"))
    entry.write_text(text.replace("/bin/oauth2-proxy", str(program)), encoding="utf-8")
    log = trial.folder / "proxy.log"
    with log.open("wb") as output, subprocess.Popen(["sh", entry], env=environment, stdout=output, stderr=output) as process:
        try:
            limit = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError):
                    get(web, "/ready")
                    break
                expect(process.poll() is None and time.monotonic() < limit, f"it does not start: {log.read_text(encoding='utf-8')[-1500:]}")
                time.sleep(0.2)
            yield web, metrics
        finally:
            process.terminate()
            process.wait(20)


def guarded(trial: Trial) -> None:
    """Who is in a group sees the page, who is in none is refused, who is not logged in is sent to do so."""
    with page() as (upstream, asked), proxy(trial, upstream) as (web, metrics):
        url = "http://traces.localhost:8080/search?service=x"
        login = "http://keycloak.localhost:8080/realms/identity/protocol/openid-connect/auth"
        status, to, _ = trial.browser(traces=web).once(url)
        expect(status == 302 and to.startswith(login), f"nobody: {status} {to}")
        forged = {"X-Forwarded-User": "ann", "X-Forwarded-Groups": "lake-admin", "Authorization": "Bearer x", "Cookie": "_oauth2_proxy=x"}
        status, to, _ = trial.browser(traces=web).once(url, headers=forged)
        expect(status == 302 and to.startswith(login), f"with forged headers: {status} {to}")
        expect(not asked, "the page was asked for somebody unknown")
        ann = trial.browser(traces=web)
        status, to, text = ann.login(url, "ann", "correct-ann-horse")
        expect((status, to, text) == (200, url, "the page"), f"ann: {status} {to} {text[:300]}")
        expect(ann.once(url)[0] == 200, "the session does not hold")
        expect(asked[-1].get("X-Forwarded-User") and asked[-1]["Host"] == f"127.0.0.1:{upstream}", f"asked with {asked[-1]}")
        seen = len(asked)
        bob = trial.browser(traces=web)
        status, _, text = bob.login(url, "bob", "correct-bob-horse")
        expect(status == 403 and "the page" not in text, f"bob: {status} {text[:300]}")
        status, to, text = bob.once(url)
        expect(status in (302, 403) and "the page" not in text, f"bob again: {status} {to}")
        expect(len(asked) == seen, "the page was asked for somebody in no group")
        there = exposed(get(metrics, "/metrics"), "oauth2_proxy_")
        absent = {name for name in declared(ROOT / "blueprints/oauth2-proxy", "default") if name.startswith("oauth2_proxy_")} - there
        expect(not absent, f"declared and not there: {sorted(absent)}, there {sorted(there)}")


def test_identity(report: Report, tools: Toolbox, compiler: Callable[..., None]) -> None:
    parts = {"keycloak": (tokens, corrected, brokered, directory, saml, measured, told), "oauth2-proxy": (guarded,)}
    tests = [(f"identity/{name}-{test.__name__}", test) for name, all in parts.items() for test in all]
    wanted = [(name, test) for name, test in tests if report.wants(name)]
    if not wanted:
        return
    with contextlib.ExitStack() as stack:
        made: list[Trial] = []

        def start() -> None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lakewright-identity-")))
            trial = Trial(tools, compiler, folder)
            tools.need("oauth2-proxy", "mvn", "java")
            ask = stack.enter_context(postgresql(tools, trial.database))
            ask("postgres", "postgres", text="CREATE ROLE keycloak LOGIN")
            ask("postgres", "postgres", text="CREATE DATABASE keycloak OWNER keycloak")
            authority(trial)
            stack.enter_context(server(trial))
            said = trial.realm()
            expect("made the realm identity" in said and "made the client traces-identity" in said, said)
            trial.people()
            made.append(trial)

        if report.test("identity/start", start, always=True):
            for name, test in wanted:
                report.test(name, lambda test=test: test(made[0]))
