"""The certificate of the public host names, asked of an authority of the tests' own by ACME: Pebble, which believes what a DNS
server of its own says, with certbot."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from proxies import Issuer
from report import Report, expect
from toolbox import Toolbox, free_port, run

DOMAIN = "data.example.org"
MOVED = "moved.example.org"
TOPOLOGY = """
[platform]
name = "asked"
domain = "{domain}"

[components.minio]
console = true

[components.nginx]

[environments.dev]
target = "compose"
domain = "{domain}"

[environments.dev.tls]
public = "acme"
acme = {{ directory = "https://localhost:{port}/dir", email = "ops@example.org" }}
"""

# What a user writes: puts a record into DNS, here that of the tests.
HOOK = """#!/bin/sh
set -eu
exec python3 - "$CERTBOT_DOMAIN" "{value}" <<'END'
import json, sys, urllib.request
body = json.dumps({{"host": f"_acme-challenge.{{sys.argv[1]}}.", "value": sys.argv[2]}}).encode()
urllib.request.urlopen("http://127.0.0.1:{port}/{verb}", body, timeout=10).read()
END
"""


@contextlib.contextmanager
def authority(tools: Toolbox, folder: Path, directory: int) -> Iterator[int]:
    """Pebble with its DNS; yields the port at which records are put into that."""
    programs = tools.go_together("acme")
    names, orders, management = free_port(), free_port(), free_port()
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "pebble.key", "-out", folder / "pebble.crt"])  # fmt: skip
    pebble = {
        "listenAddress": f"127.0.0.1:{directory}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(folder / "pebble.crt"),
        "privateKey": str(folder / "pebble.key"),
        "httpPort": 80,
        "tlsPort": 443,
        "profiles": {"default": {"description": "as long as others", "validityPeriod": 90 * 86_400}},
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": pebble}), encoding="utf-8")
    server = [programs / "pebble-challtestsrv", "-dnsserver", f"127.0.0.1:{names}", "-management", f"127.0.0.1:{orders}"]
    server += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""]
    asked = [programs / "pebble", "-config", folder / "pebble.json", "-strict", "-dnsserver", f"127.0.0.1:{names}"]
    # By itself it waits, refuses, and believes what it once saw, now and then.
    environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    with contextlib.ExitStack() as stack:
        for argv in (server, asked):
            log = stack.enter_context((folder / f"{argv[0].name}.log").open("w", encoding="utf-8"))
            process = stack.enter_context(subprocess.Popen([str(word) for word in argv], env=environment, stdout=log, stderr=log))
            stack.callback(process.terminate)
        until = time.monotonic() + 60
        for name, url in (("pebble", f"https://localhost:{directory}/dir"), ("pebble-challtestsrv", f"http://localhost:{orders}/")):
            # An answer is enough: the DNS server has no page there.
            while run(["curl", "--silent", "--cacert", folder / "pebble.crt", url], check=False).returncode:
                expect(time.monotonic() < until, f"{name} does not start: {(folder / f'{name}.log').read_text(encoding='utf-8')}")
                time.sleep(0.2)
        yield orders


def issued(tools: Toolbox, compiler: Callable, folder: Path) -> None:
    tools.need("openssl", "curl")
    certbot = tools.pip("certbot", "acme")
    port = free_port()

    def built(domain: str) -> Path:
        (folder / "platform.toml").write_text(TOPOLOGY.format(domain=domain, port=port), encoding="utf-8")
        compiler("build", folder / "platform.toml", "--output", folder / domain)
        return folder / domain / "dev"

    issuer = Issuer(built(DOMAIN), folder / "bundle")
    public, hooks = issuer.kept / "public", issuer.kept / "acme"

    said = issuer.issue("--check", status=1)
    expect("public: is missing" in said, said)
    said = issuer.issue("--dry-run")
    expect("would be asked for" in said and not public.exists(), said)
    if shutil.which("certbot") is None:
        said = issuer.issue(status=1)
        expect("certbot is missing" in said, said)
    said = issuer.issue(status=1, path=str(certbot.parent))
    expect("acme/auth is no program" in said, said)

    with authority(tools, folder, port) as orders:
        for name, verb, value in (("auth", "set-txt", "$CERTBOT_VALIDATION"), ("cleanup", "clear-txt", "")):
            (hooks / name).write_text(HOOK.format(port=orders, verb=verb, value=value), encoding="utf-8")
            (hooks / name).chmod(0o700)

        def issue(*words: str, status: int = 0) -> str:
            return issuer.issue(*words, status=status, path=str(certbot.parent), REQUESTS_CA_BUNDLE=str(folder / "pebble.crt"))

        said = issue()
        expect("public: is missing; got, good until" in said, said)
        text = run(["openssl", "x509", "-in", public / "tls.crt", "-noout", "-issuer", "-ext", "subjectAltName"]).stdout
        expect("Pebble" in text and f"DNS:{DOMAIN}" in text and f"DNS:minio.{DOMAIN}" in text, text)
        key = run(["openssl", "pkey", "-in", public / "tls.key", "-pubout"]).stdout
        expect(key == run(["openssl", "x509", "-in", public / "tls.crt", "-noout", "-pubkey"]).stdout, "the key is another's")
        expect((public / "tls.crt").read_text(encoding="ascii").count("BEGIN CERTIFICATE") >= 2, "the certificate comes without its chain")
        open_to_others = [path for path in issuer.kept.rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o077]
        expect(not open_to_others, f"others may read {open_to_others}")

        before = issuer.state()
        expect(issue() == "" and issue("--check") == "" and issuer.state() == before, "a good certificate is asked for again")

        # Lost on the way: what certbot has is put into place, and the authority is not asked.
        (public / "tls.crt").unlink()
        (hooks / "auth").chmod(0o600)
        said = issue()
        expect("put into place" in said, said)
        (hooks / "auth").chmod(0o700)

        serial = run(["openssl", "x509", "-in", public / "tls.crt", "-noout", "-serial"]).stdout
        said = issue("--renew", "public")
        expect("is to be renewed; got" in said, said)
        expect(run(["openssl", "x509", "-in", public / "tls.crt", "-noout", "-serial"]).stdout != serial, "renewed, and the same")

        # Another domain: the next run asks again, by itself.
        shutil.copytree(built(MOVED) / "tls", issuer.folder / "tls", dirs_exist_ok=True)
        said = issue()
        expect("bears other names; got" in said, f"a certificate for another domain is kept: {said}")
        text = run(["openssl", "x509", "-in", public / "tls.crt", "-noout", "-ext", "subjectAltName"]).stdout
        expect(f"DNS:minio.{MOVED}" in text and DOMAIN not in text, text)

        # The authority sees no record: the former certificate stays.
        (hooks / "auth").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
        kept = (public / "tls.crt").read_bytes()
        said = issue("--renew", "public", status=1)
        expect("could not be got" in said and (public / "tls.crt").read_bytes() == kept, said)


def test_acme(report: Report, tools: Toolbox, compiler: Callable) -> None:
    def attempt() -> None:
        with tempfile.TemporaryDirectory(prefix="lakewright-acme-") as folder:
            issued(tools, compiler, Path(folder))

    report.test("certificates/asked", attempt)
