"""Whether NetworkPolicies allow the connections that a bundle declares, and no others."""

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from report import expect
from toolbox import Toolbox, run

WORKLOADS = ("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet")

# What a bundle connects to without having its pods: where they are, and the labels by which they are known.
AROUND = {
    "dns": ("kube-system", {"k8s-app": "kube-dns"}),
    "mesh": ("istio-system", {"app": "istiod", "istio": "pilot"}),
}

# Pods that nobody declared: in a namespace of their own, and in every one of the bundle's.
STRANGER = "stranger"
STRANGERS = "strangers"

# In flows: every workload of the bundle, any address, the pods that let requests in, the Kubernetes API.
ANY = "*"
OUTSIDE = "outside"
GATEWAY = "gateway"
SERVER = "kubernetes-api"

# The API by its Service and behind it: where no port is declared, policies let both through.
SERVER_PORTS = (443, 6443)

# With this label, a pod has no sidecar and no business with the mesh.
NO_SIDECAR = {"sidecar.istio.io/inject": "false"}

# In place of a number: every port.
ALL_PORTS = 0


@dataclass(frozen=True, order=True)
class Flow:
    source: str
    target: str
    protocol: str
    port: int

    def __str__(self) -> str:
        return f"{self.source} -> {self.target} {self.protocol} {self.port}"


def protocols(word: str) -> list[str]:
    """What carries a protocol: everything that is not UDP is carried by TCP."""
    return ["tcp", "udp"] if word == "tcp and udp" else ["udp" if word == "udp" else "tcp"]


def stand_in(name: str, namespace: str, labels: dict[str, str]) -> dict:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": "none"}]}},
        },
    }


