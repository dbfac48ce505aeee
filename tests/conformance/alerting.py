"""What Alertmanager is told: read by its own tools, and by real ones that tell a mail server and a webhook of the tests' own."""

import base64
import contextlib
import email
import email.policy
import http.server
import json
import shutil
import socketserver
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from report import Failure, Report, expect
from toolbox import HERE, Toolbox, free_port, run

HERE_ALERTING = HERE / "alerting"
ENVIRONMENT = "dev"
LOCALES = ("en", "fr")
PASSWORD = "correct horse"
NOBODY = "(nobody)"
HEARTBEAT = "(heartbeat)"

# How long a message may take: members first find each other, and the first message of a group waits for others.
PATIENCE = 60

# A zone whose hours are not those of UTC, so that one which is ignored is noticed. It knows no summer time.
ZONE, AHEAD = "Asia/Tokyo", timedelta(hours=9)

# Labels of an alert, and who is told. Quiet hours hold back later: they are no part of the tree.
ROUTES = [
    ("severity=critical component=valkey owner=cache", ["oncall", "cache"]),
    ("severity=warning component=valkey owner=cache", ["cache"]),
    ("severity=warning component=valkey", ["cache"]),
    ("severity=critical component=alertmanager", ["oncall", "night"]),
    ("severity=warning component=alertmanager", ["night"]),
    ("severity=warning component=elsewhere", ["default"]),
    ("severity=info component=valkey", [NOBODY]),
    ("component=elsewhere", ["default"]),
    ("alertname=Watchdog severity=info", [HEARTBEAT]),
    ("alertname=InfoInhibitor severity=info component=valkey", [NOBODY]),
]

# Ways to break the configuration, each of which amtool must refuse.
BREAK = {
    "unknown receiver": ("receiver: oncall", "receiver: uncall"),
    "unknown quiet hours": ("  - now\n", "  - then\n"),
    "unknown time zone": (f"location: {ZONE}", "location: Mars/Olympus"),
    "matcher": ('severity="critical"', 'severity=~"["'),
    "time": ("group_wait: 10s", "group_wait: soon"),
    "key": ("smtp_from:", "smtp_form:"),
}


# --- who is told ---


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that wants to know who sends, and keeps what it gets."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MailSession)
        self.letters: list[tuple[list[str], email.message.EmailMessage]] = []
        self.refused: list[str] = []


class MailSession(socketserver.StreamRequestHandler):
    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.say("220 test")
        known, to = False, []
        while line := self.rfile.readline().decode(errors="replace").strip():
            word = line.split()[0].upper()
            if word == "EHLO":
                self.say("250-test")
                self.say("250 AUTH PLAIN")
            elif word == "AUTH":
                given = base64.b64decode(line.split()[2]).decode().split("\0")[1:]
                known = given == ["alerts", PASSWORD]
                self.say("235 welcome" if known else "535 who is that")
            elif word == "DATA":
                self.say("354 go on")
                letter = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    letter += part.removeprefix(b".") if part.startswith(b"..") else part
                self.server.letters.append((to, email.message_from_bytes(letter, policy=email.policy.default)))
                self.say("250 kept")
            elif word in ("MAIL", "RCPT") and not known:
                self.server.refused.append(line)
                self.say("530 who sends?")
            elif word == "RCPT":
                to.append(line.partition("<")[2].rstrip(">"))
                self.say("250 yes")
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 yes")


