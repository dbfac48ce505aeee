"""A small Kubernetes bundle without a fault, for showing that the tests see faults."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

NAMESPACE = "sample"
POLICY = "networking.k8s.io/v1"

Objects = dict[str, dict]


def labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "sample"}


def meta(name: str, **more: object) -> dict:
    return {"name": name, "namespace": NAMESPACE, "labels": labels(name), **more}


def pod(name: str, port: int) -> dict:
    return {
        "metadata": {"labels": labels(name) | {"app.kubernetes.io/version": "1"}},
        "spec": {
            "serviceAccountName": name,
            "automountServiceAccountToken": False,
            "priorityClassName": "sample",
            "securityContext": {"runAsNonRoot": True, "runAsUser": 20000, "seccompProfile": {"type": "RuntimeDefault"}},
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "nodeTaintsPolicy": "Honor",
                    "labelSelector": {"matchLabels": labels(name)},
                }
            ],
            "containers": [
                {
                    "name": name,
                    "image": f"sample.example/{name}@sha256:{'0123456789abcdef' * 4}",
                    "imagePullPolicy": "Always",
                    "ports": [{"name": "tcp-main", "containerPort": port}],
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "64Mi"},
                        "limits": {"cpu": "1", "memory": "64Mi"},
                    },
                    "livenessProbe": {"tcpSocket": {"port": port}},
                    "readinessProbe": {"tcpSocket": {"port": port}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def workload(kind: str, name: str, port: int, replicas: int, **more: object) -> dict:
    spec = {"replicas": replicas, "selector": {"matchLabels": labels(name)}, "template": pod(name, port), **more}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta(name), "spec": spec}


def service(name: str, port: int, **more: object) -> dict:
    port_of = {"name": "tcp-main", "port": port, "targetPort": "tcp-main", "appProtocol": "tcp"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta(name),
        "spec": {"selector": labels(name), "ports": [port_of], **more},
    }


def account(name: str) -> dict:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name), "automountServiceAccountToken": False}


def budget(name: str) -> dict:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": labels(name)}, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta(name), "spec": spec}


def policy(name: str, selector: dict, **spec: object) -> dict:
    types = [kind for kind in ("Ingress", "Egress") if kind.lower() in spec or name == "deny"]
    return {
        "apiVersion": POLICY,
        "kind": "NetworkPolicy",
        "metadata": meta(name),
        "spec": {"podSelector": selector, "policyTypes": types, **spec},
    }


def only(name: str) -> dict:
    return {"podSelector": {"matchLabels": labels(name)}}


def tcp(port: int) -> list[dict]:
    return [{"protocol": "TCP", "port": port}]


def address(cidr: str, except_: list[str] | None = None) -> dict:
    return {"ipBlock": {"cidr": cidr, "except": except_} if except_ else {"cidr": cidr}}


def namespace(name: str) -> dict:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


DNS = namespace("kube-system") | {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
MESH = namespace("istio-system") | {"podSelector": {"matchLabels": {"app": "istiod"}}}


def objects() -> Objects:
    """By the path of their file under manifests/."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {
        "00-cluster/class.yaml": {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "sample"},
            "provisioner": "storage.example.com",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
        "00-cluster/namespace.yaml": {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": levels | {"istio-injection": "enabled"}},
        },
        "00-cluster/priority.yaml": {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "sample"},
            "value": 1000,
        },
        "10-platform/deny.yaml": policy("deny", {}),
        "10-platform/mutual.yaml": {
            "apiVersion": "security.istio.io/v1",
            "kind": "PeerAuthentication",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {"mtls": {"mode": "STRICT"}},
        },
        "20-db/account.yaml": account("db"),
        "20-db/budget.yaml": budget("db"),
        "10-platform/gateway.yaml": {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": meta("door"),
            "spec": {
                "gatewayClassName": "istio",
                "listeners": [{"name": "http", "port": 8443, "protocol": "HTTP", "hostname": "web.example.com"}],
            },
        },
        "10-platform/gateway-policy.yaml": policy(
            "door", {"matchLabels": {"gateway.networking.k8s.io/gateway-name": "door"}},
            egress=[{"to": [only("web")], "ports": tcp(8080)}, {"to": [MESH], "ports": tcp(15012)}],
            ingress=[{"from": [address("0.0.0.0/0")], "ports": tcp(8443)}],
        ),
        "10-platform/names.yaml": policy("names", {}, egress=[{"to": [DNS], "ports": [*tcp(53), {"protocol": "UDP", "port": 53}]}]),
        "10-platform/mesh.yaml": policy(
            "mesh",
            {"matchExpressions": [{"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]}]},
            egress=[{"to": [MESH], "ports": tcp(15012)}],
        ),
        "20-db/from-web.yaml": policy("db", {"matchLabels": labels("db")}, ingress=[{"from": [only("web")], "ports": tcp(5432)}]),
        "20-files/policy.yaml": policy(
            "files", {"matchLabels": labels("files")},
            ingress=[
                {"from": [only("web")], "ports": tcp(9000)},
                {"from": [namespace("files-system")], "ports": tcp(9443)},
            ],
            egress=[{"to": [address("0.0.0.0/0")], "ports": [*tcp(443), *tcp(6443)]}],
        ),
        "20-db/service.yaml": service("db", 5432, clusterIP="None"),
        "20-db/workload.yaml": workload(
            "StatefulSet", "db", 5432, 3,
            serviceName="db",
            volumeClaimTemplates=[
                {
                    "metadata": {"name": "data"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "storageClassName": "sample",
                        "resources": {"requests": {"storage": "1Gi"}},
                    },
                }
            ],
        ),
        "30-web/account.yaml": account("web"),
        "30-web/budget.yaml": budget("web"),
        "30-web/policy.yaml": policy(
            "web", {"matchLabels": labels("web")},
            egress=[
                {"to": [only("db")], "ports": tcp(5432)},
                {"to": [only("files")], "ports": tcp(9000)},
                {"to": [address("0.0.0.0/0", except_=["10.0.0.0/8"])], "ports": tcp(587)},
            ],
            ingress=[{"from": [{"podSelector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": "door"}}}], "ports": tcp(8080)}],
        ),
        "30-web/service.yaml": service("web", 8080),
        "30-web/scaler.yaml": {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": meta("web"),
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 3,
                "maxReplicas": 5,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
            },
        },
        "30-web/workload.yaml": workload("Deployment", "web", 8080, 3),
    }  # fmt: skip


