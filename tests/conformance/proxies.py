"""Really starts each proxy with TLS, before something that says what it gets, and runs the script that makes certificates.

Every look at a proxy must first refuse one that is broken on purpose: its configuration is changed, read anew, and put back.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine import Engine
from images import Images
from live import Stack
from report import Failure, Report, expect
from toolbox import HERE, Toolbox, run

HERE_PROXIES = HERE / "proxies"
DOMAIN = "data.example.org"
HTTP, HTTPS, FLIGHT, SQL = 8080, 8443, 32010, 31010
DAY = 86_400
# How long a proxy may take to notice that an address changed.
NOTICE = 40


# --- certificates, without an engine ---


class Issuer:
    """A copy of a bundle whose script is run."""

    def __init__(self, bundle: Path, folder: Path):
        self.folder = folder
        shutil.copytree(bundle, folder)
        self.kept = folder / "secrets/tls"

    def issue(self, *words: str, status: int = 0, path: str = "", **more: str) -> str:
        environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"], **more}
        # A session of its own: what kills it kills nothing else.
        result = subprocess.run(
            ["./tls/issue.sh", *words], cwd=self.folder, env=environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
        )  # fmt: skip
        expect(result.returncode == status, f"issue.sh {' '.join(words)}: exit status {result.returncode}, not {status}\n{result.stdout}")
        return result.stdout

    def state(self) -> dict[str, str]:
        """Digest and time of every file."""
        files = sorted(path for path in self.kept.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.kept)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}" for path in files
        }

    def openssl(self, *words: object, check: bool = True) -> subprocess.CompletedProcess:
        return run(["openssl", *words], cwd=self.kept, check=check, merge=True)

    def sign(self, name: str, days: int, config: str | None = None, authority: str = "ca") -> None:
        """Makes a certificate as the script does, but for another time, other names, or of another authority."""
        folder = self.kept / name
        folder.mkdir(parents=True, exist_ok=True)
        names = self.folder / f"tls/{config or name}.cnf"
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-config", names, "-keyout", folder / "tls.key", "-out", "csr")
        self.openssl("x509", "-req", "-in", "csr", "-days", days, "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-extfile", names, "-extensions", "certificate", "-out", folder / "tls.crt")
        (self.kept / "csr").unlink()

    def good(self, thorough: bool = True) -> None:
        """Every pair fits, every certificate is of the authority and bears its names, and no other."""
        self.issue("--check")
        names = {"public": [DOMAIN, f"echo.{DOMAIN}"], "echo-member": ["echo-member", "echo-member-2", "localhost"]}
        for name, hosts in names.items():
            for host in hosts if thorough else hosts[:1]:
                self.openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.crt", "-verify_hostname", host, f"{name}/tls.crt")
            if thorough:
                wrong = self.openssl("verify", "-CAfile", "ca.crt", "-verify_hostname", "other.example.org", f"{name}/tls.crt", check=False)
                expect(wrong.returncode != 0, f"{name} bears any name")
            certificate = self.openssl("x509", "-in", f"{name}/tls.crt", "-noout", "-pubkey").stdout
            expect(certificate == self.openssl("pkey", "-in", f"{name}/tls.key", "-pubout").stdout, f"{name}: the key is another's")
        for path in self.kept.rglob("*"):
            expect(path.stat().st_mode & 0o077 == 0, f"{path.name} can be read by others")
        left = [path.name for path in self.kept.iterdir() if path.name.startswith(".")]
        expect(not left, f"left over: {left}")


def certificates(bundle: Path, folder: Path) -> None:
    """Made once, kept, renewed when their time comes or something is wrong with them."""
    issuer = Issuer(bundle, folder / "issue")
    expect("public: is missing" in issuer.issue("--check", status=1), "--check says nothing of what is missing")
    issuer.issue("--dry-run")
    expect(not issuer.kept.exists(), "--check or --dry-run made something")
    issuer.issue()
    issuer.good()
    before = issuer.state()
    expect(not issuer.issue(), "a second run has something to say")
    expect(issuer.state() == before, "a second run changes something")

    def renewed(*names: str) -> None:
        nonlocal before
        after = issuer.state()
        changed = {Path(name).parts[0] for name in before | after if before.get(name) != after.get(name)}
        expect(changed == set(names), f"changed: {changed}, not {names}")
        issuer.good()
        before = after

    issuer.issue("--renew", "public")
    renewed("public")
    # 30 days before the end; a day more is not yet time.
    issuer.sign("public", 31)
    before = issuer.state()
    expect(not issuer.issue(), "renewed too early")
    issuer.sign("public", 29)
    expect("public: ends on" in issuer.issue("--check", status=1), "--check does not see the end")
    issuer.issue("--dry-run")
    before = issuer.state()
    issuer.issue()
    renewed("public")
    issuer.sign("public", 90, config="echo-member")
    expect("other names" in issuer.issue("--check", status=1), "--check does not see other names")
    issuer.issue()
    renewed("public")
    shutil.copy(issuer.kept / "echo-member/tls.key", issuer.kept / "public/tls.key")
    expect("does not fit" in issuer.issue("--check", status=1), "--check does not see another key")
    issuer.issue()
    renewed("public")
    # A key of another kind than the topology asks for now, made by hand.
    public = issuer.kept / "public"
    names = issuer.folder / "tls/public.cnf"
    issuer.openssl("req", "-new", "-newkey", "rsa:2048", "-noenc", "-config", names, "-keyout", public / "tls.key", "-out", "csr")
    issuer.openssl("x509", "-req", "-in", "csr", "-days", 90, "-CA", "ca.crt", "-CAkey", "ca.key", "-extfile", names, "-extensions", "certificate", "-out", public / "tls.crt")
    (issuer.kept / "csr").unlink()
    expect("another kind than ecdsa-p256" in issuer.issue("--check", status=1), "--check does not see a key of another kind")
    issuer.issue()
    renewed("public")
    # The key is kept elsewhere: nothing can be made, and what is there stays.
    key = issuer.kept / "ca.key"
    away = folder / "away.key"
    key.rename(away)
    issuer.issue()
    expect("ca.key is missing" in issuer.issue("--renew", "public", status=1), "makes something without a key")
    away.rename(key)
    expect(issuer.state() == before, "changes something without a key")
    (issuer.kept / "ca.crt").rename(folder / "away.crt")
    issuer.issue(status=1)
    issuer.issue("--check", status=1)
    expect(not (issuer.kept / "ca.crt").exists(), "makes another authority beside a key that is there")
    # Replaced on purpose: all anew.
    key.unlink()
    issuer.issue()
    renewed("ca.crt", "ca.key", "public", "echo-member")
    for words in (["--renew"], ["--renew", "nobody"], ["--check", "--dry-run"], ["--nonsense"]):
        issuer.issue(*words, status=2)


KILLER = """#!/bin/sh
# Counts the calls that make something, and kills everybody when its turn has come.
case " $* " in
  *' -noout '* | *' -pubout '* | ' verify '* | ' version '*) exec {real} "$@" ;;
