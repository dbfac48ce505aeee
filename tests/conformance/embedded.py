"""What holds for clusters inside services of an engine: their objects are held to the programs that Kubernetes bundles are."""

from pathlib import Path

from cluster import Cluster
from kubernetes import APPLY
from report import Report, expect
from schemas import LOCATION, schemas
from toolbox import Toolbox, run

# What runs beside a Swarm's stack, as Compose reads it.
BESIDE = "beside.yaml"

VERSION = "pod-security.kubernetes.io/enforce-version"


def clusters(bundle: Path) -> list[Path]:
    """The folders of objects, one for each cluster."""
    if not any((bundle / name).exists() for name in ("compose.yaml", BESIDE)):
        return []
    return sorted(path for path in bundle.glob("*/manifests") if path.is_dir())


def manifests(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))


def kubeconform(tools: Toolbox, folder: Path) -> None:
    """Every object has a known kind and only the fields that this has."""
    namespaces = [entry for entry in tools.yaml(*manifests(folder)) if entry["kind"] == "Namespace"]
    expect(len(namespaces) == 1, f"{len(namespaces)} namespaces")
    location = f"{schemas(tools, namespaces[0]['metadata']['labels'][VERSION].removeprefix('v'))}/{LOCATION}"
    result = run([tools.path("kubeconform"), "-strict", "-schema-location", location, *manifests(folder)], check=False, merge=True)
    expect(result.returncode == 0 and not result.stdout.strip(), result.stdout)


def node_ports(tools: Toolbox, folder: Path) -> list[int]:
    services = [entry for entry in tools.yaml(*manifests(folder)) if entry["kind"] == "Service"]
    return [port["nodePort"] for service in services for port in service["spec"]["ports"] if "nodePort" in port]


def apply(cluster: Cluster, folder: Path) -> None:
    """Applies file by file, by name, as the service does; without a word of complaint, and the second time too."""
    for _ in range(2):
        for path in manifests(folder):
            result = cluster.kubectl(*APPLY, "--filename", path, check=False)
            expect(result.returncode == 0 and not result.stderr.strip(), f"{path.name}: {result.stderr or result.stdout}")


def test_embedded(report: Report, label: str, folder: Path, tools: Toolbox) -> None:
    """Everything that holds for one cluster."""
    report.test(f"{label}/kubeconform", lambda: kubeconform(tools, folder))

    def applied() -> None:
        ports = node_ports(tools, folder)
        words = [f"--service-node-port-range={min(ports)}-{max(ports)}"] if ports else []
        with Cluster(tools, *words) as cluster:
            apply(cluster, folder)

    report.test(f"{label}/apply", applied)