def flows() -> dict:
    """As a bundle's flows.json."""

    def of(kind: str, name: str, **more: object) -> dict:
        return {"kind": kind, "labels": labels(name), "mesh": True, "replicas": 3, "quorum": 1, **more}

    return {
        "kubernetes": "1.36",
        "namespace": NAMESPACE,
        "zones": ["a", "b", "c"],
        "flows": [
            {"from": "web", "to": "db", "port": 5432, "protocol": "tcp"},
            {"from": "web", "to": "files", "port": 9000, "protocol": "http"},
            {"from": "web", "to": "outside", "host": "mail.example.com", "port": 587, "protocol": "tcp"},
            {"from": "files", "to": "kubernetes-api", "protocol": "tcp"},
            {"from": "files-system", "to": "files", "port": 9443, "protocol": "tcp"},
            {"from": "gateway", "to": "web", "port": 8080, "protocol": "http"},
            {"from": "outside", "to": "gateway", "port": 8443, "protocol": "tcp"},
            {"from": "*", "to": "dns", "port": 53, "protocol": "tcp and udp"},
            {"from": "*", "to": "mesh", "port": 15012, "protocol": "tcp"},
        ],
        "workloads": {
            "web": of("Deployment", "web"),
            "db": of("StatefulSet", "db", quorum=2),
            "files": of("managed", "files", mesh=False),
        },
    }


def write(folder: Path, change: Callable[[Objects], None] | None = None, namespace: str = NAMESPACE) -> Path:
    """A bundle in `folder`, after `change` had its way with the objects."""
    everything = copy.deepcopy(objects())
    if change is not None:
        change(everything)
    for path, content in everything.items():
        file = folder / "manifests" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        # JSON is YAML.
        file.write_text(json.dumps(content, indent=1).replace(f'"{NAMESPACE}"', f'"{namespace}"'), encoding="utf-8")
    (folder / "flows.json").write_text(json.dumps(flows()).replace(f'"{NAMESPACE}"', f'"{namespace}"'), encoding="utf-8")
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization | {"resources": ["manifests"]}), encoding="utf-8")
    (folder / "manifests/Kustomization").write_text(
        json.dumps(kustomization | {"resources": sorted(everything)}), encoding="utf-8"
    )
    return folder
