"""What holds for a bundle of Kubernetes manifests: checks that read it, and checks in a control plane of the tests' own."""

import contextlib
import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster import PATIENCE, Cluster, is_true
from flows import connections, gateways, pod_labels
from report import Failure, Report, expect
from schemas import LOCATION, custom_resources, schemas
from toolbox import PATH, Toolbox, run

# Nodes of a zone.
NODES = 3

# Findings of Istio's analysis that are no faults, with the reason: (code, text in the message) -> why.
ISTIO_EXCEPTIONS: dict[tuple[str, str], str] = {
    ("IST0134", "ServiceEntry addresses are required"): "no bundle knows the addresses of a mail server: its port tells it from others",
}

WORKLOADS = {"Deployment": "deployments", "StatefulSet": "statefulsets"}

STORAGE = "storage.k8s.io/v1"
DEFAULT_CLASS = "standard"

APPLY = ("apply", "--server-side", "--field-manager=lakewright", "--validate=strict")


def is_kubernetes(bundle: Path) -> bool:
    return (bundle / "manifests").is_dir()


def manifests(bundle: Path) -> list[Path]:
    return sorted(path for path in (bundle / "manifests").rglob("*") if path.suffix in (".yaml", ".yml", ".json"))


def objects(tools: Toolbox, bundle: Path) -> list[dict]:
    """Every object of a bundle, in the order of application."""
    found = tools.yaml(*manifests(bundle))
    expect(found, "no manifests")
    return found


def flows_of(bundle: Path) -> dict:
    return json.loads((bundle / "flows.json").read_text(encoding="utf-8"))


Identity = tuple[str, str, str, str]


def identity(entry: dict) -> Identity:
    group = entry["apiVersion"].rpartition("/")[0]
    return group, entry["kind"], entry["metadata"].get("namespace", ""), entry["metadata"]["name"]


def called(who: Identity) -> str:
    group, kind, namespace, name = who
    return f"{kind}{'.' if group else ''}{group} {namespace}{'/' if namespace else ''}{name}"


# --- checks that read ---


def kubeconform(tools: Toolbox, bundle: Path) -> None:
    """Every object has a known kind and only the fields that this has."""
    location = f"{schemas(tools, flows_of(bundle)['kubernetes'])}/{LOCATION}"
    argv = [tools.path("kubeconform"), "-strict", "-schema-location", location, "-output", "json", "-summary", *manifests(bundle)]
    result = run(argv, check=False)
    expect(result.stdout.strip(), result.stderr)
    told = json.loads(result.stdout)
    said = [
        f"{Path(entry['filename']).relative_to(bundle)}: {entry['kind']} {entry['name']}: {entry['msg']}"
        for entry in told["resources"]
    ]
    expect(not said and result.returncode == 0, "\n".join(said) or result.stderr)
    expect(told["summary"]["valid"], "nothing was looked at")


def istio_analyze(tools: Toolbox, bundle: Path) -> None:
    """Istio's own analysis finds nothing."""
    argv = [tools.path("istioctl"), "analyze", "--use-kube=false", "--all-namespaces", "--output", "json"]
    with tempfile.TemporaryDirectory(prefix="lakewright-istio-") as home:
        result = run([*argv, bundle / "manifests"], check=False, env={"PATH": PATH, "HOME": home})
    try:
        found = json.loads(result.stdout)
    except ValueError:
        raise Failure(f"{result.stdout}\n{result.stderr}") from None
    said = []
    for entry in found:
        if any(entry["code"] == code and part in entry["message"] for code, part in ISTIO_EXCEPTIONS):
            continue
        said.append(f"{entry['level']} {entry['code']} {entry.get('origin', '')}: {entry['message']}")
    expect(not said, "\n".join(said))


def istio_validate(tools: Toolbox, bundle: Path) -> None:
    """Istio accepts what it would be given."""
    words = [word for path in manifests(bundle) for word in ("--filename", path)]
    with tempfile.TemporaryDirectory(prefix="lakewright-istio-") as home:
        result = run([tools.path("istioctl"), "validate", *words], check=False, merge=True, env={"PATH": PATH, "HOME": home})
    lines = [line for line in result.stdout.splitlines() if not line.endswith(" is valid")]
    expect(result.returncode == 0 and not lines, "\n".join(lines))