class Hooks(http.server.ThreadingHTTPServer):
    """A web server that keeps what is posted to it, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.posts: list[tuple[str, dict]] = []

    def at(self, path: str) -> list[dict]:
        return [body for where, body in self.posts if where == path]


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, json.loads(body)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


# --- what is generated ---


def build(compiler: Callable[..., None], folder: Path, mail: int, web: int) -> None:
    """A bundle in each language, told of these ports, and quiet around now."""
    now = datetime.now(timezone.utc) + AHEAD
    words = {
        "@MAIL@": str(mail),
        "@HTTP@": str(web),
        "@FROM@": (now - timedelta(hours=1)).strftime("%H:%M"),
        "@TO@": (now + timedelta(hours=2)).strftime("%H:%M"),
        "@ZONE@": ZONE,
    }
    text = (HERE_ALERTING / "platform.toml").read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(word, value)
    for locale in LOCALES:
        topology = folder / f"{locale}.toml"
        topology.write_text(text.replace("@LOCALE@", locale), encoding="utf-8")
        compiler("-q", "build", topology, "-o", folder / locale)


def configuration(bundle: Path) -> str:
    return (bundle / "alertmanager/alertmanager.yaml").read_text(encoding="utf-8")


def check(tools: Toolbox, text: str, *, good: bool = True) -> str:
    """What amtool says of a configuration."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        result = run([tools.path("amtool"), "check-config", handle.name], check=False, merge=True)
    expect((result.returncode == 0) == good, result.stdout)
    return result.stdout


def check_config(tools: Toolbox, bundle: Path) -> None:
    """amtool reads the configuration and its templates."""
    text = configuration(bundle)
    here = text.replace("/etc/alertmanager/", f"{bundle}/alertmanager/")
    expect(here != text, "templates lie elsewhere")
    said = check(tools, here)
    expect("1 templates" in said and "SUCCESS" in said, said)


def refuses(tools: Toolbox, bundle: Path) -> None:
    """amtool refuses each broken configuration, and a template that is none."""
    text = configuration(bundle)
    for what, (good, bad) in BREAK.items():
        expect(good in text, f"{what}: there is no {good!r} to break")
        try:
            check(tools, text.replace(good, bad, 1), good=False)
        except Failure:
            raise Failure(f"accepts a broken configuration: {what}") from None
    with tempfile.TemporaryDirectory(prefix="lakewright-alerting-") as folder:
        broken = Path(folder) / "messages-en.tmpl"
        broken.write_text('{{ define "lakewright.title" }}{{ end', encoding="utf-8")
        check(tools, text.replace("/etc/alertmanager/", f"{folder}/"), good=False)


def route(tools: Toolbox, bundle: Path, labels: str) -> list[str]:
    argv = [tools.path("amtool"), "config", "routes", "test", f"--config.file={bundle}/alertmanager/alertmanager.yaml"]
    return run([*argv, *labels.split()]).stdout.strip().split(",")


def check_routes(tools: Toolbox, bundle: Path) -> None:
    """Every sample alert is told to whom it should."""
    wrong = []
    for labels, wanted in ROUTES:
        told = route(tools, bundle, labels)
        if sorted(told) != sorted(wanted):
            wrong.append(f"{labels}: told {told}, not {wanted}")
    expect(not wrong, "\n".join(wrong))


# --- what runs ---


