"""People of a directory log in to the applications of a bundle: a real OpenLDAP with TLS, and the bundle's own configuration."""

import json
import os
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from engine import Engine
from images import Image, Images
from live import Stack
from report import Failure, Report, expect
from toolbox import Toolbox, run

ROOT = Path(__file__).resolve().parents[2]

WANTED = ("lakewright-prepare", "postgresql", "valkey", "superset-init", "superset-web")
DIRECTORY = "ldap.people.example.org"
BASE = "dc=people,dc=example,dc=org"
BINDING = "finder's pass phrase"

# Who is in which groups, and what that makes them in Superset. Everybody has "Public", which has no permissions.
PEOPLE = {
    "ada": (["lake-admins"], {"Admin"}),
    "edgar": (["engineers"], {"Alpha", "sql_lab"}),
    "anna": (["analysts"], {"Gamma", "sql_lab", "lake_datasets"}),
    "vera": (["viewers"], {"DashboardViewer"}),
    # Two roles by two groups, and two by one whose name has a comma.
    "both": (["engineers", "viewers"], {"Alpha", "sql_lab", "DashboardViewer"}),
    "lea": ([r"leads\, of data"], {"Gamma", "sql_lab", "lake_datasets", "DashboardViewer"}),
    # An account without any name.
    "plain": (["viewers"], {"DashboardViewer"}),
    "nobody": (["visitors"], set()),
    "alone": ([], set()),
    # Of the name of Superset's own administrator.
    "admin": (["lake-admins"], None),
}

# Logs in through the form of a page, as a browser does; says who the session is of then. Words: ADDRESS PATH NAME PASSWORD.
LOGIN = r"""
import html, http.cookiejar, json, re, sys, urllib.error, urllib.parse, urllib.request
address, path, name, password = sys.argv[1:]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
page = browser.open(address + path, timeout=60).read().decode()
token = re.search(r'name="csrf_token"[^>]*?value="([^"]+)"', page, re.DOTALL)[1]
form = urllib.parse.urlencode({"csrf_token": token, "username": name, "password": password}).encode()
try:
    browser.open(urllib.request.Request(address + path, form, {"Referer": address + path}), timeout=60).read()
except urllib.error.HTTPError as error:
    if error.code == 429 or error.code >= 500:
        raise
# Pages tell browsers who is there, also who may ask for nothing.
page = browser.open(address + "/superset/welcome/", timeout=60).read().decode()
data = html.unescape(re.search(r'data-bootstrap="([^"]*)"', page)[1])
print(json.loads(data)["user"].get("username", ""))
"""


def password(name: str) -> str:
    return f"pass phrase of {name}"


def groups_of(environment: str) -> dict[str, str]:
    """What an environment of the topology calls its groups, by its names for them."""
    topology = tomllib.loads((ROOT / "tests/topologies/people.toml").read_text(encoding="utf-8"))
    return topology["environments"][environment]["identity"]["groups"]


def ldif() -> str:
    """What the directory holds."""
    said = [f"dn: {BASE}\nobjectClass: domain\ndc: people"]
    said += [f"dn: ou={name},{BASE}\nobjectClass: organizationalUnit\nou: {name}" for name in ("people", "groups", "services")]
    said.append(f"dn: cn=finder,ou=services,{BASE}\nobjectClass: person\ncn: finder\nsn: finder\nuserPassword: {BINDING}")
    # It could be bound as, and the filter leaves it out.
    robot = f"uid: robot\ndescription: robot\nuserPassword: {password('robot')}"
    said.append(f"dn: uid=robot,ou=people,{BASE}\nobjectClass: account\nobjectClass: simpleSecurityObject\n{robot}")
    groups: dict[str, list[str]] = {}
    for name, (member_of, _) in PEOPLE.items():
        person = f"inetOrgPerson\ncn: {name}\nsn: Of Test\ngivenName: {name}\nmail: {name}@mail.example.org"
        kind = "account\nobjectClass: simpleSecurityObject" if name == "plain" else person
        said.append(f"dn: uid={name},ou=people,{BASE}\nobjectClass: {kind}\nuid: {name}\nuserPassword: {password(name)}")
        for group in member_of:
            groups.setdefault(group, []).append(name)
    for group, members in groups.items():
        lines = "".join(f"\nmember: uid={name},ou=people,{BASE}" for name in members)
        said.append(f"dn: cn={group},ou=groups,{BASE}\nobjectClass: groupOfNames{lines}")
    return "\n\n".join(said) + "\n"


