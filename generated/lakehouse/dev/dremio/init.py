# Made by lakewright from blueprint dremio, init.py.tera. Change that and build again: edits here are lost.
"""What Dremio needs before others use it: the first user, a user for each consumer, sources and spaces.

It talks to the REST API with the standard library alone, so that it runs in any Python image, and no password is ever an
argument. Safe to run again: what exists stays as people have changed it, except for credentials that no longer work.
"""

import base64
import json
import pathlib
import re
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

BASE = "http://dremio:9047"
ADMIN = "admin"
EMAIL = "admin@localhost"
DOMAIN = "localhost"
KEEP = "$DREMIO_EXISTING_VALUE$"


def secret(path: str) -> str:
    return pathlib.Path(path).read_text(encoding="utf-8").rstrip("\r\n")


def say(text: str) -> None:
    print(f"init: {text}", flush=True)


def fail(text: str) -> None:
    sys.exit(f"init: {text}")


class Refused(Exception):
    def __init__(self, status: int, text: str):
        # Dremio repeats what it was sent in some messages: never more than its own words about it.
        try:
            body = json.loads(text)
            text = str(body.get("errorMessage") or body.get("moreInfo") or "") if isinstance(body, dict) else ""
        except ValueError:
            text = ""
        super().__init__(f"HTTP {status} {text[:500]}".strip())
        self.status = status


class Dremio:
    def __init__(self) -> None:
        self.token = "_dremionull"

    def call(self, method: str, path: str, body: dict | None = None, token: str | None = None, timeout: int = 120):
        request = urllib.request.Request(
            BASE + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": token or self.token},
        )
        for attempt in range(30):
            try:
                with urllib.request.urlopen(request, timeout=timeout) as answer:
                    text = answer.read().decode()
                    return json.loads(text) if text.strip() else {}
            except urllib.error.HTTPError as error:
                text = error.read().decode(errors="replace")
                # 503: still starting.
                if error.code != 503 or attempt == 29:
                    raise Refused(error.code, text) from None
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                if attempt == 29:
                    fail(f"no answer from {BASE}: {error}")
            time.sleep(4)
        raise AssertionError

    def accepts(self, user: str, password: str) -> str | None:
        try:
            answer = self.call("POST", "/apiv2/login", {"userName": user, "password": password}, token="_dremionull")
            return "_dremio" + answer["token"]
        except Refused as refused:
            # 401: wrong; 403: there is no user at all yet.
            if refused.status in (400, 401, 403):
                return None
            raise

    def find(self, path: str) -> dict | None:
        try:
            return self.call("GET", path)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise


def first_user(dremio: Dremio) -> None:
    password = secret("/run/secrets/dremio-admin")
    token = dremio.accepts(ADMIN, password)
    if token is None:
        try:
            dremio.call(
                "PUT",
                "/apiv2/bootstrap/firstuser",
                {
                    "userName": ADMIN,
                    "firstName": "Platform",
                    "lastName": "Administrator",
                    "email": EMAIL,
                    "createdAt": int(time.time() * 1000),
                    "password": password,
                },
                token="_dremionull",
            )
            say(f"made the first user {ADMIN}")
        except Refused as refused:
            fail(
                f"{ADMIN} cannot log in with the password of its secret, and is not the first user either ({refused}). "
                "If the password was changed, put the one in force into the secret's file, or set it with "
                f"`dremio-admin set-password -u {ADMIN}` while Dremio is stopped."
            )
        token = dremio.accepts(ADMIN, password)
        if token is None:
            fail(f"{ADMIN} was made but cannot log in")
    dremio.token = token


def user(dremio: Dremio, name: str, purpose: str, password: str) -> None:
    if dremio.accepts(name, password):
        return
    found = dremio.find("/api/v3/user/by-name/" + urllib.parse.quote(name))
    body = {"name": name, "firstName": purpose, "lastName": "service", "email": f"{name}@{DOMAIN}", "password": password}
    if found is None:
        dremio.call("POST", "/api/v3/user", body)
        say(f"made the user {name}")
    else:
        body |= {"id": found["id"], "tag": found.get("tag")}
        body |= {key: found[key] for key in ("firstName", "lastName", "email") if found.get(key)}
        dremio.call("PUT", "/api/v3/user/" + urllib.parse.quote(found["id"]), body)
        say(f"set the password of {name} to that of its secret")
    if not dremio.accepts(name, password):
        fail(f"the user {name} cannot log in")


def plain(text: str) -> str:
    """How Dremio 26 wants a secret that it is to encrypt itself."""
    if re.fullmatch(r"[A-Za-z0-9_.~-]+", text):
        return "data:," + text
    return "data:;base64," + base64.b64encode(text.encode()).decode()


