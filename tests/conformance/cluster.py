"""A Kubernetes control plane of the tests' own: real programs, nodes that only say that they run something."""

import json
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from report import Failure, expect
from schemas import MODULE, custom_resources
from toolbox import PATH, Toolbox, free_port, run

ZONE = "topology.kubernetes.io/zone"

# What pretended nodes and pods do, in the module of the program that pretends.
PRETENDER = "sigs.k8s.io/kwok"
STAGES = ["node/fast/node-initialize", "node/heartbeat-with-lease/node-heartbeat-with-lease"]
STAGES += [f"pod/fast/pod-{stage}" for stage in ("ready", "complete", "delete")]

# How long anything may take that the control plane does by itself.
PATIENCE = 120


def is_true(entry: dict, condition: str) -> bool:
    """Whether an object says of itself that a condition holds."""
    found = entry.get("status", {}).get("conditions") or []
    return any(about["type"] == condition and about["status"] == "True" for about in found)


class Cluster:
    """Use as a context manager.

    It begins as etcd and an API server with Pod Security admission, without any custom resource; `define` adds those,
    `run` the scheduler, the controllers and nodes. Everything listens on the loopback interface only, and ends with the
    test also when that is killed.
    """

    def __init__(self, tools: Toolbox, *words: str):
        self.tools = tools
        self.words = words  # for the API server, beside what all of them are told
        self.processes: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> "Cluster":
        self.tools.need("etcd", "kube-apiserver", "kubectl", "openssl", "setpriv")
        self.folder = Path(tempfile.mkdtemp(prefix="lakewright-cluster-"))
        self.kubeconfig = self.folder / "kubeconfig"
        try:
            self.start_server()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # Last come, first gone: etcd outlives what writes to it.
        for process in reversed(self.processes.values()):
            process.terminate()
            if process is not self.processes.get("etcd"):
                process.kill()  # nothing of it is kept, and a graceful end of the API server takes a minute
        for process in self.processes.values():
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- its programs ---

    def start(self, name: str, *words: str | Path) -> None:
        program = self.tools.path(name)
        with open(self.folder / f"{name}.log", "w", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", program, *[str(word) for word in words]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": PATH, "HOME": str(self.folder), "LANG": "C.UTF-8"},
                cwd=self.folder,
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def wait(self, what: str, done: Callable[[], bool], seconds: float = PATIENCE, why: Callable[[], str] = str) -> None:
        """Waits until `done`, and tells `why` it is not when it takes too long."""
        deadline = time.monotonic() + seconds
        while not done():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise Failure(f"{name} has ended:\n{self.log(name)}")
            expect(time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s\n{why()}".strip())
            time.sleep(0.2)

    def start_server(self) -> None:
        store, peers, self.port = free_port(), free_port(), free_port()
        self.start(
            "etcd",
            f"--data-dir={self.folder}/etcd",
            f"--listen-client-urls=http://127.0.0.1:{store}",
            f"--advertise-client-urls=http://127.0.0.1:{store}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-cluster=default=http://127.0.0.1:{peers}",
            "--unsafe-no-fsync",  # nothing has to survive this machine
        )
        key = self.folder / "accounts.key"
        run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key])
        self.token = secrets.token_hex(16)
        (self.folder / "tokens.csv").write_text(f"{self.token},tests,tests,system:masters\n", encoding="utf-8")
        self.start(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{store}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder}/certificates",
            f"--token-auth-file={self.folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",  # as installers have it: namespaces say who may be privileged
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.96.0.0/16",
            *self.words,
        )
        certificate = self.folder / "certificates/apiserver.crt"
        self.wait("the API server's certificate", certificate.exists, why=lambda: self.log("kube-apiserver"))
        server = f"https://127.0.0.1:{self.port}"
        configuration = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": {"server": server, "certificate-authority": str(certificate)}}],
            "users": [{"name": "tests", "user": {"token": self.token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
            "current-context": "tests",
        }
        self.kubeconfig.write_text(json.dumps(configuration), encoding="utf-8")
        self.server = server
        # The certificate is the one that was just made in a folder of ours.
        self.trust = ssl.create_default_context(cafile=str(certificate))
        self.wait("the API server", self.ready, why=lambda: self.log("kube-apiserver"))

    def ready(self) -> bool:
        try:
            self.request("/readyz")
            self.request("/api/v1/namespaces/default")
        except (OSError, ValueError, Failure):
            return False
        return True

    # --- talking to it ---

    @property
    def environment(self) -> dict[str, str]:
        """For programs that talk to this cluster; nothing else of the caller's settings reaches them."""
        return {
            "PATH": f"{self.tools.path('kubectl').parent}:{PATH}",
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.kubeconfig),
            "LANG": "C.UTF-8",
        }

    def kubectl(self, *words: str | Path, check: bool = True, **options) -> subprocess.CompletedProcess:
        return run([self.tools.path("kubectl"), *words], check=check, env=self.environment, **options)

    def request(self, path: str, body: object = None, method: str | None = None, kind: str = "application/json") -> bytes:
        """One request to the API, without the time that it takes to start kubectl."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, context=self.trust, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise Failure(f"{request.get_method()} {path}: {error.code} {error.read().decode(errors='replace')[:2000]}") from None

    def get(self, path: str) -> dict:
        return json.loads(self.request(path))

    def items(self, path: str) -> list[dict]:
        return self.get(path)["items"]

    def create(self, path: str, body: dict) -> dict:
        return json.loads(self.request(path, body))

    def patch(self, path: str, body: dict) -> dict:
        return json.loads(self.request(path, body, "PATCH", "application/merge-patch+json"))

    def delete(self, path: str) -> None:
        """Deletes an object at once; one that is already gone is as good."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        try:
            self.request(path, options, "DELETE")
        except Failure as failure:
            if ": 404 " not in str(failure):
                raise

    # --- what it has ---

    def define(self, objects: list[dict]) -> None:
        """Adds the custom resources that some objects are of, as their operators' installation would. To know all that
        operators bring would cost the API server much time, and be of no use."""
        kinds = {(entry["apiVersion"].rpartition("/")[0], entry["kind"]) for entry in objects}
        known = json.loads(custom_resources(self.tools).read_text(encoding="utf-8"))["items"]
        custom = [crd for crd in known if (crd["spec"]["group"], crd["spec"]["names"]["kind"]) in kinds]
        if not custom:
            return
        file = self.folder / "custom.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": custom}), encoding="utf-8")
        self.kubectl("create", "--filename", file)
        names = [crd["metadata"]["name"] for crd in custom]

        def served() -> bool:
            found = self.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
            ready = {
                crd["metadata"]["name"]
                for crd in found
                for condition in crd.get("status", {}).get("conditions") or []
                if condition["type"] == "Established" and condition["status"] == "True"
            }
            return ready >= set(names)

        self.wait("custom resources", served)

    def control(self, zones: list[str], nodes: int) -> None:
        """Starts scheduler and controllers, and adds `nodes` large nodes to each zone."""
        common = (f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0")
        self.start(
            "kube-controller-manager",
            *common,
            f"--service-account-private-key-file={self.folder}/accounts.key",
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--kube-api-qps=500",
            "--kube-api-burst=500",
        )
        source = self.tools.go_modules(MODULE)[PRETENDER] / "kustomize/stage"
        stages = [(source / f"{stage}.yaml").read_text(encoding="utf-8") for stage in STAGES]
        (self.folder / "stages.yaml").write_text("\n---\n".join(stages), encoding="utf-8")
        self.start(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            f"--config={self.folder}/stages.yaml",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
            f"--node-port={free_port()}",
        )
        for zone in zones:
            self.add_nodes(zone, nodes)
        # All nodes are there before the first pod is placed, as in a cluster that has been there for a while.
        self.start("kube-scheduler", *common, "--kube-api-qps=500", "--kube-api-burst=500")

    @staticmethod
    def node_names(zone: str, nodes: int) -> list[str]:
        return [f"node-{zone}-{number}" for number in range(1, nodes + 1)]

    def add_nodes(self, zone: str, nodes: int) -> None:
        resources = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "2Ti", "pods": "250"}
        for name in self.node_names(zone, nodes):
            labels = {ZONE: zone, "topology.kubernetes.io/region": "test", "kubernetes.io/hostname": name}
            labels |= {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
            self.create(
                "/api/v1/nodes",
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": name, "labels": labels},
                    "status": {"capacity": resources, "allocatable": resources},
                },
            )

        def usable() -> bool:
            found = [node for node in self.items("/api/v1/nodes") if node["metadata"]["labels"][ZONE] == zone]
            return all(is_true(node, "Ready") and not node["spec"].get("taints") for node in found)

        self.wait(f"nodes of zone {zone}", usable)

    def nodes(self) -> dict[str, str]:
        """The zone of each node there is."""
        return {node["metadata"]["name"]: node["metadata"]["labels"][ZONE] for node in self.items("/api/v1/nodes")}
