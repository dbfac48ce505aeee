"""Asks the programs themselves whether changes have the effects that a review says they have."""

import collections
import hashlib
import html.parser
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from cluster import Cluster
from report import Report, expect
from toolbox import Toolbox, run

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "review"


def pod(image: str = "registry.example.com/web:1.0.0") -> dict:
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"restartPolicy": "Always", "containers": [{"name": "web", "image": image}]},
    }


def workload(kind: str, **more: object) -> dict:
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": pod(), **more}
    return {"apiVersion": "apps/v1", "kind": kind, "spec": spec}


def job(image: str) -> dict:
    template = pod(image)
    template["spec"]["restartPolicy"] = "Never"
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": template}}


def stateful(size: str, image: str = "registry.example.com/web:1.0.0", service: str = "web") -> dict:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }
    found = workload("StatefulSet", serviceName=service, volumeClaimTemplates=[claim])
    found["spec"]["template"] = pod(image)
    return found


def claim(size: str, storage: str = "slow") -> dict:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "spec": {"storageClassName": storage, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def binding(role: str) -> dict:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "roleRef": reference, "subjects": []}


def service(port: int, address: str = "") -> dict:
    spec = {"ports": [{"port": port}], "selector": {"app": "web"}} | ({"clusterIP": address} if address else {})
    return {"apiVersion": "v1", "kind": "Service", "spec": spec}


def settings(text: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "immutable": True, "data": {"a": text}}


# What is applied first, what is applied over it, and whether a review says that the API server refuses that.
OBJECTS = {
    "deployment-image": (workload("Deployment"), workload("Deployment", template=pod("registry.example.com/web:1.1.0")), False),
    "deployment-replicas": (workload("Deployment", replicas=1), workload("Deployment", replicas=2), False),
    "deployment-selector": (
        workload("Deployment"),
        workload("Deployment", selector={"matchLabels": {"app": "web", "more": "x"}}, template={
            **pod(), "metadata": {"labels": {"app": "web", "more": "x"}},
        }),
        True,
    ),
    "statefulset-image": (stateful("1Gi"), stateful("1Gi", "registry.example.com/web:1.1.0"), False),
    "statefulset-claims": (stateful("1Gi"), stateful("2Gi"), True),
    "statefulset-service": (stateful("1Gi"), stateful("1Gi", service="other"), True),
    "job-template": (job("registry.example.com/web:1.0.0"), job("registry.example.com/web:1.1.0"), True),
    "claim-shrinks": (claim("2Gi"), claim("1Gi"), True),
    "claim-class": (claim("1Gi"), claim("1Gi", "fast"), True),
    "binding-role": (binding("one"), binding("other"), True),
    "service-port": (service(80), service(81), False),
    "service-address": (service(80, "10.96.7.7"), service(80, "10.96.7.8"), True),
    "immutable-settings": (settings("x"), settings("y"), True),
}  # fmt: skip

STACK = {
    "image": "registry.example.com/web:1.0.0",
    "environment": {"A": "1"},
    "deploy": {"replicas": 1, "resources": {"limits": {"memory": "64M"}}},
    "labels": {"lakewright.files": "a"},
    "depends_on": {"other": {"condition": "service_started"}},
    "ports": [{"target": 80, "published": "8080", "host_ip": "127.0.0.1"}],
}

# What changes of a service, and whether a review says that its container is made again.
SERVICES = {
    "image": ({"image": "registry.example.com/web:1.1.0"}, True),
    "environment": ({"environment": {"A": "2"}}, True),
    "memory": ({"deploy": {"replicas": 1, "resources": {"limits": {"memory": "96M"}}}}, True),
    "label": ({"labels": {"lakewright.files": "b"}}, True),
    "port": ({"ports": [{"target": 80, "published": "8081", "host_ip": "127.0.0.1"}]}, True),
    "replicas": ({"deploy": {"replicas": 2, "resources": {"limits": {"memory": "64M"}}}}, False),
    "depends_on": ({"depends_on": {"other": {"condition": "service_healthy"}}}, False),
    "profiles": ({"profiles": ["some"]}, False),
}


