"""Backups of Elasticsearch, by the blueprint's own scripts: against a stand-in that answers as Elasticsearch's API does and keeps its
snapshots in a folder, since Elasticsearch itself cannot be had everywhere."""

import fnmatch
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from backup_trial import Trial
from report import Report, expect
from toolbox import Toolbox

CONNECT = """
export ELASTICSEARCH=http://127.0.0.1:{port} ELASTIC_PASSWORD_FILE={folder}/password BUCKET=bucket
export RCLONE_CONFIG_LAKE_TYPE=alias RCLONE_CONFIG_LAKE_REMOTE={folder}/lake MIRROR_KEY={folder}/mirror.key
"""

BACKING = ".ds-logs-app-2026.11.23-000001"


class Cluster:
    """Indices with their documents, and repositories."""

    def __init__(self, lake: Path):
        self.lake = lake
        self.indices: dict[str, list[str]] = {}
        self.streams: dict[str, list[str]] = {}
        self.repositories: dict[str, dict] = {}
        self.asked: list[str] = []
        self.state = "SUCCESS"
        self.serial = 0

    def folder(self, name: str) -> Path:
        settings = self.repositories[name]["settings"]
        return self.lake / settings["bucket"] / settings["base_path"]

    def answer(self, method: str, path: str, query: dict, body: dict) -> tuple[int, object]:
        self.asked.append(f"{method} {path}")
        match [unquote(part) for part in path.strip("/").split("/")]:
            case ["_refresh"]:
                return 200, {}
            case ["_cat", "indices"]:
                return 200, [{"index": name, "docs.count": str(len(rows))} for name, rows in self.indices.items()]
            case ["_snapshot", name] if method == "PUT":
                self.repositories[name] = body
                return 200, {"acknowledged": True}
            case ["_snapshot", name] if method == "DELETE":
                return (200, {}) if self.repositories.pop(name, None) else (404, {})
            case ["_snapshot", _, "_current"]:
                return 200, {"snapshots": []}
            case ["_snapshot", name, snapshot] if method == "PUT":
                return self.snapshot(name, snapshot)
            case ["_snapshot", name, snapshot] if method == "DELETE":
                (self.folder(name) / f"meta-{snapshot}").unlink()
                return 200, {}
            case ["_snapshot", name, pattern]:
                paths = sorted(self.folder(name).glob("meta-*"))
                found = [json.loads(path.read_text()) for path in paths if fnmatch.fnmatch(path.name, f"meta-{pattern}")]
                return (200, {"snapshots": found}) if found else (404, {"error": "snapshot_missing_exception"})
            case ["_snapshot", name, snapshot, "_restore"]:
                return self.restore(name, snapshot, body)
            case ["_data_stream", name] if method == "DELETE":
                for index in self.streams.get(name, []):
                    self.indices.pop(index)
                return (200, {}) if self.streams.pop(name, None) else (404, {})
            case [name] if method == "DELETE":
                return (200, {}) if self.indices.pop(name, None) is not None else (404, {})
        return 400, {"error": f"{method} {path} {query}"}

    def snapshot(self, name: str, snapshot: str) -> tuple[int, object]:
        folder = self.folder(name)
        expect(not self.repositories[name]["settings"]["readonly"], "it writes to what is read only")
        folder.mkdir(parents=True, exist_ok=True)
        files = {}
        for index, rows in self.indices.items():
            # Files are never changed, and those of an index that did not change are shared.
            text = json.dumps(rows)
            known = [path for path in folder.glob("data-*") if path.read_text() == text]
            if not known:
                self.serial += 1
                known = [folder / f"data-{self.serial}"]
                known[0].write_text(text)
            files[index] = known[0].name
        (folder / "index.latest").write_text(str(self.serial))
        told = {
            "snapshot": snapshot, "state": self.state, "failures": [{"reason": "a node left"}], "indices": list(self.indices),
            "data_streams": list(self.streams), "feature_states": [
                {"feature_name": "kibana", "indices": [".kibana_1"]}, {"feature_name": "security", "indices": [".security-7"]}
            ],
            "files": files, "streams": self.streams,
        }  # fmt: skip
        (folder / f"meta-{snapshot}").write_text(json.dumps(told))
        return 200, {"snapshot": told}

    def restore(self, name: str, snapshot: str, body: dict) -> tuple[int, object]:
        folder = self.folder(name)
        told = json.loads((folder / f"meta-{snapshot}").read_text())
        prefix = body["rename_replacement"].removesuffix("$1") if "rename_pattern" in body else ""
        wanted = set()
        streams = {}
        for asked in body["indices"]:
            wanted |= set(told["streams"].get(asked, [asked]))
            if asked in told["streams"]:
                streams[prefix + asked] = [index[:4] + prefix + index[4:] for index in told["streams"][asked]]
        features = {feature["feature_name"]: feature["indices"] for feature in told["feature_states"]}
        for feature in body["feature_states"]:
            wanted |= set(features.get(feature, []))
            for index in features.get(feature, []):
                self.indices.pop(index, None)
        shards = {"total": len(wanted), "failed": 0, "successful": 0}
        for index in wanted:
            new = index[:4] + prefix + index[4:] if index.startswith(".ds-") else prefix + index
            if new in self.indices:
                return 500, {"error": f"cannot restore index [{new}]: an open index with same name already exists"}
            path = folder / told["files"][index]
            if path.exists():
                self.indices[new] = json.loads(path.read_text())
                shards["successful"] += 1
            else:
                shards["failed"] += 1
        self.streams |= streams
        return 200, {"snapshot": {"shards": shards}}