esac
echo >>{count}
[ "$(wc -l <{count})" -ne {turn} ] || kill -9 0
exec {real} "$@"
"""


def killed(bundle: Path, folder: Path) -> None:
    """However a run ends, the next one leaves everything usable, and the authority as it was."""
    programs = {name: shutil.which(name) for name in ("openssl", "mv", "mkdir", "rm", "rmdir")}
    done = Issuer(bundle, folder / "done")
    done.issue()
    stopped = 0
    for start, words in ((bundle, []), (done.folder, ["--renew", "public", "--renew", "echo-member"])):
        turn = 0
        while True:
            turn += 1
            place = folder / f"{start.name}-{turn}"
            issuer = Issuer(start, place / "bundle")
            authority = {name: text for name, text in issuer.state().items() if name.startswith("ca.")}
            (place / "bin").mkdir()
            for name, real in programs.items():
                program = place / "bin" / name
                program.write_text(KILLER.format(count=place / "count", turn=turn, real=real), encoding="utf-8")
                program.chmod(0o755)
            try:
                issuer.issue(*words, path=str(place / "bin"))
                break  # it had no such turn
            except Failure:
                stopped += 1
            issuer.issue()
            issuer.good(thorough=False)
            now = {name: text for name, text in issuer.state().items() if name.startswith("ca.")}
            expect(not authority or authority == now, f"{' '.join(words)}, killed at call {turn}: another authority")
            shutil.rmtree(place)
    expect(stopped > 30, f"only {stopped} runs were killed")


def given(bundle: Path, folder: Path) -> None:
    """What the user has from elsewhere is looked at, and never touched."""
    issuer = Issuer(bundle, folder / "given")
    expect("put yours into secrets/tls/public" in issuer.issue(status=1), "says nothing of a certificate that is not there")
    shutil.copy(issuer.folder / "tls/echo-member.cnf", issuer.folder / "tls/wrong.cnf")
    text = (issuer.folder / "tls/echo-member.cnf").read_text(encoding="utf-8")
    text = text.split("[names]")[0] + f"[names]\nDNS.1 = {DOMAIN}\nDNS.2 = *.{DOMAIN}\n"
    (issuer.folder / "tls/right.cnf").write_text(text, encoding="utf-8")
    issuer.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=elsewhere", "-keyout", "other.key", "-out", "other.crt")
    issuer.sign("public", 90, config="wrong", authority="other")
    expect(f"does not bear the name echo.{DOMAIN}" in issuer.issue(status=1), "accepts a certificate for other names")
    issuer.sign("public", 90, config="right", authority="other")
    before = issuer.state()
    expect(not issuer.issue() and not issuer.issue("--check"), "has something to say of a good one")
    expect(issuer.state() == before, "touches what is the user's")
    issuer.issue("--renew", "public", status=2)
    for key, digest, wrong in (
        ("rsa:1024", "-sha256", "RSA of 1024 bits"), ("rsa:2048", "-sha1", "can be forged"), ("ed25519", "-sha256", "browsers refuse"),
    ):  # fmt: skip
        folder = issuer.kept / "public"
        words = ("-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:{DOMAIN},DNS:*.{DOMAIN}", "-days", 60)
        issuer.openssl("req", "-x509", "-newkey", key, digest, "-noenc", *words, "-keyout", folder / "tls.key", "-out", folder / "tls.crt")
        expect(wrong in issuer.issue(status=1), f"accepts {key} {digest}")
    issuer.sign("public", 3, config="right", authority="other")
    issuer.issue()
    expect("ends on" in issuer.issue("--check", status=1), "--check does not see the end")
    shutil.copy(issuer.kept / "other.key", issuer.kept / "public/tls.key")
    expect("does not fit" in issuer.issue(status=1), "accepts another key")


# --- a proxy that runs ---


class Proxy:
    """A stack with one proxy and the echo behind it."""

    def __init__(self, stack: Stack, kind: str):
        self.stack = stack
        self.kind = kind
        self.authority = stack.folder / "secrets/tls/ca.crt"
        name = {"nginx": "nginx/nginx.conf", "haproxy": "haproxy/haproxy.cfg"}[kind]
        self.configuration = stack.folder / name

    def client(self, what: str, *words: object) -> dict:
        result = self.stack.engine.inside(sys.executable, HERE_PROXIES / "client.py", what, *map(str, words), timeout=240)
        return json.loads(result.stdout)

    def start_client(self, what: str, *words: object) -> subprocess.Popen:
        argv = ["nsenter", "--target", str(self.stack.engine.init_pid()), "--net", sys.executable, str(HERE_PROXIES / "client.py"), what, *map(str, words)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @staticmethod
    def finish(client: subprocess.Popen) -> dict:
        out, said = client.communicate(timeout=240)
        expect(client.returncode == 0, said)
        return json.loads(out)

    def curl(self, url: str, *words: str) -> tuple[str, dict[str, str], str]:
        """Status, headers in lower case, and body."""
        host, port = re.match(r"https?://([^:/]+):(\d+)", url).groups()
        argv = [
            self.stack.tools.path("curl"), "--silent", "--show-error", "--include", "--max-time", "30", "--cacert", self.authority,
            "--resolve", f"{host}:{port}:127.0.0.1", *words, url,
        ]  # fmt: skip
        head, _, body = self.stack.engine.inside(*argv).stdout.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.split("\n")
        return first, {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}, body

    def reload(self) -> None:
        """As the bundle's README says."""
        readme = (self.stack.folder / "README.md").read_text(encoding="utf-8")
        lines = re.findall(r"^    docker compose (run --rm lakewright-prepare|exec .*?)(?:     #.*)?$", readme, re.MULTILINE)
        expect(any("kill -s" in line for line in lines), f"the README has no command that reloads: {lines}")
        for line in lines:
            script = f"exec \"$0\" -f compose.yaml -f override.stand-in.yaml {line.replace('exec ', 'exec -T ', 1)}"
            run(["sh", "-c", script, self.stack.tools.path("docker-compose")], cwd=self.stack.folder, env=self.stack.engine.environment, merge=True)

    def serial(self) -> str:
        return self.client("handshake", HTTPS, f"echo.{DOMAIN}", self.authority).get("serial", "")

    # --- looks: each must be content with the proxy, and not with a broken one ---

    def only_tls_13(self) -> None:
        for port in (HTTPS, FLIGHT, SQL):
            for version, good in (("TLSv1_2", False), ("TLSv1_3", True)):
                said = self.client("handshake", port, DOMAIN, self.authority, version)
                expect(("version" in said) == good, f"{port}, {version}: {said}")
                expect(good or "protocol" in said["refused"].lower() or "alert" in said["refused"].lower(), f"{port}, {version}: {said}")

    def names(self) -> None:
        for port, name in ((HTTPS, f"echo.{DOMAIN}"), (HTTPS, DOMAIN), (SQL, DOMAIN)):
            said = self.client("handshake", port, name, self.authority)
            expect("version" in said, f"{port}, {name}: {said}")
            said = self.client("handshake", port, "other.example.org", self.authority)
            expect("mismatch" in said.get("refused", ""), f"{port}, a wrong name: {said}")

    def redirects(self) -> None:
        for host in (f"echo.{DOMAIN}", f"member.{DOMAIN}", "unknown.example.org"):
            status, headers, body = self.curl(f"http://{host}:{HTTP}/some/path?a=b&c=%20d", "--request", "POST", "--data", "x")
            expect(" 308" in status, f"{host}: {status}")
            expect(headers.get("location") == f"https://{host}:{HTTPS}/some/path?a=b&c=%20d", f"{host}: {headers}")
            expect('"name"' not in body, f"{host}: the application answers in clear")
            expect("strict-transport-security" not in headers, f"{host}: HSTS in clear")
        _, headers, _ = self.curl(f"http://{DOMAIN}:{HTTP}/x", "--http1.0", "--header", "Host:")
        expect(headers.get("location") == f"https://{DOMAIN}:{HTTPS}/x", f"no host: {headers}")

    def secured(self) -> None:
        status, headers, body = self.curl(f"https://echo.{DOMAIN}:{HTTPS}/a")
        expect(status.startswith("HTTP/2 200"), status)
        expect(headers.get("strict-transport-security") == "max-age=63072000", f"{headers}")
        expect(headers.get("x-content-type-options") == "nosniff", f"{headers}")
        told = json.loads(body)["headers"]
        expect(told.get("x-forwarded-proto") == "https" and told.get("x-forwarded-port") == str(HTTPS), f"{told}")
        expect(told.get("host") == f"echo.{DOMAIN}:{HTTPS}", f"{told}")
        status, headers, _ = self.curl(f"https://unknown.example.org:{HTTPS}/", "--insecure")
        expect(" 404" in status, f"an unknown host: {status}")

    def websocket(self) -> None:
        said = self.client("websocket", HTTPS, f"echo.{DOMAIN}", self.authority)
        expect(said == {"echo": "hello"}, f"{said}")

    def streams(self) -> None:
        for port, protocol in ((FLIGHT, "h2"), (SQL, "")):
            said = self.client("stream", port, DOMAIN, self.authority, protocol)
            expect(said == {"echo": "hello", "protocol": protocol or None}, f"{port}: {said}")
            said = self.client("clear", port)
            expect("hello" not in said["echo"], f"{port}: goes in clear")

    def sticky(self) -> None:
        said = self.client("ask", HTTPS, f"sticky.{DOMAIN}", self.authority, 3, "cookie")
        expect(len(said["names"]) == 1 and not said["errors"], f"with its cookie a client meets {said}")
        said = self.client("ask", HTTPS, f"sticky.{DOMAIN}", self.authority, 3)
        expect(len(said["names"]) == 2, f"without it, {said}")
        _, headers, _ = self.curl(f"https://sticky.{DOMAIN}:{HTTPS}/")
        cookie = headers.get("set-cookie", "").lower()
        expect(all(word in cookie for word in ("secure", "httponly", "samesite=lax")), cookie)

    def members(self) -> None:
        said = self.client("ask", HTTPS, f"member.{DOMAIN}", self.authority, 3)
        expect(set(said["names"]) == {"echo-member-1", "echo-member-2"} and set(said["statuses"]) == {"200"}, f"{said}")

    def refuse(self, check: Callable[[], None], old: str, new: str) -> None:
        """Breaks the proxy, and expects that somebody notices."""
        text = self.configuration.read_text(encoding="utf-8")
        expect(re.search(old, text), f"there is no {old}")
        try:
            # In place: the container has the file, not its name.
            self.configuration.write_text(re.sub(old, new, text), encoding="utf-8")
            self.reload()
            deadline = time.monotonic() + 15
            while time.monotonic() < deadline:
                time.sleep(1)
                try:
                    check()
                except Failure:
                    break
            else:
                raise Failure(f"is content with {new!r} in place of {old!r}")
        finally:
            self.configuration.write_text(text, encoding="utf-8")
            self.reload()
            time.sleep(2)
        # It was what was broken, and nothing else.
        check()

    # --- what happens to those behind it, and to its certificate ---

    def containers_of(self, service: str) -> list[str]:
        return self.stack.compose("ps", "--quiet", service).stdout.split()

    def loses_a_replica(self) -> None:
        """Killed amid requests: nobody sees an error."""
        first, second = self.containers_of("echo")
        client = self.start_client("ask", HTTPS, f"echo.{DOMAIN}", self.authority, 15)
        time.sleep(3)
        self.stack.engine.docker("update", "--restart=no", first)
        self.stack.engine.docker("kill", first)
        said = self.finish(client)
        try:
            expect(set(said["statuses"]) == {"200"} and not said["errors"], f"{said}")
            left = self.client("ask", HTTPS, f"echo.{DOMAIN}", self.authority, 3)
            expect(set(left["names"]) == {second[:12]} and set(left["statuses"]) == {"200"}, f"{left}")
        finally:
            self.stack.engine.docker("update", "--restart=unless-stopped", first)
            self.stack.up()

    def finds_a_moved_one(self) -> None:
        """Made again with another address: requests reach it."""
        name = "echo-member-1"
        [old] = self.containers_of(name)
        details = json.loads(self.stack.engine.docker("inspect", old).stdout)[0]["NetworkSettings"]["Networks"]
        self.stack.compose("rm", "--stop", "--force", name)
        # Somebody else takes its addresses meanwhile.
        squatters = []
        try:
            for network, attachment in details.items():
                squatter = self.stack.engine.docker(
                    "run", "--detach", "--network", network, "--ip", attachment["IPAddress"], "--entrypoint=sleep",
                    f"lakewright-stand-in/{name}:1", "600",
                )  # fmt: skip
                squatters.append(squatter.stdout.strip())
            self.stack.up()
            [new] = self.containers_of(name)
            after = json.loads(self.stack.engine.docker("inspect", new).stdout)[0]["NetworkSettings"]["Networks"]
            expect(all(after[network]["IPAddress"] != one["IPAddress"] for network, one in details.items()), "it has its old address")
            deadline = time.monotonic() + NOTICE
            while True:
                said = self.client("ask", HTTPS, f"member.{DOMAIN}", self.authority, 3)
                if set(said["names"]) == {"echo-member-1", "echo-member-2"} and set(said["statuses"]) == {"200"}:
                    return
                expect(time.monotonic() < deadline, f"after {NOTICE} s: {said}")
        finally:
            if squatters:
                self.stack.engine.docker("rm", "--force", *squatters)

    def renews(self) -> None:
        """A renewed certificate is shown after the README's commands, and no request fails meanwhile."""
        before = self.serial()
        held = self.stack.execute("echo-member-1", "stat", "-c", "%Y %i", "/run/member/tls/tls.crt").stdout
        client = self.start_client("ask", HTTPS, f"echo.{DOMAIN}", self.authority, 12)
        time.sleep(2)
        run(["./tls/issue.sh", "--renew", "public"], cwd=self.stack.folder)
        expect(self.serial() == before, "the proxy reads what nobody gave it")
        self.reload()
        said = self.finish(client)
        expect(set(said["statuses"]) == {"200"} and not said["errors"], f"{said}")
        after = self.serial()
        expect(after != before and set(said["serials"]) == {before, after}, f"{before}, {after}: {said['serials']}")
        same = self.stack.execute("echo-member-1", "stat", "-c", "%Y %i", "/run/member/tls/tls.crt").stdout
        expect(held == same, "a certificate that was not renewed was replaced")

    def handed_out(self) -> None:
        """Services find their certificate, and only they can read the key."""
        for service, path, user in ((self.kind, "/run/tls", {"nginx": "101", "haproxy": "99"}[self.kind]), ("echo-member-2", "/run/member/tls", "1000")):
            found = self.stack.execute(service, "stat", "-c", "%n %a %u", *(f"{path}/{name}" for name in ("ca.crt", "tls.crt", "tls.key"))).stdout
            expect(found == "".join(f"{path}/{name} 400 {user}\n" for name in ("ca.crt", "tls.crt", "tls.key")), found)

    def logs(self) -> None:
        """Every access is one object of JSON."""
        lines = self.stack.compose("logs", "--no-color", "--no-log-prefix", self.kind).stdout.splitlines()
        objects = [json.loads(line) for line in lines if line.startswith("{")]
        expect({"http", "tcp"} <= {one["kind"] for one in objects}, f"{len(objects)} lines")
        expect(any(one.get("status") == 308 for one in objects), "no redirect is in the log")
        expect(not any("a=b" in json.dumps(one) for one in objects), "the log has queries")