def differs(wanted, found) -> bool:
    """Whether what we set is there; Dremio adds defaults of its own, which are none of our business."""
    if isinstance(wanted, dict):
        return not isinstance(found, dict) or any(
            key in found and differs(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(wanted) != len(found):
            return bool(wanted or found)
        return any(differs(a, b) for a, b in zip(wanted, found))
    return wanted != found and str(wanted) != str(found)


POLICY = {
    "authTTLMs": 86400000,
    "namesRefreshMs": 3600000,
    "datasetRefreshAfterMs": 3600000,
    "datasetExpireAfterMs": 10800000,
    "datasetUpdateMode": "PREFETCH_QUERIED",
    "deleteUnavailableDatasets": False,
    "autoPromoteDatasets": False,
}


def source(dremio: Dremio, name: str, kind: str, config: dict, secret_key: str, password: str, **policy) -> None:
    """Credentials count as metadata for Dremio: a source that gets them again forgets its tables' formats and their
    reflections. So they are sent when the source is made, and afterwards only when it has stopped working."""
    path = "/api/v3/catalog/by-path/" + urllib.parse.quote(name)
    found = dremio.find(path)
    if found is None:
        body = {"entityType": "source", "name": name, "type": kind, "config": config | {secret_key: plain(password)}}
        for attempt in range(6):
            try:
                dremio.call("POST", "/api/v3/catalog", body | {"metadataPolicy": POLICY | policy})
                break
            except Refused as refused:
                if refused.status == 409:
                    break
                if attempt == 5:
                    raise
                say(f"source {name} not accepted yet ({refused}); trying again")
                time.sleep(10)
        say(f"made the source {name}")
        return

    if found.get("type") != kind:
        fail(f"{name} exists and is a {found.get('type')} source, not {kind}")
    for _ in range(6):
        broken = (found.get("state") or {}).get("status") == "bad"
        if not broken:
            break
        # It may have been down for a moment only.
        time.sleep(10)
        found = dremio.find(path) or found
    if not broken and not differs(config, found.get("config", {})):
        return
    # All else as it is, so that people's refresh and reflection settings stay.
    body = {key: value for key, value in found.items() if key not in ("children", "state", "permissions", "owner", "nextPageToken")}
    body["config"] = found.get("config", {}) | config | {secret_key: plain(password) if broken else KEEP}
    dremio.call("PUT", "/api/v3/catalog/" + urllib.parse.quote(found["id"], safe=""), body)
    say(f"corrected the {'credentials' if broken else 'settings'} of the source {name}")


def space(dremio: Dremio, name: str) -> None:
    if dremio.find("/api/v3/catalog/by-path/" + urllib.parse.quote(name)) is None:
        try:
            dremio.call("POST", "/api/v3/catalog", {"entityType": "space", "name": name})
            say(f"made the space {name}")
        except Refused as refused:
            if refused.status != 409:
                raise


def answers(host: str, port: int, seconds: int) -> bool:
    """A provider in a profile may be absent: then its name is unknown."""
    try:
        socket.getaddrinfo(host, port)
    except OSError:
        return False
    for _ in range(max(1, seconds // 3)):
        try:
            socket.create_connection((host, port), timeout=3).close()
            return True
        except OSError:
            time.sleep(3)
    return False


def lake(dremio: Dremio) -> None:
    # No list of buckets: a change to it would make Dremio forget the source's tables. The key opens only what the platform
    # granted to it.
    source(
        dremio,
        "lake",
        "S3",
        {
            "credentialType": "ACCESS_KEY",
            "accessKey": "dremio-storage",
            "secure": False,
            "rootPath": "/",
            # For object stores that are not Amazon's.
            "compatibilityMode": True,
            "defaultCtasFormat": "ICEBERG",
            "propertyList": [
                {"name": "fs.s3a.path.style.access", "value": "true"},
                {"name": "fs.s3a.endpoint", "value": "minio:9000"},
                {"name": "dremio.s3.compat", "value": "true"},
            ],
        },
        "accessSecret",
        secret("/run/secrets/minio-dremio-storage"),
        # A folder of files becomes a table when it is first queried: what Airbyte loads needs no step by hand.
        autoPromoteDatasets=True,
    )


def databases(dremio: Dremio) -> None:
    source(
        dremio,
        "postgresql",
        "POSTGRES",
        {
            "hostname": "postgresql",
            "port": str(5432),
            "databaseName": "serving",
            "username": "dremio",
            "authenticationType": "MASTER",
            "useSsl": False,
            "fetchSize": 2000,
        },
        "password",
        secret("/run/secrets/postgresql-dremio-database"),
    )


def search(dremio: Dremio) -> None:
    host, port = "elasticsearch", 9200
    if not answers(host, port, 60):
        say(f"{host}:{port} does not answer: no Elasticsearch source made or checked in this run")
        return
    source(
        dremio,
        "elasticsearch",
        "ELASTIC",
        {
            "hostList": [{"hostname": host, "port": port}],
            "authenticationType": "MASTER",
            "username": "dremio-search",
            "sslEnabled": False,
            # Only the hosts above: the addresses that nodes publish may lie on other networks.
            "useWhitelist": True,
        },
        "password",
        secret("/run/secrets/elasticsearch-dremio-search"),
    )


def main() -> None:
    dremio = Dremio()
    first_user(dremio)
    user(dremio, "superset_engine", "superset", secret("/run/secrets/dremio-superset-engine"))
    user(dremio, "dbt_engine", "dbt", secret("/run/secrets/dremio-dbt-engine"))
    user(dremio, "backup", "backup", secret("/run/secrets/dremio-backup"))
    user(dremio, "metrics", "metrics", secret("/run/secrets/dremio-metrics"))
    lake(dremio)
    databases(dremio)
    search(dremio)
    space(dremio, "silver")
    space(dremio, "gold")
    say("done")


try:
    main()
except Refused as refused:
    fail(str(refused))
