"""Shows that the tests of a running Swarm bundle see faults: the sample, deployed, described wrongly or by broken scripts."""

import contextlib
import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import swarm_sample
from images import Images
from report import Failure, Report, expect
from swarm_cluster import Swarm
from swarm_live import VISIT, Deployment
from toolbox import Toolbox


class Trial:
    def __init__(self, tools: Toolbox, images: Images, folder: Path):
        given = swarm_sample.write(folder / "given")
        self.it = Deployment(given, folder / "tried", tools, images, swarm_sample.make_secrets, swarm_sample.rebuild)

    def start(self, stack: contextlib.ExitStack) -> None:
        self.it.prepare()
        self.it.start(stack.enter_context(Swarm(self.it.tools, swarm_sample.HOSTS, self.it.fill)))

    # --- making it wrong ---

    @contextlib.contextmanager
    def script(self, text: str) -> Iterator[None]:
        """Another deploy.sh, also in what is built meanwhile."""
        path, rebuild = self.it.folder / "deploy.sh", self.it.rebuild
        good = path.read_text(encoding="utf-8")

        def write() -> None:
            path.write_text(f'#!/bin/sh\nset -eu\ncd "$(dirname "$0")"\n{text}\n', encoding="utf-8")

        self.it.rebuild = lambda folder, settings: (rebuild(folder, settings), write())
        write()
        try:
            yield
        finally:
            self.it.rebuild = rebuild
            path.write_text(good, encoding="utf-8")

    @contextlib.contextmanager
    def described(self, service: str, **settings: object) -> Iterator[None]:
        """A stack that says otherwise than what runs."""
        good = copy.deepcopy(self.it.stack.content)
        self.it.stack.services[service] |= settings
        try:
            yield
        finally:
            self.it.write(good)

    @contextlib.contextmanager
    def scaled(self, service: str, replicas: int) -> Iterator[None]:
        for count in (replicas, None):
            wanted = self.it.stack.replicas(service) if count is None else count
            self.it.swarm.docker("service", "scale", "--detach=false", f"{self.it.name}_{service}={wanted}")
            if count is not None:
                yield

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Settings that make no difference."""
        good = self.it.rebuild
        self.it.rebuild = lambda folder, _: good(folder, {})
        try:
            yield
        finally:
            self.it.rebuild = good

    def refuses(self, check: Callable[[], object], *words: str) -> None:
        try:
            check()
        except Failure as failure:
            expect(all(part in str(failure) for part in words), f"is refused for another reason:\n{failure}")
            return
        raise Failure(f"is content, where it should say: {', '.join(words)}")

    # --- what must be seen ---

    def dry_run(self) -> None:
        with self.script("docker config create made deploy.sh"):
            self.refuses(self.it.dry_run, "a dry run makes {'service': [], 'config': ['")
        self.it.swarm.docker("config", "rm", "made")

    def deploy(self) -> None:
        with self.script("echo refused; exit 1"):
            self.refuses(self.it.deploy_well, "refused")
        with self.script("echo Ignoring unsupported options: privileged"):
            self.refuses(self.it.deploy_well, "Swarm ignores something")
        self.it.deploy_well()

    def converged(self) -> None:
        self.it.converged()
        with self.scaled("web", 2):
            self.refuses(self.it.converged, "web: running: 2 of 3")

    def placement(self) -> None:
        self.it.placement()
        placement = {"placement": {"constraints": ["node.hostname == staging-2"]}}
        with self.described("db", deploy=placement):
            self.refuses(self.it.placement, "db: runs on staging-1, not on staging-2")

    def published_ports(self) -> None:
        self.it.published_ports_answer()
        with self.described("door", ports=[]):
            self.refuses(self.it.published_ports_answer, "[2377, 7946, 8443] are open, published are []")

    def reachability(self) -> None:
        with self.described("web", networks={"door-to-web": {}}):
            self.refuses(self.it.only_wired_services_meet, "db on staging-1 resolves web", "reaches db, with which it shares no network")

    def deploy_again(self) -> None:
        with self.script(f"docker service update --force {self.it.name}_db"):
            self.refuses(self.it.deploy_again, "tasks were replaced: ['db']")

    def config_change(self) -> None:
        with self.unchanged():
            self.refuses(self.it.config_change, "changes nothing")
        with self.scaled("web", 0):
            self.refuses(self.visit, "requests failed")

    def visit(self) -> None:
        with self.it.visited():
            time.sleep(VISIT)

    def bad_image(self) -> None:
        with self.script("sleep 1"):
            self.refuses(self.it.bad_image, "exit status 0")
        with self.script("sleep 1; exit 1"):
            self.refuses(self.it.bad_image, "nothing is said of web")

    def secret_rotation(self) -> None:
        with self.script(":"):
            self.refuses(self.it.secret_rotation, "is not the secret's new value")


RUNNING: dict[str, Callable[[Trial], None]] = {
    "deploy-dry-run": Trial.dry_run,
    "deploy": Trial.deploy,
    "converged": Trial.converged,
    "placement": Trial.placement,
    "published-ports": Trial.published_ports,
    "reachability": Trial.reachability,
    "deploy-again": Trial.deploy_again,
    "config-change": Trial.config_change,
    "bad-image": Trial.bad_image,
    "secret-rotation": Trial.secret_rotation,
}


def test_trial(report: Report, tools: Toolbox) -> None:
    """Every test of a running Swarm bundle, on one that is not as it should be."""
    if not any(report.wants(f"harness/swarm-{name}-refuses") for name in RUNNING):
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lakewright-broken-")))
        folder.chmod(0o755)
        trial = Trial(tools, Images(tools), folder)
        if report.test("harness/swarm", lambda: trial.start(stack), always=True):
            for name, check in RUNNING.items():
                report.test(f"harness/swarm-{name}-refuses", lambda check=check: check(trial), always=name == "deploy")