# How to break each proxy: look, pattern, replacement.
BREAK: dict[str, list[tuple[Callable[[Proxy], None], str, str]]] = {
    "nginx": [
        (Proxy.only_tls_13, "ssl_protocols TLSv1.3;", "ssl_protocols TLSv1.2 TLSv1.3;"),
        (Proxy.redirects, "return 308 https://[^;]*;", "return 308 https://$host;"),
        (Proxy.secured, "https    \"max-age=63072000\";", ""),
        (Proxy.secured, "http2 on;", ""),
        (Proxy.websocket, 'proxy_set_header Upgrade \\$http_upgrade;', ""),
        (Proxy.streams, "ssl_alpn h2;", "ssl_alpn other;"),
        (Proxy.sticky, "sticky cookie [^;]*;", ""),
        (Proxy.members, "server echo-member-2:8000[^;]*;", ""),
    ],
    "haproxy": [
        (Proxy.only_tls_13, "ssl-min-ver TLSv1.3 ", "ssl-min-ver TLSv1.2 "),
        (Proxy.redirects, "code 308 if !{ ssl_fc }", "code 302 if !{ ssl_fc }"),
        (Proxy.secured, "set-header Strict-Transport-Security", "set-header X-Nothing"),
        (Proxy.secured, "alpn h2,http/1.1", "alpn http/1.1"),
        (Proxy.websocket, "timeout tunnel 3600s", "http-request del-header Upgrade"),
        (Proxy.streams, "alpn h2\n", "alpn other\n"),
        (Proxy.sticky, "cookie lakewright_8001 [^\n]*", ""),
        (Proxy.members, "server echo-member-2 echo-member-2:8000[^\n]*", ""),
    ],
}  # fmt: skip