def netpol(tools: Toolbox, bundle: Path) -> None:
    connections(tools, objects(tools, bundle), flows_of(bundle))


def checkov(tools: Toolbox, bundle: Path) -> None:
    """Its rules hold, where no object says why one does not have to."""
    argv = [tools.pip("checkov", "checkov"), "--directory", bundle / "manifests", "--framework", "kubernetes", "--output", "json"]
    with tempfile.TemporaryDirectory(prefix="lakewright-checkov-") as home:
        environment = {"PATH": PATH, "HOME": home, "LANG": "C.UTF-8", "CHECKOV_RUN_SCA_PACKAGE_SCAN": "false"}
        result = run([*argv, "--quiet", "--compact", "--skip-download"], check=False, env=environment, cwd=home)
    try:
        told = json.loads(result.stdout)
    except ValueError:
        raise Failure(f"{result.stdout}\n{result.stderr}") from None
    expect(isinstance(told, dict) and told.get("summary", {}).get("passed"), f"nothing was looked at: {result.stdout[:2000]}")
    said = [f"{entry['check_id']} {entry['resource']}: {entry['check_name']}" for entry in told["results"]["failed_checks"]]
    said += [f"not read: {path}" for path in told["results"].get("parsing_errors") or []]
    expect(not said, "\n".join(sorted(said)))


# --- checks in a control plane ---


def apply(cluster: Cluster, bundle: Path) -> str:
    """Applies everything without a word of complaint; what was done."""
    result = cluster.kubectl(*APPLY, "--recursive", "--filename", bundle / "manifests", check=False)
    expect(result.returncode == 0 and not result.stderr.strip(), result.stderr or result.stdout)
    expect(result.stdout.strip(), "nothing was applied")
    return result.stdout


def stored(cluster: Cluster, bundle: Path) -> dict[Identity, dict]:
    """What the API server has of a bundle's objects."""
    words = ("--recursive", "--filename", bundle / "manifests", "--ignore-not-found", "--output", "json")
    got = json.loads(cluster.kubectl("get", *words).stdout or '{"kind": "List", "items": []}')
    found = got["items"] if got["kind"] == "List" else [got]
    return {identity(entry): entry for entry in found}


def begins_with_status(tools: Toolbox) -> set[tuple[str, str]]:
    """Kinds whose objects have a status to begin with. The API server writes that at the second application, which is
    not the bundle's doing."""
    return {("", "PersistentVolumeClaim")} | {
        (crd["spec"]["group"], crd["spec"]["names"]["kind"])
        for crd in json.loads(custom_resources(tools).read_text(encoding="utf-8"))["items"]
        for version in crd["spec"]["versions"]
        if "default" in version["schema"]["openAPIV3Schema"]["properties"].get("status", {})
    }


def but_status(entry: dict) -> dict:
    left = {"metadata": dict(entry["metadata"])} | {
        key: value for key, value in entry.items() if key not in ("metadata", "status")
    }
    for key in ("managedFields", "resourceVersion"):
        left["metadata"].pop(key, None)
    return left


def apply_again(tools: Toolbox, cluster: Cluster, bundle: Path) -> None:
    """A second application changes nothing, and all that was applied is there."""
    before = stored(cluster, bundle)
    missing = {identity(entry) for entry in objects(tools, bundle)} - set(before)
    expect(not missing, "not there: " + ", ".join(map(called, sorted(missing))))
    apply(cluster, bundle)
    after = stored(cluster, bundle)
    lenient = begins_with_status(tools)
    changed = []
    for who, entry in sorted(after.items()):
        if before[who]["metadata"]["resourceVersion"] == entry["metadata"]["resourceVersion"]:
            continue
        if who[:2] not in lenient or but_status(before[who]) != but_status(entry):
            changed.append(called(who))
    expect(not changed, "changed by a second application: " + ", ".join(changed))