@contextmanager
def serve(cluster: Cluster) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            address = urlsplit(self.path)
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if self.headers.get("Authorization") != "Basic ZWxhc3RpYzpzZSJjcmV0":
                status, answer = 401, {"error": "security_exception"}
            else:
                status, answer = cluster.answer(self.command, address.path, parse_qs(address.query), json.loads(text or "{}"))
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = handle_any

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_search(report: Report, tools: Toolbox) -> None:
    """Backups of Elasticsearch: made, tried, put back, and refused when they are not whole."""
    report.test("backup/elasticsearch", lambda: check(tools))


def check(tools: Toolbox) -> None:
    tools.need("age", "age-keygen", "curl", "flock", "jq", "rclone")
    with tempfile.TemporaryDirectory(prefix="lakewright-search-") as temporary:
        folder = Path(temporary)
        cluster = Cluster(folder / "lake")
        with serve(cluster) as port:
            go(folder, cluster, port)


def go(folder: Path, cluster: Cluster, port: int) -> None:
    trial = Trial(folder, "elasticsearch", CONNECT.format(port=port, folder=folder))
    program, newest = trial.program, trial.newest
    (folder / "password").write_text('se"cret\n', encoding="utf-8")
    (folder / "mirror.key").write_text("key of the mirror\n", encoding="utf-8")

    cluster.indices = {
        "orders": ["a", "b", "c"], "odd %name": ["x"], "empty": [], BACKING: [str(number) for number in range(50)],
        ".kibana_1": ["dashboard"], ".security-7": ["user"],
    }  # fmt: skip
    cluster.streams = {"logs-app": [BACKING]}
    before = json.dumps([cluster.indices, cluster.streams], sort_keys=True)

    def same() -> None:
        now = json.dumps([cluster.indices, cluster.streams], sort_keys=True)
        expect(now == before, f"not as it was:\n{before}\n{now}")

    program("run")
    first = newest()
    mirror = b"".join(path.read_bytes() for path in (folder / "backup/mirror").rglob("*") if path.is_file())
    expect(mirror and b"orders" not in mirror, "the mirror is not encrypted")
    said = program("drill")
    expect("4 indices, 54 documents, as many as were copied" in said, said)
    same()
    expect(list(cluster.repositories) == ["lakewright"] and not (folder / "lake/bucket/drill").exists(), "the drill left something")

    # A second copy, of something else; the first can be put back all the same, and what no copy knows stays.
    cluster.indices |= {"orders": ["wrong"], ".kibana_1": ["other"]}
    del cluster.indices["empty"]
    program("run")
    expect(len(list((folder / "lake/bucket/snapshots").glob("meta-*"))) == 1, "old snapshots stay in the bucket")
    cluster.indices["new"] = ["n"]
    program("restore", first)
    expect(cluster.indices.pop("new") == ["n"], "what the copy does not have is gone")
    same()
    # Accounts are not put back: their passwords may be others by now.
    cluster.indices[".security-7"] = ["newer"]
    program("restore", first)
    expect(cluster.indices[".security-7"] == ["newer"], "accounts were put back")
    cluster.indices[".security-7"] = ["user"]
    same()

    # Everything is lost but the copies.
    cluster.indices, cluster.streams, cluster.repositories = {".security-7": ["user"]}, {}, {}
    shutil.rmtree(folder / "lake")
    program("restore", first)
    same()
    program("run")

    # A snapshot that is not whole is no copy, and none is lost for it.
    kept = newest()
    cluster.state = "PARTIAL"
    said = program("run", status=1)
    expect("the snapshot is PARTIAL" in said and newest() == kept, said)
    cluster.state = "SUCCESS"
    # A wrong password.
    (folder / "password").write_text("other\n", encoding="utf-8")
    expect("status 401" in program("run", status=1), "a wrong password goes unnoticed")
    (folder / "password").write_text('se"cret\n', encoding="utf-8")
    program("run")

    # What is missing in the mirror is noticed before anything is touched, by drills and by restores.
    for path in [*(folder / "backup/mirror").rglob("*")]:
        if path.is_file():
            path.unlink()
    for command in ("drill", "restore"):
        said = program(command, status=1)
        expect("missing in the mirror" in said, said)
    same()