def pod_labels(workload: dict) -> dict[str, str]:
    spec = workload.get("spec") or {}
    if workload["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    holder = workload if workload["kind"] == "Pod" else spec["template"]
    return (holder.get("metadata") or {}).get("labels") or {}


def gateways(objects: list[dict]) -> list[tuple[str, str, dict[str, str]]]:
    """Gateways whose pods the mesh makes: name, namespace, labels of pods."""
    return [
        (
            f"{entry['metadata']['name']}-{entry['spec']['gatewayClassName']}",
            entry["metadata"].get("namespace", ""),
            {"gateway.networking.k8s.io/gateway-name": entry["metadata"]["name"]} | NO_SIDECAR,
        )
        for entry in objects
        if entry["kind"] == "Gateway" and entry["apiVersion"].startswith("gateway.networking.k8s.io/")
    ]


class Scene:
    """The objects that decide who meets whom, with stand-ins for pods that come from elsewhere."""

    def __init__(self, objects: list[dict], given: dict):
        self.given = given
        self.objects = [entry for entry in objects if entry["kind"] in ("NetworkPolicy", *WORKLOADS)]
        self.namespaces = {entry["metadata"]["name"]: entry for entry in objects if entry["kind"] == "Namespace"}
        # As the analyzer names a workload -> as the bundle does.
        self.names: dict[str, str] = {}
        self.problems: list[str] = []
        # Ends of flows that are not the bundle's.
        self.around = {OUTSIDE, STRANGER, *AROUND}
        inside = sorted(self.namespaces)
        for name, about in given["workloads"].items():
            self.place(name, about)
        self.place_gateway(objects)
        for name, (namespace, labels) in AROUND.items():
            self.add(name, name, namespace, labels)
        # Whoever else connects is a namespace: that of an operator.
        for name in {flow["from"] for flow in given["flows"]} - {ANY, GATEWAY, *given["workloads"]} - self.around:
            self.around.add(name)
            self.add(name, "operator", name, {"app": "operator"})
        for namespace in (STRANGERS, *inside):
            self.add(STRANGER, STRANGER, namespace, {"app": STRANGER})

    def add(self, name: str, called: str, namespace: str, labels: dict[str, str]) -> None:
        self.objects.append(stand_in(called, namespace, labels))
        self.names[f"{namespace}/{called}[Deployment]"] = name
        self.namespaces.setdefault(namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})

    def place(self, name: str, about: dict) -> None:
        kind, labels = about["kind"], about["labels"]
        namespace = self.given["namespace"]
        if kind == "managed":
            for called in (f"stand-in-{name}", f"stand-in-{name}-replica"):
                self.add(name, called, namespace, labels if about.get("mesh", True) else labels | NO_SIDECAR)
            return
        found = [
            entry
            for entry in self.objects
            if entry["kind"] == kind
            and entry["metadata"].get("namespace") == namespace
            and labels.items() <= pod_labels(entry).items()
        ]
        if len(found) != 1:
            names = ", ".join(entry["metadata"]["name"] for entry in found) or "none"
            self.problems.append(f"{name}: {kind} with the labels {labels} in {namespace}: {names}")
        for entry in found:
            self.names[f"{namespace}/{entry['metadata']['name']}[{kind}]"] = name
            # The analyzer does not say what replicas of one workload may do to each other.
            self.add(name, f"{entry['metadata']['name']}-replica", namespace, pod_labels(entry))

    def place_gateway(self, objects: list[dict]) -> None:
        """The gateway's pods: those that the mesh will make, or the Deployment that an Istio gateway selects."""
        for name, namespace, labels in gateways(objects):
            self.add(GATEWAY, name, namespace, labels)
        for entry in objects:
            if entry["kind"] == "Gateway" and entry["apiVersion"].startswith("networking.istio.io/"):
                chosen = entry["spec"]["selector"].items()
                for pods in [
                    pods for pods in self.objects if pods["kind"] == "Deployment" and chosen <= pod_labels(pods).items()
                ]:
                    self.names[f"{pods['metadata']['namespace']}/{pods['metadata']['name']}[Deployment]"] = GATEWAY

    # --- what is declared ---

    def declared(self) -> set[Flow]:
        workloads = self.given["workloads"]
        own = [*workloads, *([GATEWAY] if GATEWAY in self.names.values() else [])]
        result = set()
        for flow in self.given["flows"]:
            sources = [flow["from"]]
            if flow["from"] == ANY:
                # Who is not in the mesh has nothing to ask it.
                sources = [name for name in own if flow["to"] != "mesh" or workloads.get(name, {}).get("mesh", True)]
            target = OUTSIDE if flow["to"] == SERVER else flow["to"]
            for source in sources:
                for protocol in protocols(flow["protocol"]):
                    if flow.get("port"):
                        result.add(Flow(source, target, protocol, flow["port"]))
                    elif flow["to"] == SERVER:
                        result |= {Flow(source, target, protocol, port) for port in SERVER_PORTS}
                    else:
                        result.add(Flow(source, target, "all", ALL_PORTS))
        # Where everything is allowed, nothing else has to be.
        everything = {(flow.source, flow.target) for flow in result if flow.port == ALL_PORTS}
        return {flow for flow in result if flow.port == ALL_PORTS or (flow.source, flow.target) not in everything}

    # --- what is allowed ---

    def write(self, folder: Path) -> None:
        for name, namespace in self.namespaces.items():
            # Which the API server adds.
            namespace["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        for number, entry in enumerate([*self.namespaces.values(), *self.objects]):
            (folder / f"{number:05}.json").write_text(json.dumps(entry), encoding="utf-8")

    def peer(self, text: str) -> str:
        """As the bundle calls it; addresses are outside, whichever they are."""
        if re.fullmatch(r"[\d./,\s-]+", text):
            return OUTSIDE
        return self.names.get(text, text)

    def flows(self, found: list[dict]) -> set[Flow]:
        """What an analysis found, as far as a bundle has a say in it."""
        result = set()
        for entry in found:
            source, target = self.peer(entry["src"]), self.peer(entry["dst"])
            # The cluster's own pods may talk as they like: to each other, and to whatever is not the bundle's.
            if not (self.guarded(source) or self.guarded(target)):
                continue
            for protocol, port in ports(entry["conn"]):
                result.add(Flow(source, target, protocol, port))
        return result

    def guarded(self, name: str) -> bool:
        """Whether it is the bundle's own."""
        return name not in self.around


def ports(text: str) -> list[tuple[str, int]]:
    """The single ports of `TCP 80,443 UDP 53`; a range is its two ends, which no bundle declares."""
    if text == "All Connections":
        return [("all", ALL_PORTS)]
    result = []
    for protocol, numbers in re.findall(r"(TCP|UDP|SCTP) ([\d-]+(?:,[\d-]+)*)", text):
        for number in numbers.split(","):
            result += [(protocol.lower(), int(end)) for end in dict.fromkeys(number.split("-"))]
    return result or [(text.lower(), ALL_PORTS)]


def connections(tools: Toolbox, objects: list[dict], given: dict) -> None:
    """The connections that the policies allow are those that are declared."""
    scene = Scene(objects, given)
    wanted = scene.declared()
    expect(wanted, "no flows are declared")
    with tempfile.TemporaryDirectory(prefix="lakewright-policies-") as folder:
        scene.write(Path(folder))
        result = run([tools.path("netpolicy"), "list", "--dirpath", folder, "--output", "json", "--quiet"], check=False)
    expect(result.returncode == 0, result.stderr or result.stdout)
    found = scene.flows(json.loads(result.stdout or "[]"))
    said = list(scene.problems)
    said += [f"declared but not allowed: {flow}" for flow in sorted(wanted - found)]
    for flow in sorted(found - wanted):
        # Who lets everybody in does so for those too that are not the bundle's. Who may connect to any address can do so
        # to no pod: an address that a policy names stands for what is outside the cluster.
        if not scene.guarded(flow.source) and Flow(OUTSIDE, flow.target, flow.protocol, flow.port) in wanted:
            continue
        said.append(f"allowed but not declared: {flow}")
    expect(not said, "\n".join(said))