def kustomize(tools: Toolbox, cluster: Cluster, bundle: Path) -> None:
    """Kustomize gives the same objects, and the API server takes them from it."""
    with tempfile.TemporaryDirectory(prefix="lakewright-kustomize-") as folder:
        file = Path(folder) / "all.yaml"
        file.write_text(cluster.kubectl("kustomize", bundle).stdout, encoding="utf-8")
        built = {identity(entry): entry for entry in tools.yaml(file)}
    plain = {identity(entry): entry for entry in objects(tools, bundle)}
    said = [f"only in manifests/: {called(who)}" for who in sorted(set(plain) - set(built))]
    said += [f"only from kustomize: {called(who)}" for who in sorted(set(built) - set(plain))]
    said += [f"differs: {called(who)}" for who in sorted(set(plain) & set(built)) if plain[who] != built[who]]
    expect(not said, "\n".join(said))
    result = cluster.kubectl(*APPLY, "--dry-run=server", "--kustomize", bundle, check=False)
    expect(result.returncode == 0 and not result.stderr.strip(), result.stderr or result.stdout)


def promised(budget: dict, expected: int) -> int:
    """How many of `expected` replicas a PodDisruptionBudget wants to be there at any time."""

    def amount(value: int | str) -> int:
        if isinstance(value, int):
            return value
        return math.ceil(int(value.removesuffix("%")) * expected / 100)

    spec = budget["spec"]
    if "minAvailable" in spec:
        return amount(spec["minAvailable"])
    return max(0, expected - amount(spec["maxUnavailable"]))


def matches(selector: dict, labels: dict[str, str]) -> bool:
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    for rule in selector.get("matchExpressions") or []:
        value, values = labels.get(rule["key"]), rule.get("values") or []
        held = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[rule["operator"]]
        if not held:
            return False
    return True


@dataclass(frozen=True)
class Workload:
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/{WORKLOADS[self.kind]}/{self.name}"