LOOKS = {
    "tls13-only": Proxy.only_tls_13,
    "names": Proxy.names,
    "redirects": Proxy.redirects,
    "https": Proxy.secured,
    "websocket": Proxy.websocket,
    "streams": Proxy.streams,
    "sticky": Proxy.sticky,
    "members": Proxy.members,
    "handed-out": Proxy.handed_out,
    "logs": Proxy.logs,
    "replica-lost": Proxy.loses_a_replica,
    "replica-moved": Proxy.finds_a_moved_one,
    "renewed": Proxy.renews,
}


def test_certificates(report: Report, tools: Toolbox, bundles: Path) -> None:
    """What needs no engine."""
    for name, test, environment in (
        ("issue", certificates, "nginx"),
        ("killed", killed, "nginx"),
        ("given", given, "own"),
    ):

        def attempt(test=test, environment=environment) -> None:
            tools.need("openssl")
            with tempfile.TemporaryDirectory(prefix="lakewright-certificates-") as folder:
                test(bundles / environment, Path(folder))

        report.test(f"certificates/{name}", attempt)


def test_proxy(report: Report, kind: str, bundle: Path, tools: Toolbox, engine: Engine, images: Images, compiler: Callable) -> None:
    """One proxy, started and looked at."""
    label = f"proxies/{kind}"
    with tempfile.TemporaryDirectory(prefix="lakewright-proxy-") as folder:
        os.chmod(folder, 0o755)
        stack = Stack(bundle, Path(folder) / kind, tools, engine, images, compiler)

        def without() -> None:
            """Without certificates nothing starts, and somebody says why."""
            stack.load_images()
            (stack.folder / "secrets").mkdir(exist_ok=True)
            result = stack.compose("run", "--rm", "lakewright-prepare", check=False, merge=True)
            expect(result.returncode != 0 and "./tls/issue.sh" in result.stdout, f"exit status {result.returncode}: {result.stdout}")
            stack.compose("down", "--volumes", merge=True)

        def start() -> None:
            stack.make_secrets()
            stack.start()
            stack.all_well()

        try:
            if not report.test(f"{label}/without", without, always=True) or not report.test(f"{label}/start", start, always=True):
                return
            configuration = {"nginx": stack.nginx_configuration, "haproxy": stack.haproxy_configuration}[kind]
            report.test(f"{label}/configuration", configuration)
            proxy = Proxy(stack, kind)
            for check, old, new in BREAK[kind]:
                report.test(f"{label}/refuses {new or 'no ' + old}"[:70].strip(), lambda check=check, old=old, new=new: proxy.refuse(lambda: check(proxy), old, new))
            for name, look in LOOKS.items():
                report.test(f"{label}/{name}", lambda look=look: look(proxy))
        finally:
            if stack.started:
                report.test(f"{label}/stop", stack.stop, always=True)


def wanted(report: Report, kind: str) -> bool:
    return any(report.wants(f"proxies/{kind}/{name}") for name in ("start", "refuses", "configuration", *LOOKS))
