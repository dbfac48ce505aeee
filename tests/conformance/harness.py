"""Shows that the checks of Kubernetes bundles find what they are for: each accepts a good bundle and refuses a broken one."""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import kubernetes
import sample
from cluster import Cluster
from report import Failure, Report, expect
from scripts import Scripts
from toolbox import Toolbox

Change = Callable[[sample.Objects], None]

# Fewer seconds than a bundle gets: what a broken one waits for never comes.
IMPATIENCE = 8


def pod_of(objects: sample.Objects, path: str) -> dict:
    return objects[path]["spec"]["template"]["spec"]


def unknown_field(objects: sample.Objects) -> None:
    pod_of(objects, "30-web/workload.yaml")["containers"][0]["resource"] = {}


def unknown_kind(objects: sample.Objects) -> None:
    objects["30-web/route.yaml"] = {"apiVersion": "example.com/v1", "kind": "Route", "metadata": sample.meta("web"), "spec": {}}


def wrong_custom_resource(objects: sample.Objects) -> None:
    objects["10-platform/mutual.yaml"]["spec"]["mtls"]["mode"] = "STRIKT"


def unknown_gateway(objects: sample.Objects) -> None:
    route = {"route": [{"destination": {"host": "web"}}]}
    objects["30-web/route.yaml"] = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": sample.meta("web"),
        "spec": {"hosts": ["web.example.com"], "gateways": ["nowhere"], "http": [route]},
    }


def open_database(objects: sample.Objects) -> None:
    objects["20-db/from-web.yaml"]["spec"]["ingress"][0]["from"].append({"namespaceSelector": {}})


def closed_database(objects: sample.Objects) -> None:
    del objects["20-db/from-web.yaml"]


def undeclared_port(objects: sample.Objects) -> None:
    objects["30-web/policy.yaml"]["spec"]["ingress"][0]["ports"] += sample.tcp(8081)
    objects["10-platform/gateway-policy.yaml"]["spec"]["egress"][0]["ports"] += sample.tcp(8081)


def privileged(objects: sample.Objects) -> None:
    pod_of(objects, "30-web/workload.yaml")["containers"][0]["securityContext"] = {"privileged": True}


def written_twice(objects: sample.Objects) -> None:
    objects["30-web/service-again.yaml"] = sample.service("web", 8081)


def too_large(objects: sample.Objects) -> None:
    pod_of(objects, "30-web/workload.yaml")["containers"][0]["resources"] = {"requests": {"cpu": "1000"}}


def in_one_zone(objects: sample.Objects) -> None:
    del pod_of(objects, "30-web/workload.yaml")["topologySpreadConstraints"]
    pod_of(objects, "30-web/workload.yaml")["nodeSelector"] = {"topology.kubernetes.io/zone": "b"}


def cannot_move(objects: sample.Objects) -> None:
    del objects["30-web/budget.yaml"]
    in_one_zone(objects)