def bundle(folder: Path, target: str, name: str, value: object) -> Path:
    """Writes the least that is a bundle."""
    text = json.dumps(value)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    listed = {"path": name, "sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text.encode()), "executable": False}
    inventory = {
        "schema": 1, "generator": {"name": "lakewright", "version": "0"}, "platform": "review", "environment": "review",
        "target": target, "inputs": [], "keep": [], "secrets": [], "files": [listed],
    }  # fmt: skip
    (folder / "bundle.json").write_text(json.dumps(inventory), encoding="utf-8")
    return folder


def effects(compiler: Callable, folder: Path, target: str, name: str, old: object, new: object) -> set[str]:
    one, other = bundle(folder / "old", target, name, old), bundle(folder / "new", target, name, new)
    compiler("diff", one, other, "--format", "json", "-o", folder / "review.json")
    review = json.loads((folder / "review.json").read_text(encoding="utf-8"))
    found = {change["effect"] for change in review["environments"][0]["changes"]}
    expect(found, "the review finds no change")
    return found


def refused_by_the_server(tools: Toolbox, compiler: Callable) -> None:
    with Cluster(tools) as cluster, tempfile.TemporaryDirectory(prefix="lakewright-review-") as temporary:
        kubectl = [tools.path("kubectl"), "--kubeconfig", cluster.kubeconfig]
        run([*kubectl, "create", "namespace", NAMESPACE], env=cluster.environment)
        for case, (old, new, refused) in OBJECTS.items():
            folder = Path(temporary) / case
            named = [{**each, "metadata": {"name": case, "namespace": NAMESPACE}} for each in (old, new)]
            said = effects(compiler, folder, "kubernetes", "manifests/x.yaml", *named)
            apply = [*kubectl, "apply", "--server-side", "-f"]
            run([*apply, folder / "old/manifests/x.yaml"], env=cluster.environment)
            done = run([*apply, folder / "new/manifests/x.yaml"], env=cluster.environment, check=False)
            expect((done.returncode != 0) == refused, f"{case}: the API server says {done.stdout}{done.stderr}")
            expect(("refused" in said) == refused, f"{case}: the review says {said}")


def made_again_by_compose(tools: Toolbox, compiler: Callable) -> None:
    tools.need("docker-compose")
    other = {"image": "registry.example.com/other:1.0.0"}

    def digest(folder: Path) -> str:
        argv = [tools.path("docker-compose"), "-f", folder / "compose.yaml", "--profile", "*", "config", "--hash", "web"]
        return run(argv, cwd=folder).stdout.split()[-1]

    with tempfile.TemporaryDirectory(prefix="lakewright-review-") as temporary:
        for case, (change, again) in SERVICES.items():
            folder = Path(temporary) / case
            old, new = ({"name": "review", "services": {"web": STACK | more, "other": other}} for more in ({}, change))
            said = effects(compiler, folder, "compose", "compose.yaml", old, new)
            differs = digest(folder / "old") != digest(folder / "new")
            expect(differs == again, f"{case}: Compose's hash {'differs' if differs else 'is the same'}")
            expect(("recreate" in said) == again, f"{case}: the review says {said}")


class Seen(html.parser.HTMLParser):
    """What a browser made of a page: its elements, and its text."""

    def __init__(self, page: str):
        super().__init__()
        self.elements: collections.Counter[str] = collections.Counter()
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.loads += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def shown_by_a_browser(tools: Toolbox, compiler: Callable) -> None:
    browser = tools.path("chromium")
    with tempfile.TemporaryDirectory(prefix="lakewright-review-") as temporary:
        folder = Path(temporary)
        topology = ROOT / "examples/lakehouse/platform.toml"
        other = folder / "platform.toml"
        text = topology.read_text(encoding="utf-8")
        changed = text.replace("days = 30", "days = 7").replace("[components.superset]", "[components.superset]\nrow_limit = 900")
        expect(changed.count("days = 7") and changed.count("row_limit"), "the example has changed: change this test with it")
        other.write_text(changed, encoding="utf-8")
        for kind in ("json", "html"):
            compiler("diff", topology, other, "--format", kind, "-o", folder / f"review.{kind}")
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        words += ["--no-first-run", "--disable-sync", f"--user-data-dir={folder}/profile", "--dump-dom"]
        page = run([browser, *words, f"file://{folder}/review.html"], timeout=120).stdout
        seen, written = Seen(page), Seen((folder / "review.html").read_text(encoding="utf-8"))
        # A browser mends what is not well-formed: elements would come, go, or move.
        lost = written.elements - seen.elements
        expect(not lost, f"lost in the browser: {dict(lost)}")
        more = seen.elements - written.elements - collections.Counter({"tbody": seen.elements["table"]})
        expect(not more, f"added by the browser: {dict(more)}")
        expect(not seen.loads, f"it loads from elsewhere: {seen.loads}")
        review = json.loads((folder / "review.json").read_text(encoding="utf-8"))
        expect(seen.elements["svg"] == len(review["environments"]) == 3, f"{seen.elements['svg']} pictures")
        messages = [risk["message"] for one in review["environments"] for change in one["changes"] for risk in change["risks"]]
        expect(messages, "the review finds no risk")
        for message in messages:
            expect(" ".join(message.split()) in seen.text, f"not on the page: {message}")


def test_reviews(report: Report, tools: Toolbox, compiler: Callable) -> None:
    report.test("reviews/api-server-refuses", lambda: refused_by_the_server(tools, compiler))
    report.test("reviews/compose-makes-again", lambda: made_again_by_compose(tools, compiler))
    report.test("reviews/browser-shows", lambda: shown_by_a_browser(tools, compiler))
