"""A Kubernetes bundle's own scripts, run against a control plane of the tests' own as its README says."""

import contextlib
import json
import re
import secrets
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cluster import Cluster
from kubernetes import NODES, Running, called, flows_of, identity, objects, stored
from report import Failure, Report, expect
from toolbox import Toolbox, run

TESTS = ("preflight-lacks", "preflight-passes", "secrets-script", "apply-dry-run", "apply-script", "apply-script-again", "bootstrap-smoke")

# What operators' installations bring, as far as the scripts look at it: namespace, labels, image.
OPERATORS = {
    "istiod": ("istio-system", {"app": "istiod"}, "istio/pilot:1.30.3"),
    "cert-manager": (
        "cert-manager",
        {"app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/component": "controller"},
        "jetstack/cert-manager-controller:v1.21.2",
    ),
    "cloudnative-pg": ("cnpg-system", {"app.kubernetes.io/name": "cloudnative-pg"}, "cloudnative-pg/cloudnative-pg:1.30.0"),
}

# Longest time that an application of everything may take here, where nothing that is started does anything.
APPLICATION = 300


def workload(kind: str, name: str, namespace: str, labels: dict[str, str], image: str) -> dict:
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": pod},
    }


class Scripts:
    """One bundle in a folder of its own, and the cluster that it is for."""

    def __init__(self, tools: Toolbox, cluster: Cluster, bundle: Path, folder: Path, compiler: Callable):
        self.tools = tools
        self.cluster = cluster
        self.compiler = compiler
        self.folder = folder
        shutil.copytree(bundle, folder)
        self.given = flows_of(folder)
        self.namespace = self.given["namespace"]
        self.objects = objects(tools, folder)

    def script(self, name: str, *words: str, timeout: float = 120) -> subprocess.CompletedProcess:
        path = self.folder / name
        return run([path, *words], check=False, merge=True, env=self.cluster.environment, timeout=timeout)

    # --- before anything is installed ---

    def preflight_lacks(self) -> None:
        """In an empty cluster, everything is said to be missing, at once."""
        result = self.script("preflight.sh")
        expect(result.returncode == 1, f"exit status {result.returncode}\n{result.stdout}")
        custom = {entry["apiVersion"] for entry in self.objects if "." in entry["apiVersion"].partition("/")[0]}
        custom = {api for api in custom if not api.partition("/")[0].endswith(".k8s.io") or api.startswith("gateway.")}
        said = [f"nothing is said of {api}\n" for api in sorted(custom) if f"does not serve {api}" not in result.stdout]
        said += [f"nothing is said of zone {zone}\n" for zone in self.given.get("zones", []) if zone not in result.stdout]
        if "Secrets" not in result.stdout:
            said.append("nothing is said of Secrets\n")
        expect(not said, "".join(said) + result.stdout)
        expect(not self.cluster.items("/api/v1/nodes"), "changes something")

    # --- what an administrator installs ---

    def install(self) -> None:
        """What the bundle's README asks for."""
        self.cluster.define([*self.objects, {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer"}])
        everything = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            for namespace in sorted({namespace for namespace, _, _ in OPERATORS.values()})
        ]
        for name, (namespace, labels, image) in OPERATORS.items():
            everything.append(workload("Deployment", name, namespace, labels, image))
        everything.append(
            workload("DaemonSet", "istio-cni-node", "istio-system", {"k8s-app": "istio-cni-node"}, "istio/install-cni:1.30.3")
        )
        values = self.folder / "prerequisites/istio-values.yaml"
        if values.exists():
            # As the chart writes it.
            mesh = self.tools.to_yaml(self.tools.yaml(values)[0]["meshConfig"])
            about = {"name": "istio", "namespace": "istio-system"}
            everything.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {"mesh": mesh}})
        everything.append(self.metrics())
        file = self.cluster.folder / "installed.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": everything}), encoding="utf-8")
        self.cluster.kubectl("create", "--filename", file)
        self.running = Running(self.tools, self.cluster, self.folder)
        text = (self.folder / "preflight.sh").read_text(encoding="utf-8")
        # Classes by the names that preflight asks for, and a default one.
        for name in re.findall(r"get storageclass (\S+) ", text):
            self.running.claims.append({"spec": {"storageClassName": shlex.split(name)[0]}})
        self.running.add_classes()
        self.cluster.control(self.running.zones, NODES)
        for name in re.findall(r"get clusterissuers\.cert-manager\.io (\S+) ", text):
            self.make_issuer(shlex.split(name)[0])

    @staticmethod
    def metrics() -> dict:
        """Something that serves the API of metrics-server."""
        names = {"plural": "pods", "singular": "pod", "kind": "PodMetrics", "listKind": "PodMetricsList"}
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "pods.metrics.k8s.io", "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in"}},
            "spec": {"group": "metrics.k8s.io", "scope": "Namespaced", "names": names, "versions": [version]},
        }

    def make_issuer(self, name: str) -> None:
        path = "/apis/cert-manager.io/v1/clusterissuers"
        about = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": name}}
        self.cluster.create(path, about | {"spec": {"selfSigned": {}}})
        self.cluster.patch(f"{path}/{name}/status", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})

    # --- secrets ---

    def secrets_script(self) -> None:
        """Makes what is missing, once, and tells no value."""
        self.compiler("secrets", "init", self.folder, cwd=self.folder)
        names = re.findall(r"^secret (\S+) (\S+)", (self.folder / "secrets.sh").read_text(encoding="utf-8"), re.MULTILINE)
        expect(names, "no Secrets are made")
        for _, file in names:
            path = self.folder / "secrets" / shlex.split(file)[0]
            if not path.exists():  # one that comes from elsewhere
                path.write_text(secrets.token_hex(16), encoding="utf-8")
        first = self.script("secrets.sh")
        expect(first.returncode == 0, first.stdout)
        there = {entry["metadata"]["name"]: entry for entry in self.secrets()}
        expected = {shlex.split(name)[0] for name, _ in names}
        expect(expected <= set(there), f"not made: {sorted(expected - set(there))}\n{first.stdout}")
        expect(all(entry.get("immutable") for entry in there.values()), "Secrets can be changed in place")
        second = self.script("secrets.sh")
        expect(second.returncode == 0, second.stdout)
        after = {entry["metadata"]["name"]: entry for entry in self.secrets()}
        expect(there == after, "a second run changes Secrets")
        for path in sorted((self.folder / "secrets").iterdir()):
            value = path.read_text(encoding="utf-8", errors="replace").strip()
            if len(value) >= 8:
                expect(value not in first.stdout + second.stdout, f"the value of {path.name} is printed")

    def secrets(self) -> list[dict]:
        return self.cluster.items(f"/api/v1/namespaces/{self.namespace}/secrets")

    def make_certificate(self) -> None:
        """The certificate of the public names, where the bundle wants to be given one."""
        text = (self.folder / "preflight.sh").read_text(encoding="utf-8")
        for name in re.findall(r"^secret (\S+) tls\.crt tls\.key$", text, re.MULTILINE):
            key, certificate = self.cluster.folder / "public.key", self.cluster.folder / "public.pem"
            subject = ["-subj", "/CN=data.example.org", "-days", "1"]
            run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, "-keyout", key, "-out", certificate])
            words = [shlex.split(name)[0], f"--cert={certificate}", f"--key={key}", "--namespace", self.namespace]
            self.cluster.kubectl("create", "secret", "tls", *words)

    def preflight_passes(self) -> None:
        self.make_certificate()
        result = self.script("preflight.sh")
        expect(result.returncode == 0 and "lacking:" not in result.stdout, result.stdout)

    # --- application ---

    def apply_dry_run(self) -> None:
        """The cluster accepts everything, and nothing of it is there."""
        result = self.script("apply.sh", "--dry-run")
        expect(result.returncode == 0, result.stdout)
        expect("Warning" not in result.stdout, result.stdout)
        found = self.cluster.items(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")
        expect(not found, "a dry run makes Deployments")

    def conditions(self) -> list[tuple[str, str]]:
        """What apply.sh waits for that only operators can say: condition, object."""
        text = (self.folder / "apply.sh").read_text(encoding="utf-8")
        found = re.findall(r"^(?:reached|open) \d+ (\S+) (\S+)$", text, re.MULTILINE)
        return [(shlex.split(condition)[0], shlex.split(which)[0]) for condition, which in found]

    def pretend(self) -> None:
        """Says of objects that are there what their operators would say once they are up."""
        for condition, which in self.conditions():
            kind, _, name = which.partition("/")
            kind, version, group = kind.split(".", 2)
            plural = next(
                entry["name"]
                for entry in self.cluster.get(f"/apis/{group}/{version}")["resources"]
                if kind.lower() in (entry["kind"].lower(), entry["name"]) and "/" not in entry["name"]
            )
            path = f"/apis/{group}/{version}/namespaces/{self.namespace}/{plural}/{name}"
            try:
                now = self.cluster.get(path)
            except Failure:
                continue  # not applied yet
            have = [entry for entry in now.get("status", {}).get("conditions") or [] if entry["type"] != condition]
            if any(
                entry["type"] == condition and entry["status"] == "True"
                for entry in now.get("status", {}).get("conditions") or []
            ):
                continue
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            new = {"type": condition, "status": "True", "reason": "Pretended", "message": "", "lastTransitionTime": moment}
            self.cluster.patch(f"{path}/status", {"status": {"conditions": [*have, new]}})

    @contextlib.contextmanager
    def operators(self) -> Iterator[None]:
        """The part of storage drivers and operators, played while something else runs."""
        over = threading.Event()
        failures: list[Failure] = []

        def play() -> None:
            while not over.wait(0.5):
                try:
                    self.running.provide()
                    self.pretend()
                except Failure as failure:
                    failures.append(failure)

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        # An object may change between two requests; what keeps failing is a fault.
        expect(len(failures) < 10, "\n".join(str(failure) for failure in failures[-3:]))

    def apply_script(self) -> None:
        """Everything is applied, wave after wave, and runs."""
        with self.operators():
            result = self.script("apply.sh", timeout=APPLICATION)
        expect(result.returncode == 0, result.stdout)
        expect("Warning" not in result.stdout, result.stdout)
        there = stored(self.cluster, self.folder)
        missing = [called(identity(entry)) for entry in self.objects if identity(entry) not in there]
        expect(not missing, "not applied: " + ", ".join(missing))
        self.running.settle(all_run=True)

    def apply_script_again(self) -> None:
        """A second run finds everything as it should be, and starts nothing anew."""
        before = {pod["metadata"]["name"] for pod in self.running.pods()}
        with self.operators():
            result = self.script("apply.sh", "--prune", timeout=APPLICATION)
        expect(result.returncode == 0, result.stdout)
        after = {pod["metadata"]["name"] for pod in self.running.pods()}
        expect(before == after, f"pods were replaced: {sorted(before ^ after)}\n{result.stdout}")
        there = stored(self.cluster, self.folder)
        missing = [called(identity(entry)) for entry in self.objects if identity(entry) not in there]
        expect(not missing, "pruned, and still wanted: " + ", ".join(missing))

    def bootstrap_smoke(self) -> None:
        """bootstrap.sh asks everything that runs, and notices what does not. Nobody answers at public names here."""
        text = (self.folder / "bootstrap.sh").read_text(encoding="utf-8")
        asked = {shlex.split(words)[-1] for words in re.findall(r"^  ask (.*)$", text, re.MULTILINE)}
        asked |= {shlex.split(which)[0].partition("/")[2] for which in re.findall(r"^  told (.*)$", text, re.MULTILINE)}
        made = ("Deployment", "StatefulSet", "DaemonSet")
        ours = {entry["metadata"]["name"] for entry in self.objects if entry["kind"] in made and self.is_of_bundle(entry)}
        expect(ours <= asked, f"nobody asks {sorted(ours - asked)}")
        said = self.script("bootstrap.sh", "--smoke").stdout
        unwell = [name for name in sorted(asked) if f"  {name}: well\n" not in said]
        expect(not unwell, f"not well: {unwell}\n{said}")
        victim = next(entry["metadata"]["name"] for entry in self.objects if entry["kind"] == "Deployment" and self.is_of_bundle(entry))
        self.cluster.kubectl("delete", "deployment", victim, "--namespace", self.namespace)
        result = self.script("bootstrap.sh", "--smoke")
        expect(result.returncode == 1 and f"  {victim}: is not in the cluster\n" in result.stdout, result.stdout)

    def is_of_bundle(self, entry: dict) -> bool:
        return entry["metadata"].get("namespace") == self.namespace and "lakewright/layer" in entry["metadata"].get("labels", {})


def test_scripts(report: Report, label: str, bundle: Path, tools: Toolbox, compiler: Callable) -> None:
    """Everything that the scripts of one bundle do, in the order in which they are used."""
    if not any(report.wants(f"{label}/{name}") for name in TESTS):
        return
    with contextlib.ExitStack() as stack:
        made: list[Scripts] = []

        def start() -> None:
            cluster = stack.enter_context(Cluster(tools))
            made.append(Scripts(tools, cluster, bundle, cluster.folder / "bundle", compiler))

        if not report.test(f"{label}/empty-cluster", start, always=True):
            return
        scripts = made[0]
        report.test(f"{label}/preflight-lacks", scripts.preflight_lacks)
        if not report.test(f"{label}/prerequisites", scripts.install, always=True):
            return
        if not report.test(f"{label}/secrets-script", scripts.secrets_script, always=True):
            return
        if not report.test(f"{label}/preflight-passes", scripts.preflight_passes, always=True):
            return
        report.test(f"{label}/apply-dry-run", scripts.apply_dry_run)
        if any(report.wants(f"{label}/{name}") for name in ("apply-script", "apply-script-again", "bootstrap-smoke")):
            if report.test(f"{label}/apply-script", scripts.apply_script, always=True):
                report.test(f"{label}/apply-script-again", scripts.apply_script_again)
                report.test(f"{label}/bootstrap-smoke", scripts.bootstrap_smoke)