class Members:
    """Alertmanagers that run with what is generated, as far as this machine is not the container."""

    def __init__(self, tools: Toolbox, bundle: Path, folder: Path, web: int):
        self.tools, self.bundle, self.folder = tools, bundle, folder
        self.ports = [free_port(), free_port()]
        self.started: list[subprocess.Popen] = []
        secrets = {
            "alertmanager-mail-password": PASSWORD,
            "alertmanager-slack-oncall": f"http://127.0.0.1:{web}/slack",
            "alertmanager-webhook-cache": f"http://127.0.0.1:{web}/cache",
            "alertmanager-heartbeat-url": f"http://127.0.0.1:{web}/heartbeat",
        }
        (folder / "secrets").mkdir()
        for name, value in secrets.items():
            (folder / "secrets" / name).write_text(value, encoding="utf-8")
        # Certificates of the bundle's own script.
        copy = folder / "bundle"
        shutil.copytree(bundle, copy)
        run(["./tls/issue.sh"], cwd=copy)
        self.certificates = copy / "secrets/tls/alertmanager"
        shutil.copy(copy / "secrets/tls/ca.crt", self.certificates / "ca.crt")
        self.configuration = self.here(configuration(bundle))
        for word, other in (("group_wait: 10s", "group_wait: 1s"), ("group_wait: 1m", "group_wait: 2s"), ("group_interval: 1m", "group_interval: 2s")):
            expect(word in self.configuration, f"no {word!r} to be impatient with")
            self.configuration = self.configuration.replace(word, other)

    def here(self, text: str) -> str:
        """A file with the container's paths turned into those of this machine."""
        for path, place in (
            ("/run/secrets/", f"{self.folder}/secrets/"),
            ("/etc/alertmanager/", f"{self.bundle}/alertmanager/"),
            ("/run/alertmanager/certs/", f"{self.certificates}/"),
        ):
            text = text.replace(path, place)
        return text

    def __enter__(self) -> "Members":
        cluster = self.folder / "cluster.yml"
        cluster.write_text(self.here((self.bundle / "alertmanager/cluster.yaml").read_text(encoding="utf-8")), encoding="utf-8")
        file = self.folder / "alertmanager.yml"
        file.write_text(self.configuration, encoding="utf-8")
        gossip = [free_port(), free_port()]
        for number, port in enumerate(self.ports):
            argv = [
                self.tools.path("alertmanager"), f"--config.file={file}", f"--storage.path={self.folder}/data-{number}",
                f"--web.listen-address=127.0.0.1:{port}", f"--cluster.listen-address=127.0.0.1:{gossip[number]}",
                f"--cluster.tls-config={cluster}", "--log.format=json",
                *(f"--cluster.peer=127.0.0.1:{peer}" for peer in gossip),
            ]  # fmt: skip
            log = open(self.folder / f"log-{number}", "w", encoding="utf-8")
            self.started.append(subprocess.Popen([str(word) for word in argv], stdout=log, stderr=subprocess.STDOUT))
        try:
            for port in self.ports:
                self.wait(lambda port=port: self.get(port, "/-/ready") == "OK", "is not ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.started:
            process.terminate()
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def logs(self) -> str:
        lines = [line for number in range(2) for line in (self.folder / f"log-{number}").read_text(encoding="utf-8").splitlines()]
        return "\n".join(line for line in lines if '"INFO"' not in line)[-4000:]

    def get(self, port: int, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.read().decode().strip()
        except OSError:
            return ""

    def wait(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end or any(process.poll() is not None for process in self.started):
                raise Failure(f"{what}\n{self.logs()}")
            time.sleep(0.2)

    def post(self, *alerts: dict) -> None:
        """Sends alerts to every member, as Prometheus does."""
        body = json.dumps(alerts).encode()
        for port in self.ports:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v2/alerts", body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=5).close()

    def amtool(self, *words: str) -> None:
        run([self.tools.path("amtool"), f"--alertmanager.url=http://127.0.0.1:{self.ports[0]}", *words])


def alert(name: str, severity: str, component: str, **labels: str) -> dict:
    """An alert as Prometheus sends those that it is made to."""
    return {
        "labels": {"alertname": name, "severity": severity, "component": component, "platform": "alerting", "environment": ENVIRONMENT, **labels},
        "annotations": {
            "summary": f"{name} <is> true & loud",
            "description": "So it has been for 2 minutes.",
            "runbook_url": f"https://git.example.com/platform/blob/main/prod/RUNBOOK.md#{name.lower()}",
        },
    }


def stamp(moment: datetime) -> str:
    return moment.isoformat()


def delivered(tools: Toolbox, bundle: Path, folder: Path, mailbox: Mailbox, hooks: Hooks) -> None:
    """Who should be told is, once and readably, and again when it is over; nobody else is told anything."""
    web = hooks.server_address[1]
    with Members(tools, bundle, folder, web) as members:
        for port in members.ports:
            members.wait(lambda port=port: "alertmanager_cluster_members 2" in members.get(port, "/metrics"), "members do not find each other")
        members.amtool("silence", "add", "alertname=Silenced", "--comment=test", "--author=test", "--duration=1h")
        down = alert("ValkeyDown", "critical", "valkey", service="valkey", instance="valkey:9121", owner="cache")
        others = [
            alert("Strained", "warning", "valkey", owner="cache"),  # held back by what is critical
            alert("Silenced", "critical", "muted"),
            alert("Noted", "info", "elsewhere"),
            alert("Quiet", "warning", "alertmanager"),  # it is quiet now
            alert("Watchdog", "info", "alertmanager"),
        ]
        members.post(down)
        members.wait(lambda: mailbox.letters, f"no mail came; refused: {mailbox.refused}")
        members.wait(lambda: hooks.at("/slack"), "nothing came to Slack")
        members.wait(lambda: hooks.at("/cache"), "the owner was not told")
        members.post(*others, alert("Elsewhere", "warning", "elsewhere"))
        members.wait(lambda: hooks.at("/heartbeat"), "there is no heartbeat")
        members.wait(lambda: hooks.at("/default"), "what no route takes is not told")
        # It waited as long as the one that was just told, and would come beside it.
        time.sleep(3)
        expect("Strained" not in json.dumps(hooks.posts), "a warning is told beside what explains it")

        to, letter = mailbox.letters[0]
        subject = str(letter["Subject"])
        expect(sorted(to) == ["oncall@example.com", "second@example.com"], f"mail went to {to}")
        expect(subject == "[CRITICAL] ValkeyDown <is> true & loud (valkey) – alerting dev", subject)
        plain, rich = (letter.get_body((kind,)).get_content() for kind in ("plain", "html"))
        for text in (plain, rich):
            for words in ("valkey / valkey:9121", "Owner: cache", "for 2 minutes", "#valkeydown", "UTC"):
                expect(words in text, f"{words!r} is missing in the mail:\n{text}")
        expect("<is>" in plain and "&lt;is&gt; true &amp; loud" in rich, rich)
        slack = hooks.at("/slack")[0]
        expect(slack["channel"] == "#data-alerts", str(slack))
        text = slack["attachments"][0]["text"]
        expect("&lt;is&gt;" in slack["attachments"][0]["title"], str(slack))
        for words in ("*ValkeyDown &lt;is&gt; true &amp; loud*", "Owner: cache", "#valkeydown>"):
            expect(words in text, f"{words!r} is missing in Slack:\n{text}")

        now = datetime.now(timezone.utc)
        members.post({**down, "startsAt": stamp(now - timedelta(minutes=5)), "endsAt": stamp(now)})
        members.wait(lambda: len(mailbox.letters) > 1, "that it is over was not mailed")
        members.wait(lambda: len(hooks.at("/slack")) > 1, "that it is over did not come to Slack")
        over = str(mailbox.letters[1][1]["Subject"])
        expect(over.startswith("[RESOLVED] ValkeyDown"), over)
        expect(hooks.at("/slack")[1]["attachments"][0]["color"] == "good", str(hooks.at("/slack")[1]))
        # Whatever else would have been told, is by now.
        told = {label["alertname"] for _, body in hooks.posts for label in [body.get("groupLabels")] if label}
        told |= {word for _, letter in mailbox.letters for word in str(letter["Subject"]).split()}
        expect(not told & {"Silenced", "Noted", "Quiet"}, f"told of {told}")
        expect(len(mailbox.letters) == 2 and len(hooks.at("/slack")) == 2, "told twice")
        expect(not hooks.at("/night"), "quiet hours were told")


def test_alerting(report: Report, tools: Toolbox, compiler: Callable[..., None]) -> None:
    if not any(report.wants(f"alerting/{name}") for name in ("build", "check-config", "refuses", "routes", "delivered")):
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lakewright-alerting-")))
        mailbox, hooks = Mailbox(), Hooks()
        mail, web = stack.enter_context(serving(mailbox)), stack.enter_context(serving(hooks))
        if not report.test("alerting/build", lambda: build(compiler, folder, mail, web), always=True):
            return
        bundles = [folder / locale / ENVIRONMENT for locale in LOCALES]
        bundle = bundles[0]
        report.test("alerting/refuses", lambda: refuses(tools, bundle))
        report.test("alerting/check-config", lambda: [check_config(tools, one) for one in bundles])
        report.test("alerting/routes", lambda: check_routes(tools, bundle))
        runs = folder / "runs"
        runs.mkdir()
        report.test("alerting/delivered", lambda: delivered(tools, bundle, runs, mailbox, hooks))