class Running:
    """A bundle's pods on nodes that only say that they run them, in zones."""

    def __init__(self, tools: Toolbox, cluster: Cluster, bundle: Path):
        self.cluster = cluster
        self.given = flows_of(bundle)
        self.zones = self.given.get("zones") or ["a", "b", "c"]
        everything = objects(tools, bundle)
        self.namespaces = {entry["metadata"]["name"] for entry in everything if entry["kind"] == "Namespace"}
        self.budgets = [entry for entry in everything if entry["kind"] == "PodDisruptionBudget"]
        self.schedules = [entry for entry in everything if entry["kind"] == "CronJob"]
        self.classes = {entry["metadata"]["name"] for entry in everything if entry["kind"] == "StorageClass"}
        self.claims = [entry for entry in everything if entry["kind"] == "PersistentVolumeClaim"]
        self.claims += [claim for entry in everything for claim in (entry.get("spec") or {}).get("volumeClaimTemplates") or []]
        self.scalers = [entry for entry in everything if entry["kind"] == "HorizontalPodAutoscaler"]
        # Pods that others make: an operator, the mesh.
        self.elsewhere = [(namespace, labels) for _, namespace, labels in gateways(everything)]
        self.elsewhere += [
            (self.given["namespace"], about["labels"]) for about in self.given["workloads"].values() if about["kind"] == "managed"
        ]
        self.labels = {
            Workload(entry["kind"], entry["metadata"]["namespace"], entry["metadata"]["name"]): pod_labels(entry)
            for entry in everything
            if entry["kind"] in WORKLOADS
        }

    # --- what is there ---

    def pods(self) -> list[dict]:
        return [pod for pod in self.cluster.items("/api/v1/pods") if pod["metadata"]["namespace"] in self.namespaces]

    def minimum(self, workload: Workload) -> int:
        """The replicas that an autoscaler keeps at least."""
        for scaler in self.scalers:
            target = scaler["spec"]["scaleTargetRef"]
            if (target["kind"], scaler["metadata"]["namespace"], target["name"]) == (
                workload.kind,
                workload.namespace,
                workload.name,
            ):
                return scaler["spec"].get("minReplicas", 1)
        return 0

    def wanted(self, workload: Workload) -> int:
        return max(self.cluster.get(workload.path)["spec"]["replicas"], self.minimum(workload))

    def zone_of(self, pod: dict, nodes: dict[str, str]) -> str | None:
        return nodes.get(pod["spec"].get("nodeName", ""))

    @staticmethod
    def over(pod: dict) -> bool:
        return pod.get("status", {}).get("phase") in ("Succeeded", "Failed") or "deletionTimestamp" in pod["metadata"]

    def troubles(self, pods: list[dict]) -> list[str]:
        """Pods that do not run, and why."""
        said = []
        for pod in pods:
            if self.over(pod) or is_true(pod, "Ready"):
                continue
            reasons = [
                entry.get("message", "")
                for entry in pod.get("status", {}).get("conditions") or []
                if entry["type"] == "PodScheduled" and entry["status"] == "False"
            ]
            said.append(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}: {'; '.join(reasons) or 'not ready'}")
        return said

    def missing(self, pods: list[dict]) -> list[str]:
        """Workloads with fewer or more pods than they want, and jobs that are not over."""
        said = []
        there = [pod for pod in pods if not self.over(pod)]
        for workload, labels in self.labels.items():
            # Their own word for it (status.replicas) is late.
            have, want = self.count(there, workload.namespace, {"matchLabels": labels}), self.wanted(workload)
            if have != want:
                said.append(f"{workload}: {have} pods, {want} wanted")
        for job in self.cluster.items("/apis/batch/v1/jobs"):
            status = job.get("status", {})
            if (
                job["metadata"]["namespace"] in self.namespaces
                and not is_true(job, "Complete")
                and not job["spec"].get("suspend")
            ):
                said.append(f"Job {job['metadata']['name']}: {json.dumps(status)}")
        if said:
            for event in self.cluster.items("/api/v1/events"):
                if event.get("type") == "Warning" and event.get("reason", "").startswith("FailedCreate"):
                    said.append(f"{event['involvedObject']['kind']} {event['involvedObject']['name']}: {event['message']}")
        return list(dict.fromkeys(said))

    # --- what is done to it ---

    def provide(self) -> None:
        """Volumes for the claims that need one, in the zone of the node that the scheduler chose: a storage driver's part."""
        claims = self.cluster.items("/api/v1/persistentvolumeclaims")
        open_claims = [claim for claim in claims if not claim["spec"].get("volumeName")]
        if not open_claims:
            return
        nodes = self.cluster.nodes()
        classes = {entry["metadata"]["name"]: entry for entry in self.cluster.items(f"/apis/{STORAGE}/storageclasses")}
        for claim in open_claims:
            about = claim["metadata"]
            node = (about.get("annotations") or {}).get("volume.kubernetes.io/selected-node")
            storage = classes.get(claim["spec"].get("storageClassName", ""))
            if node not in nodes or storage is None or storage["provisioner"] == "kubernetes.io/no-provisioner":
                continue
            zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [nodes[node]]}
            volume = {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"pvc-{about['uid']}"},
                "spec": {
                    "accessModes": claim["spec"]["accessModes"],
                    "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                    "claimRef": {
                        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                        "namespace": about["namespace"], "name": about["name"], "uid": about["uid"],
                    },
                    "csi": {"driver": storage["provisioner"], "volumeHandle": about["uid"]},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
                    "persistentVolumeReclaimPolicy": storage.get("reclaimPolicy", "Delete"),
                    "storageClassName": storage["metadata"]["name"],
                    "volumeMode": claim["spec"].get("volumeMode", "Filesystem"),
                },
            }  # fmt: skip
            try:
                self.cluster.create("/api/v1/persistentvolumes", volume)
            except Failure as failure:
                if ": 409 " not in str(failure):  # made a moment ago, and not bound yet
                    raise

    def settle(self, *, all_run: bool, seconds: float = PATIENCE) -> None:
        """Waits until every workload has its pods, and every pod runs or, unless all must, cannot be placed."""
        last: list[str] = []

        def done() -> bool:
            nonlocal last
            self.provide()
            pods = self.pods()
            missing = self.missing(pods)
            last = missing + self.troubles(pods)
            if all_run:
                return not last
            return not missing and all(self.over(pod) or is_true(pod, "Ready") or self.cannot_be_placed(pod) for pod in pods)

        self.cluster.wait("pods", done, seconds, lambda: "\n".join(last))

    @staticmethod
    def cannot_be_placed(pod: dict) -> bool:
        return any(
            entry["type"] == "PodScheduled" and entry["status"] == "False" and entry.get("reason") == "Unschedulable"
            for entry in pod.get("status", {}).get("conditions") or []
        )

    def remove(self, pods: list[dict]) -> None:
        for pod in pods:
            self.cluster.delete(f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}")

    # --- tests ---

    def add_classes(self) -> None:
        """Storage that the bundle expects in its cluster: a default, and what claims ask for by name."""
        wanted = {DEFAULT_CLASS}
        for claim in self.claims:
            wanted.add(claim["spec"].get("storageClassName") or DEFAULT_CLASS)
        there = self.classes | {entry["metadata"]["name"] for entry in self.cluster.items(f"/apis/{STORAGE}/storageclasses")}
        for name in sorted(wanted - there):
            default = {"storageclass.kubernetes.io/is-default-class": "true"} if name == DEFAULT_CLASS else {}
            self.cluster.create(
                f"/apis/{STORAGE}/storageclasses",
                {
                    "apiVersion": STORAGE,
                    "kind": "StorageClass",
                    "metadata": {"name": name, "annotations": default},
                    "provisioner": "storage.example.com",
                    "volumeBindingMode": "WaitForFirstConsumer",
                },
            )

    def schedule(self, seconds: float = PATIENCE) -> None:
        """All pods find a node and run; jobs end, also those that wait for their hour."""
        self.add_classes()
        if "kwok" not in self.cluster.processes:
            self.cluster.control(self.zones, NODES)
        for entry in self.schedules:
            about = entry["metadata"]
            name = f"test-{about['name']}"[:52].rstrip("-")
            self.cluster.delete(f"/apis/batch/v1/namespaces/{about['namespace']}/jobs/{name}")
            self.cluster.kubectl("create", "job", name, f"--from=cronjob/{about['name']}", "--namespace", about["namespace"])
        expect(self.labels, "no workloads")
        self.settle(all_run=True, seconds=seconds)

    def unprotected(self) -> list[str]:
        """PodDisruptionBudgets that protect nothing, or allow nothing."""
        said = []
        for budget in self.budgets:
            namespace, selector = budget["metadata"]["namespace"], budget["spec"]["selector"]
            theirs = [
                workload
                for workload, labels in self.labels.items()
                if workload.namespace == namespace and matches(selector, labels)
            ]
            name = f"PodDisruptionBudget {namespace}/{budget['metadata']['name']}"
            if not theirs:
                if not any(namespace == place and matches(selector, labels) for place, labels in self.elsewhere):
                    said.append(f"{name}: no workload has the labels it selects")
            elif promised(budget, sum(map(self.wanted, theirs))) >= sum(map(self.wanted, theirs)):
                said.append(f"{name}: no pod may ever be evicted")
        return said

    def shortages(self, pods: list[dict]) -> list[str]:
        """Budgets and quorums that `pods`, which run, fall short of."""
        said = []
        for budget in self.budgets:
            namespace, selector = budget["metadata"]["namespace"], budget["spec"]["selector"]
            theirs = [
                workload
                for workload, labels in self.labels.items()
                if workload.namespace == namespace and matches(selector, labels)
            ]
            if not theirs:
                continue
            want = promised(budget, sum(map(self.wanted, theirs)))
            have = self.count(pods, namespace, selector)
            if have < want:
                said.append(f"PodDisruptionBudget {namespace}/{budget['metadata']['name']}: {have} pods run, {want} are promised")
        for name, about in self.given["workloads"].items():
            # A single pod is down while it moves: who wrote the topology was told.
            if about["kind"] in WORKLOADS and about["replicas"] > 1:
                have = self.count(pods, self.given["namespace"], {"matchLabels": about["labels"]})
                if have < about["quorum"]:
                    said.append(f"{name}: {have} pods run, the quorum is {about['quorum']}")
        return said

    @staticmethod
    def count(pods: list[dict], namespace: str, selector: dict) -> int:
        return sum(
            pod["metadata"]["namespace"] == namespace and matches(selector, pod["metadata"].get("labels") or {}) for pod in pods
        )

    def lose(self, zone: str) -> list[str]:
        """What is wrong while a zone is gone; it is back afterwards, and everything runs."""
        said = []
        nodes = self.cluster.nodes()
        before = self.pods()
        lost = [pod for pod in before if self.zone_of(pod, nodes) == zone]
        left = [pod for pod in before if pod not in lost and is_true(pod, "Ready") and not self.over(pod)]
        said += [f"at once: {text}" for text in self.shortages(left)]
        for name in (name for name, place in nodes.items() if place == zone):
            self.cluster.delete(f"/api/v1/nodes/{name}")
        # Which the controllers would do too, after some minutes.
        self.remove(lost)
        self.settle(all_run=False)
        now = [pod for pod in self.pods() if is_true(pod, "Ready") and not self.over(pod)]
        said += [f"later: {text}" for text in self.shortages(now)]
        protected = [(budget["metadata"]["namespace"], budget["spec"]["selector"]) for budget in self.budgets]
        for workload, labels in self.labels.items():
            if any(workload.namespace == namespace and matches(selector, labels) for namespace, selector in protected):
                continue
            have = self.count(now, workload.namespace, {"matchLabels": labels})
            if have < self.wanted(workload) and not self.is_tied(workload):
                said.append(
                    f"later: {workload}: {have} pods run of {self.wanted(workload)}, and no volume keeps them from moving"
                )
        self.cluster.add_nodes(zone, NODES)
        # What moved goes back, so that the next zone's loss meets the places that a scheduler gives, not a heap.
        names = {pod["metadata"]["uid"] for pod in before if pod not in lost}
        self.remove([pod for pod in self.pods() if pod["metadata"]["uid"] not in names])
        self.settle(all_run=True)
        return [f"without zone {zone}, {text}" for text in said]

    def is_tied(self, workload: Workload) -> bool:
        """Whether pods have volumes of their own, which are in one zone."""
        spec = self.cluster.get(workload.path)["spec"]
        if spec.get("volumeClaimTemplates"):
            return True
        return any("persistentVolumeClaim" in volume for volume in spec["template"]["spec"].get("volumes") or [])

    def lose_each_zone(self) -> None:
        """Whichever zone is lost, every service keeps what its PodDisruptionBudget promises, and a quorum."""
        expect(len(self.zones) > 1, "there is one zone only")
        said = self.unprotected()
        for zone in self.zones:
            said += self.lose(zone)
        expect(not said, "\n".join(said))