class People(Stack):
    """Superset of a bundle and what it needs, beside a directory of the tests' own."""

    @property
    def services(self) -> dict[str, dict]:
        return {name: service for name, service in self.everything.items() if name.startswith(WANTED) and "exporter" not in name}

    def certificates(self, name: str, host: str = DIRECTORY) -> Path:
        """A folder with an authority, and the certificate of a host by it."""
        folder = self.folder.parent / name
        folder.mkdir()
        folder.chmod(0o755)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        run(["openssl", "req", "-x509", *key, "-keyout", folder / "ca.key", "-out", folder / "ca.crt", "-days", "2", "-subj", f"/CN={name}"])
        run(["openssl", "req", *key, "-keyout", folder / "directory.key", "-out", folder / "directory.csr", "-subj", f"/CN={host}"])
        (folder / "names").write_text(f"subjectAltName=DNS:{host}\n", encoding="utf-8")
        run(
            ["openssl", "x509", "-req", "-in", folder / "directory.csr", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-days", "2",
             "-extfile", folder / "names", "-out", folder / "directory.crt"],
        )  # fmt: skip
        (folder / "people.ldif").write_text(ldif(), encoding="utf-8")
        for path in folder.iterdir():
            path.chmod(0o644)
        return folder

    def prepare(self) -> None:
        self.right, self.other = self.certificates("right"), self.certificates("other")
        secrets = self.folder / "secrets"
        secrets.mkdir(mode=0o700, exist_ok=True)
        for name, text in (("identity-bind", BINDING + "\n"), ("identity-authority", (self.right / "ca.crt").read_text(encoding="utf-8"))):
            (secrets / name).write_text(text, encoding="utf-8")
            (secrets / name).chmod(0o600)
        self.make_secrets()
        self.build_images()
        self.load_images()

    def start(self) -> None:
        self.started = True
        result = self.compose("up", "--detach", "--no-build", "superset-web", check=False, merge=True, timeout=600)
        expect(result.returncode == 0, f"{result.stdout[-2000:]}\n{self.troubles()}")
        self.directory(self.right)
        self.all_well()

    # --- the directory ---

    def directory(self, certificates: Path | None) -> None:
        """Starts it with a certificate, or ends it."""
        self.engine.docker("rm", "--force", "--volumes", "directory", check=False)
        if certificates is None:
            return
        archive = self.images.archive(Image(""), "slapd")
        self.images.load(self.engine, archive)
        network = f"{self.project['name']}_superset-egress"
        self.engine.docker(
            "run", "--detach", "--name=directory", f"--network={network}", f"--network-alias={DIRECTORY}",
            f"--volume={certificates}:/ldap:ro", Images.name(archive),
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while self.engine.docker("exec", "directory", "test", "-e", "/tmp/filled", check=False).returncode != 0:
            expect(time.monotonic() < deadline, "the directory: " + self.engine.docker("logs", "directory", merge=True).stdout)
            time.sleep(0.5)

    def modify(self, text: str) -> None:
        words = ["ldapmodify", "-x", "-H", "ldapi://%2Ftmp%2Fldapi", "-D", f"cn=root,{BASE}", "-w", "root"]
        self.engine.docker("exec", "--interactive", "directory", *words, input=text, merge=True)

    # --- logging in ---

    def login(self, name: str, word: str, path: str = "/login/") -> str:
        """Whose session it is after somebody logged in; nobody's is empty."""
        time.sleep(0.3)  # five logins a second are allowed
        return self.browse(LOGIN, self.address(), path, name, word)

    def browse(self, program: str, *words: str | Path) -> str:
        """What a browser of the tests' own says."""
        result = self.engine.inside(sys.executable, "-c", program, *words, check=False, merge=True, timeout=200)
        if result.returncode != 0:
            logs = self.compose("logs", "--no-color", "--no-log-prefix", "--tail=15", "superset-web", check=False, merge=True).stdout
            raise Failure(f"{result.stdout[-600:]}\n{logs[-4000:]}")
        return result.stdout.strip()

    def address(self) -> str:
        networks = self.containers()["superset-web"]["NetworkSettings"]["Networks"]
        address = next(network["IPAddress"] for label, network in networks.items() if label.endswith("superset-egress"))
        return f"http://{address}:8088"

    def roles(self, name: str) -> set[str] | None:
        """What somebody is in Superset, who was there."""
        query = (
            "select u.id, r.name from ab_user u left join ab_user_role on user_id = u.id left join ab_role r on r.id = role_id "
            f"where username = '{name}'"
        )
        lines = [line.split("|")[1] for line in self.sql("postgresql", query, database="superset").splitlines()]
        return {line for line in lines if line} if lines else None

    # --- what must hold ---

    def roles_follow_groups(self) -> None:
        """Each role is exactly what it should be, and who is in no group of the platform has none."""
        said = []
        for name, (_, wanted) in PEOPLE.items():
            if wanted is None:
                continue
            who = self.login(name, password(name))
            found = self.roles(name)
            if who != name or found != wanted | {"Public"}:
                said.append(f"{name}: logged in as {who or 'nobody'}, is {found}, and should be {wanted}")
        expect(not said, "\n".join(said))
        query = "select count(*) from ab_permission_view_role join ab_role r on r.id = role_id where r.name = 'Public'"
        public = self.sql("postgresql", query, database="superset")
        expect(public == "0", f"who has no role has {public} permissions")

    def refuses(self) -> None:
        """Wrong passwords, unknown names, whom the filter leaves out; and nobody of the directory is the administrator."""
        before = self.roles("admin")
        tries = [("anna", "wrong"), ("anna", password("vera")), ("unknown", "x"), ("*", password("ada"))]
        tries += [("robot", password("robot")), ("finder", BINDING)]
        tries += [(name, password("admin")) for name in ("admin", "ADMIN", " admin", "admin ", "admin@people.example.org")]
        entered = [name for name, word in tries if self.login(name, word)]
        expect(not entered, f"let in: {entered}")
        expect(before == {"Admin"} == self.roles("admin"), f"the administrator was {before}, and is {self.roles('admin')}")

    def group_change(self) -> None:
        """At the next login, who moved to another group is something else, and who left them all is nothing."""

        def group(name: str, action: str, who: str = "anna") -> str:
            return f"dn: cn={name},ou=groups,{BASE}\nchangetype: modify\n{action}: member\nmember: uid={who},ou=people,{BASE}\n\n"

        analyst, viewer = PEOPLE["anna"][1] | {"Public"}, PEOPLE["vera"][1] | {"Public"}
        self.login("anna", password("anna"))
        expect(self.roles("anna") == analyst, f"before: {self.roles('anna')}")
        # A group of names has at least one.
        self.modify(group("analysts", "add", "alone"))
        self.modify(group("analysts", "delete") + group("viewers", "add"))
        expect(self.login("anna", password("anna")) == "anna" and self.roles("anna") == viewer, f"moved: {self.roles('anna')}")
        self.modify(group("viewers", "delete"))
        expect(self.login("anna", password("anna")) == "anna" and self.roles("anna") == {"Public"}, f"left: {self.roles('anna')}")
        self.login("plain", password("plain"))
        expect(self.roles("plain") == viewer, f"before: {self.roles('plain')}")
        self.modify(group("viewers", "delete", "plain"))
        expect(self.login("plain", password("plain")) == "plain" and self.roles("plain") == {"Public"}, f"left: {self.roles('plain')}")

    def other_authority(self) -> None:
        """A directory whose certificate is of another authority is not told a password."""
        self.directory(self.other)
        expect(not self.login("vera", password("vera")), "a directory of another authority is believed")
        self.directory(self.right)
        expect(self.login("vera", password("vera")) == "vera", "the right directory is not believed any more")

    def break_glass(self) -> None:
        """Without a directory the administrator gets in, with the password of the secret only, and nobody else does."""
        own = self.secret_values()["superset-admin"]
        expect(self.login("admin", own) == "admin", "the administrator does not get in beside the directory")
        self.directory(None)
        expect(self.login("admin", own) == "admin", "the administrator does not get in without the directory")
        expect(not self.login("admin", "wrong"), "the administrator gets in with any password")
        expect(not self.login("vera", password("vera")), "somebody gets in without the directory")
        expect(self.roles("admin") == {"Admin"}, f"the administrator is {self.roles('admin')}")

    def ends(self) -> None:
        self.directory(None)
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout=20", merge=True, check=False)


# --- a provider of OpenID Connect -----------------------------------------------------------------------------------------

# A small provider in the image of Superset, which has what signs tokens. It believes who says to be somebody, and checks what a
# client must do right: its secret, the challenge, the redirect URI. Words: certificate, key, what people have in JSON.
PROVIDER = r"""
import base64, hashlib, http.server, json, os, ssl, sys, time, urllib.parse
from joserfc import jwt
from joserfc.jwk import RSAKey

certificate, key, people, secret = sys.argv[1:]
people, signing, codes, tokens = json.loads(people), RSAKey.generate_key(2048, {"kid": "1"}), {}, {}
ISSUER = "https://id.people.example.org/realms/lake"

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self):
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        if path.endswith("/openid-configuration"):
            ends = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("authorization", "token", "userinfo")}
            algorithms = {"id_token_signing_alg_values_supported": ["RS256"]}
            self.answer({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", **ends, **algorithms})
        elif path.endswith("/keys"):
            self.answer({"keys": [signing.as_dict(private=False)]})
        elif path.endswith("/authorization"):
            right = asked["redirect_uri"].endswith("/oauth-authorized/sso") and asked["code_challenge_method"] == "S256"
            if not right or asked["client_id"] != "superset":
                return self.answer(asked, 400)
            code = base64.urlsafe_b64encode(os.urandom(9)).decode()
            codes[code] = asked
            back = urllib.parse.urlencode({"code": code, "state": asked["state"]})
            self.answer({}, 302, [("Location", asked["redirect_uri"] + "?" + back)])
        elif path.endswith("/userinfo"):
            name = tokens[self.headers["Authorization"].split()[1]]
            # Groups are told here only.
            self.answer({"sub": "id of " + name, "preferred_username": name, "email": name + "@mail.example.org", "teams": people[name]})

    def do_POST(self):
        said = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        asked = codes.pop(said["code"])
        digest = hashlib.sha256(said["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        given = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
        if challenge != asked["code_challenge"] or given != "superset:" + secret:
            return self.answer({"error": "invalid_grant"}, 400)
        name, now = asked["user"], int(time.time())
        claims = {"iss": ISSUER, "aud": "superset", "sub": "id of " + name, "nonce": asked["nonce"], "iat": now, "exp": now + 60}
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, signing)
        access = hashlib.sha256(name.encode()).hexdigest()
        tokens[access] = name
        self.answer({"access_token": access, "token_type": "Bearer", "id_token": token}, headers=[("Content-Type", "application/json")])

    def log_message(self, *words):
        print(*words, file=sys.stderr, flush=True)

server = http.server.ThreadingHTTPServer(("", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""

# Goes through the provider as a browser does, and says whose session it is then. Words: ADDRESS AUTHORITY ADDRESS-OF-PROVIDER NAME.
THROUGH = r"""
import html, http.cookiejar, json, re, socket, ssl, sys, urllib.parse, urllib.request
address, authority, provider, name = sys.argv[1:]
known = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: known(provider if host == "id.people.example.org" else host, *rest, **more)

class Here(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, file, code, message, headers, to):
        if "/authorization?" in to:
            to += "&" + urllib.parse.urlencode({"user": name})
        return super().redirect_request(request, file, code, message, headers, to)

browser = urllib.request.build_opener(
    Here(), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
browser.open(address + "/login/sso", timeout=60).read()
page = browser.open(address + "/superset/welcome/", timeout=60).read().decode()
data = html.unescape(re.search(r'data-bootstrap="([^"]*)"', page)[1])
print(json.loads(data)["user"].get("username", ""))
"""

SECRET = "the client's secret"


class Provided(People):
    """Superset of a bundle beside a provider of the tests' own."""

    def prepare(self) -> None:
        self.right, self.other = self.certificates("right", "id.people.example.org"), None
        secrets = self.folder / "secrets"
        secrets.mkdir(mode=0o700, exist_ok=True)
        for name in ("superset-oidc-secret", "grafana-oidc-secret"):
            (secrets / name).write_text(SECRET + "\n", encoding="utf-8")
            (secrets / name).chmod(0o600)
        self.make_secrets()
        self.build_images()
        self.load_images()
        # The authority is the tests' own, and a bundle trusts those of its image.
        path = self.folder / "override.stand-in.yaml"
        more = {"environment": {"REQUESTS_CA_BUNDLE": "/authority.crt"}, "volumes": [f"{self.right}/ca.crt:/authority.crt:ro"]}
        change = '"superset-web": {' + json.dumps(more)[1:-1] + ","
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"superset-web": {', change, 1), encoding="utf-8")

    def directory(self, certificates: Path | None) -> None:
        """Starts the provider with a certificate, or ends it."""
        self.engine.docker("rm", "--force", "--volumes", "provider", check=False)
        if certificates is None:
            return
        named = groups_of("provider")
        called = {"lake-admins": "admins", r"leads\, of data": "leads"}
        people = {name: [named.get(called.get(group, group), group) for group in groups] for name, (groups, _) in PEOPLE.items()}
        self.engine.docker(
            "run", "--detach", "--name=provider", f"--network={self.project['name']}_superset-egress", "--network-alias=id.people.example.org",
            "--user=0", f"--volume={certificates}:/given:ro", "--entrypoint=python", "lakewright-stand-in/superset-web:1",
            "-c", PROVIDER, "/given/directory.crt", "/given/directory.key", json.dumps(people), SECRET,
        )  # fmt: skip

    def through(self, name: str) -> str:
        """Whose session it is after somebody came through the provider; nobody's is empty."""
        [told] = json.loads(self.engine.docker("inspect", "provider").stdout)
        [network] = told["NetworkSettings"]["Networks"].values()
        words = [self.address(), self.right / "ca.crt", network["IPAddress"], name]
        return self.browse(THROUGH, *words)

    def roles_follow_claims(self) -> None:
        """Each role is exactly what it should be, whatever characters groups have; nobody is the administrator."""
        said = []
        for name, (_, wanted) in PEOPLE.items():
            who, found = self.through(name), self.roles(name)
            right = (who, found) == (name, wanted | {"Public"}) if wanted is not None else (who, found) == ("", {"Admin"})
            if not right:
                said.append(f"{name}: logged in as {who or 'nobody'}, is {found}, and should be {wanted}")
        expect(not said, "\n".join(said) + "\n" + self.engine.docker("logs", "provider", merge=True).stdout[-1500:])

    def local_page(self) -> None:
        """Without a provider the administrator gets in on a page of its own, with the password of the secret only."""
        own = self.secret_values()["superset-admin"]
        self.directory(None)
        expect(self.login("admin", own, "/local-login/") == "admin", "the administrator does not get in")
        expect(not self.login("admin", "wrong", "/local-login/"), "the administrator gets in with any password")
        # The name is not asked for: whatever is sent, nobody but the administrator gets in.
        expect(not self.login("vera", password("vera"), "/local-login/"), "somebody else gets in")


PROVIDED = {"provider-roles": Provided.roles_follow_claims, "provider-break-glass": Provided.local_page}


# --- Grafana, whose server is in no package registry: its settings, read with the libraries that it reads them with ---


# Who is what in Grafana, by the groups of PEOPLE.
IN_GRAFANA = {"ada": "Admin", "edgar": "Editor", "both": "Editor", "nobody": None, "alone": None}
IN_GRAFANA |= dict.fromkeys(("anna", "vera", "plain", "lea"), "Viewer")


class Settings:
    """Grafana's settings in the bundles of the topology."""

    def __init__(self, tools: Toolbox, built: Path):
        self.program = tools.path("grafana-settings")
        self.built = built
        self.named = groups_of("provider")

    def ask(self, *words: str | Path, **options):
        return json.loads(run([self.program, *words], **options).stdout)

    def ldap(self) -> dict:
        """What Grafana knows of the directory, with a password that would end most quotes."""
        with tempfile.TemporaryDirectory(prefix="lakewright-grafana-") as root:
            secrets = Path(root) / "run/secrets"
            secrets.mkdir(parents=True)
            (secrets / "identity-bind").write_text("it's \"odd\" \\ ''\n", encoding="utf-8")
            [server] = self.ask("ldap", self.built / "dev/grafana/ldap.toml", env={**os.environ, "ROOT": root})["Servers"]
        return server

    def directory(self) -> None:
        """Groups of the directory give the right role, the certificate is verified, and the administrator's name is nobody's there."""
        server = self.ldap()
        held = {"Host": DIRECTORY, "Port": 636, "UseSSL": True, "SkipVerifySSL": False, "RootCACert": "/run/secrets/identity-authority"}
        held |= {"BindPassword": "it's \"odd\" \\ ''", "BindDN": f"cn=finder,ou=services,{BASE}", "SearchBaseDNs": [f"ou=people,{BASE}"]}
        held["SearchFilter"] = "(&(!(description=robot))(uid=%s)(!(uid=admin)))"
        wrong = {key: server[key] for key, value in held.items() if server[key] != value}
        expect(not wrong, f"wrong: {wrong}")
        for name, wanted in IN_GRAFANA.items():
            groups = {f"cn={group},ou=groups,{BASE}".lower() for group in PEOPLE[name][0]}
            found = next((one["OrgRole"] for one in server["Groups"] if one["GroupDN"].lower() in groups), None)
            expect(found == wanted, f"{name} is {found}, and should be {wanted}")
        expect(not any(one["GrafanaAdmin"] for one in server["Groups"]), "a group gets the server")
        on = self.ask("ini", self.built / "dev/grafana/grafana.ini", "auth.ldap", "enabled")
        expect(on == "true", f"LDAP is enabled: {on}")

    def role(self, path: str, claims: dict) -> str | None:
        return self.ask("role", path, input=json.dumps(claims))

    def provider(self) -> None:
        """Groups of a claim give the right role, whatever characters they have; what is no list of groups gives none."""
        ini = self.built / "provider/grafana/grafana.ini"
        get = lambda key: self.ask("ini", ini, "auth.generic_oauth", key, env={**os.environ, "ROOT": "/nowhere"})  # noqa: E731
        path = get("role_attribute_path")
        # The groups of PEOPLE, as the provider calls them.
        named = {"lake-admins": "admins", r"leads\, of data": "leads"}
        for name, wanted in IN_GRAFANA.items():
            groups = [self.named.get(named.get(group, group), group) for group in PEOPLE[name][0]]
            found = self.role(path, {"teams": groups, "groups": ["Lake Admins"]})
            expect(found == wanted, f"{name} of {groups} is {found}, and should be {wanted}")
        admins = self.named["admins"]
        for claims in ({}, {"teams": admins}, {"teams": None}, {"teams": [admins + "x"]}, {"teams": {admins: admins}}, {"groups": [admins]}):
            expect(self.role(path, claims) is None, f"{claims} give {self.role(path, claims)}")
        held = {"role_attribute_strict": "true", "use_pkce": "true", "allow_assign_grafana_admin": "false", "client_id": "grafana"}
        for key, value in held.items():
            expect(get(key) == value, f"{key} is {get(key)}")
        for name, value in (("auth_url", "auth"), ("token_url", "token"), ("api_url", "userinfo")):
            expect(get(name) == f"https://id.people.example.org/realms/lake/protocol/openid-connect/{value}", f"{name} is {get(name)}")
        form = self.ask("ini", ini, "auth", "disable_login_form")
        expect(form == "false", f"the administrator has no form: {form}")

    def notices(self) -> None:
        """These tests see who got another role."""
        for name, change, test in (
            ("dev/grafana/ldap.toml", ('"Editor"', '"Admin"'), self.directory),
            ("dev/grafana/ldap.toml", ("(!(uid=admin))", ""), self.directory),
            ("provider/grafana/grafana.ini", ("[*]", ""), self.provider),
            ("provider/grafana/grafana.ini", ("'Editor'", "'Admin'"), self.provider),
        ):
            path = self.built / name
            text = path.read_text(encoding="utf-8")
            expect(change[0] in text, f"{name} has no {change[0]}")
            path.write_text(text.replace(*change), encoding="utf-8")
            try:
                test()
            except Failure:
                continue
            finally:
                path.write_text(text, encoding="utf-8")
            raise Failure(f"{change} in {name} is not noticed")


SETTINGS = {"grafana-ldap": Settings.directory, "grafana-oidc": Settings.provider, "grafana-refuses": Settings.notices}


def test_settings(report: Report, tools: Toolbox, compiler: Callable) -> None:
    """What Grafana's settings make of people."""
    if not any(report.wants(f"identity/{name}") for name in SETTINGS):
        return
    with tempfile.TemporaryDirectory(prefix="lakewright-people-") as temporary:
        found: list[Settings] = []

        def prepare() -> None:
            compiler("build", ROOT / "tests/topologies/people.toml", "-o", temporary)
            found.append(Settings(tools, Path(temporary)))

        if report.test("identity/grafana-settings", prepare, always=True):
            for name, test in SETTINGS.items():
                report.test(f"identity/{name}", lambda test=test: test(found[0]))


# The last one leaves no directory behind.
TESTS = {
    "roles": People.roles_follow_groups,
    "refuses": People.refuses,
    "group-change": People.group_change,
    "other-authority": People.other_authority,
    "break-glass": People.break_glass,
}


def wanted(report: Report) -> bool:
    return any(report.wants(f"identity/superset-{name}") for name in (*TESTS, *PROVIDED))


def test_people(report: Report, tools: Toolbox, engine: Engine, images: Images, compiler: Callable) -> None:
    """People of a directory, and of a provider, in the applications of bundles that run."""
    for environment, kind, tests in (("dev", People, TESTS), ("provider", Provided, PROVIDED)):
        # Those of a provider only where they are asked for: each takes minutes.
        if (report.only or environment == "dev") and any(report.wants(f"identity/superset-{name}") for name in tests):
            test_environment(report, tools, engine, images, compiler, environment, kind, tests)


def test_environment(
    report: Report, tools: Toolbox, engine: Engine, images: Images, compiler: Callable, environment: str, kind: type[People], tests: dict
) -> None:
    with tempfile.TemporaryDirectory(prefix="lakewright-people-") as temporary:
        folder = Path(temporary)
        os.chmod(folder, 0o755)
        found: list[People] = []

        def prepare() -> None:
            tools.need("openssl")
            compiler("build", ROOT / "tests/topologies/people.toml", "-e", environment, "-o", folder / "built")
            found.append(kind(folder / "built" / environment, folder / "people", tools, engine, images, compiler))
            found[0].prepare()

        if not report.test(f"identity/superset-{environment}-stand-ins", prepare, always=True):
            return
        try:
            if report.test(f"identity/superset-{environment}-start", found[0].start, always=True):
                for name, test in tests.items():
                    report.test(f"identity/superset-{name}", lambda test=test: test(found[0]))
        finally:
            found[0].ends()