def budget_for_nobody(objects: sample.Objects) -> None:
    objects["30-web/budget.yaml"]["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = "wep"


def no_eviction(objects: sample.Objects) -> None:
    objects["30-web/budget.yaml"]["spec"]["maxUnavailable"] = 0


# Check -> how to break what it looks at, and what it must say then.
READING: dict[str, list[tuple[Change, str]]] = {
    "kubeconform": [
        (unknown_field, "resource"),
        (unknown_kind, "could not find schema"),
        (wrong_custom_resource, "STRICT"),
    ],
    "istio-analyze": [(unknown_gateway, "IST0101")],
    "istio-validate": [(wrong_custom_resource, "STRIKT")],
    "connections": [
        (open_database, "allowed but not declared: stranger -> db tcp 5432"),
        (closed_database, "declared but not allowed: web -> db tcp 5432"),
        (undeclared_port, "allowed but not declared: gateway -> web tcp 8081"),
    ],
    "checkov": [(privileged, "CKV_K8S_16 ")],
}


def refuses(check: Callable[[Path], object], folder: Path, change: Change, words: str, namespace: str = sample.NAMESPACE) -> None:
    bundle = sample.write(folder / change.__name__, change, namespace)
    try:
        check(bundle)
    except Failure as failure:
        expect(words in str(failure), f"{change.__name__}: is refused for another reason:\n{failure}")
        return
    raise Failure(f"accepts a broken bundle: {change.__name__}")


def reading(tools: Toolbox, name: str, check: kubernetes.Check) -> None:
    with tempfile.TemporaryDirectory(prefix="lakewright-broken-") as temporary:
        folder = Path(temporary)
        check(tools, sample.write(folder / "good"))
        for change, words in READING[name]:
            refuses(lambda bundle: check(tools, bundle), folder, change, words)


class Trial:
    """The checks that need a control plane, tried in one."""

    def __init__(self, tools: Toolbox, cluster: Cluster, folder: Path):
        self.tools = tools
        self.cluster = cluster
        self.folder = folder

    def running(self, change: Change | None, namespace: str) -> kubernetes.Running:
        bundle = sample.write(self.folder / namespace, change, namespace)
        kubernetes.apply(self.cluster, bundle)
        return kubernetes.Running(self.tools, self.cluster, bundle)

    def apply(self) -> None:
        for change, words in (
            (unknown_field, "resource: field not declared in schema"),
            (unknown_kind, 'no matches for kind "Route"'),
            (privileged, "would violate PodSecurity"),
        ):
            refuses(lambda bundle: kubernetes.apply(self.cluster, bundle), self.folder, change, words, "refused")

    def apply_again(self) -> None:
        good = sample.write(self.folder / "good", None, "again")
        kubernetes.apply(self.cluster, good)
        kubernetes.apply_again(self.tools, self.cluster, good)
        refuses(
            lambda bundle: kubernetes.apply_again(self.tools, self.cluster, bundle),
            self.folder, written_twice, "changed by a second application: Service again/web", "again",
        )  # fmt: skip

    def kustomize(self) -> None:
        good = sample.write(self.folder / "complete", None, "complete")
        kubernetes.apply(self.cluster, good)
        kubernetes.kustomize(self.tools, self.cluster, good)
        forgotten = good / "manifests/30-web/forgotten.yaml"
        forgotten.write_text((good / "manifests/30-web/account.yaml").read_text().replace('"web"', '"forgotten"'))
        try:
            kubernetes.kustomize(self.tools, self.cluster, good)
        except Failure as failure:
            expect("only in manifests/: ServiceAccount complete/forgotten" in str(failure), str(failure))
            return
        raise Failure("accepts a file that Kustomize does not know")

    def schedule(self) -> None:
        self.running(None, "good").schedule()
        broken = self.running(too_large, "large")
        try:
            broken.schedule(IMPATIENCE)
        except Failure as failure:
            expect("Insufficient cpu" in str(failure), str(failure))
        else:
            raise Failure("accepts pods that no node can hold")
        self.cluster.delete("/apis/apps/v1/namespaces/large/deployments/web")

    def lose_each_zone(self) -> None:
        good = self.running(None, "good")
        good.schedule()
        good.lose_each_zone()
        for namespace, change, words in (
            ("heap", in_one_zone, "without zone b, at once: PodDisruptionBudget heap/web: 0 pods run, 2 are promised"),
            ("stuck", cannot_move, "without zone b, later: Deployment stuck/web: 0 pods run of 3"),
        ):
            broken = self.running(change, namespace)
            broken.schedule()
            said = broken.lose("b")
            expect(words in "\n".join(said), f"{change.__name__}: is not refused, or for another reason:\n" + "\n".join(said))
        for change, words in (
            (budget_for_nobody, "PodDisruptionBudget budgets/web: no workload has the labels it selects"),
            (no_eviction, "PodDisruptionBudget budgets/web: no pod may ever be evicted"),
        ):
            said = self.running(change, "budgets").unprotected()
            expect(words in "\n".join(said), f"{change.__name__}: is not refused, or for another reason:\n" + "\n".join(said))

    def scripts(self) -> None:
        """Scripts that do too little, or too much."""
        self.running(None, "good").schedule()
        for number, (check, broken, words) in enumerate(SCRIPTS):
            folder = self.folder / f"scripts-{number}"
            bundle = sample.write(folder / "given", None, "good")
            for name, text in broken.items():
                (bundle / name).write_text(f'#!/bin/sh\nset -eu\ncd "$(dirname "$0")"\n{text}\n', encoding="utf-8")
                (bundle / name).chmod(0o755)
            (bundle / "secrets").mkdir()
            tried = Scripts(self.tools, self.cluster, bundle, folder / "tried", lambda *_, **__: None)
            tried.running = kubernetes.Running(self.tools, self.cluster, bundle)
            try:
                check(tried)
            except Failure as failure:
                expect(words in str(failure), f"{broken}: is refused for another reason:\n{failure}")
            else:
                raise Failure(f"accepts {broken}")


# A test of scripts, scripts that it must not be content with, and what it must say then.
SCRIPTS: list[tuple[Callable[[Scripts], None], dict[str, str], str]] = [
    (Scripts.preflight_lacks, {"preflight.sh": "exit 0"}, "exit status 0"),
    (Scripts.preflight_lacks, {"preflight.sh": "exit 1"}, "nothing is said of security.istio.io/v1"),
    (Scripts.preflight_passes, {"preflight.sh": "echo 'lacking: something' >&2; exit 1"}, "lacking: something"),
    (Scripts.secrets_script, {"secrets.sh": "secret() { :; }\nsecret one-v1 one"}, "not made: ['one-v1']"),
    (
        Scripts.secrets_script,
        {"secrets.sh": 'secret() {\nkubectl -n good create secret generic "$1" "--from-file=secrets/$2"\n}\nsecret two-v1 two'},
        "Secrets can be changed in place",
    ),
    (
        Scripts.apply_dry_run,
        {"apply.sh": "kubectl apply --server-side --field-manager=lakewright --recursive --filename=manifests"},
        "a dry run makes Deployments",
    ),
    (Scripts.apply_script, {"apply.sh": "echo refused; exit 1"}, "refused"),
    (Scripts.apply_script, {"apply.sh": "kubectl -n good delete service web"}, "not applied: "),
    (Scripts.apply_script_again, {"apply.sh": "kubectl -n good delete pods --all"}, "pods were replaced"),
    (
        Scripts.apply_script_again,
        {"apply.sh": "kubectl -n good delete networkpolicy --all"},
        "pruned, and still wanted",
    ),
]

RUNNING: dict[str, Callable[[Trial], None]] = {
    "apply": Trial.apply,
    "apply-again": Trial.apply_again,
    "kustomize": Trial.kustomize,
    "schedule": Trial.schedule,
    "zones": Trial.lose_each_zone,
    "scripts": Trial.scripts,
}


def test_harness(report: Report, tools: Toolbox) -> None:
    """Every check of Kubernetes bundles, on bundles that are broken on purpose."""
    for name, check in kubernetes.READING.items():
        report.test(f"harness/{name}-refuses", lambda name=name, check=check: reading(tools, name, check))
    if not any(report.wants(f"harness/{name}-refuses") for name in RUNNING):
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lakewright-broken-")))
        trials: list[Trial] = []

        def start() -> None:
            cluster = stack.enter_context(Cluster(tools))
            cluster.define(list(sample.objects().values()))
            trials.append(Trial(tools, cluster, folder))

        if not report.test("harness/cluster", start, always=True):
            return
        trial = trials[0]
        for name, check in RUNNING.items():
            report.test(f"harness/{name}-refuses", lambda check=check: check(trial))