Check = Callable[[Toolbox, Path], None]

# Tests that read a bundle, and tests that need a control plane.
READING: dict[str, Check] = {
    "kubeconform": kubeconform,
    "istio-analyze": istio_analyze,
    "istio-validate": istio_validate,
    "connections": netpol,
    "checkov": checkov,
}
RUNNING = ("apply", "apply-again", "kustomize", "schedule", "zones")


def test_manifests(report: Report, label: str, bundle: Path, tools: Toolbox) -> None:
    """Everything that holds for one bundle."""
    for name, check in READING.items():
        report.test(f"{label}/{name}", lambda check=check: check(tools, bundle))
    if not any(report.wants(f"{label}/{name}") for name in RUNNING):
        return
    with contextlib.ExitStack() as stack:
        clusters: list[Cluster] = []
        if not report.test(f"{label}/cluster", lambda: clusters.append(stack.enter_context(Cluster(tools))), always=True):
            return
        cluster = clusters[0]
        if not report.test(f"{label}/custom-resources", lambda: cluster.define(objects(tools, bundle)), always=True):
            return
        if not report.test(f"{label}/apply", lambda: apply(cluster, bundle), always=True):
            return
        report.test(f"{label}/apply-again", lambda: apply_again(tools, cluster, bundle))
        report.test(f"{label}/kustomize", lambda: kustomize(tools, cluster, bundle))
        if any(report.wants(f"{label}/{name}") for name in ("schedule", "zones")):
            running = Running(tools, cluster, bundle)
            if report.test(f"{label}/schedule", running.schedule, always=True):
                report.test(f"{label}/zones", running.lose_each_zone)
