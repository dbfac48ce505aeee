"""A Docker engine of the tests' own: started for a run, in a folder of its own, and gone without a trace after it."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from report import Failure, Missing
from toolbox import PATH, Toolbox, run


class Engine:
    """Use as a context manager.

    An isolated engine has network, mount and process namespaces of its own. So published ports are always free, nothing
    can be pulled, the host's firewall rules stay untouched, and whatever a killed run leaves behind ends with it. An
    engine that is not isolated is for building images, which fetches packages: it has no networks but the host's.
    `host` is the name that the engine has its host by, if that must not be the machine's.
    """

    def __init__(self, tools: Toolbox, *, isolated: bool, host: str = ""):
        self.tools = tools
        self.isolated = isolated
        self.host = host
        self.process: subprocess.Popen | None = None
        self.folder: Path | None = None

    def __enter__(self) -> "Engine":
        self.launch()
        try:
            self.wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def launch(self, images_of: "Engine | None" = None) -> None:
        """Starts the engine, which is not up at once, with the images that another one has now."""
        if os.geteuid() != 0:
            raise Missing("docker engine", "only root can start one")
        dockerd, docker, *_ = self.tools.need("dockerd", "docker", "iptables", "ip", "unshare", "nsenter")
        init = shutil.which("docker-init", path=PATH)
        if init is None:
            raise Missing("docker engine", "docker-init is not installed")
        self.docker_path = docker
        self.folder = Path(tempfile.mkdtemp(prefix="lakewright-engine-"))
        self.socket = self.folder / "engine.sock"
        daemon = [
            dockerd,
            f"--data-root={self.folder}/data",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/engine.pid",
            f"--host=unix://{self.socket}",
            f"--config-file={self.folder}/daemon.json",
            "--log-level=warn",
        ]
        (self.folder / "daemon.json").write_text("{}\n", encoding="utf-8")
        (self.folder / "data").mkdir()
        if images_of is not None:
            run(["cp", "-al", images_of.folder / "data/image", images_of.folder / "data/overlay2", self.folder / "data"])
        # Should this process be killed, unshare is too, and with it every process of the engine (--kill-child).
        spaces = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        if self.isolated:
            spaces.append("--net")
            # The bridge's addresses must not depend on the host's routes, which this network cannot see.
            daemon += ["--bip=172.31.255.1/24", "--default-address-pool=base=172.30.0.0/16,size=24"]
        else:
            daemon += ["--bridge=none", "--iptables=false", "--ip-forward=false"]
        words = " ".join(f"'{word}'" for word in daemon)
        # docker-init is process 1: it passes the stop signal on and buries orphans, which dockerd does not.
        script = f"ip link set lo up && exec '{init}' -- {words}"
        if self.isolated:
            # Where bundles look for the log files of containers.
            usual = Path("/var/lib/docker")
            usual.mkdir(parents=True, exist_ok=True)
            # Mounts are shared, as they are on machines: containers that see the machine's files follow them.
            script = f"mount --make-rshared / && mount --bind '{self.folder}/data' '{usual}' && {script}"
        if self.host:
            spaces.append("--uts")
            script = f"echo '{self.host}' >/proc/sys/kernel/hostname && {script}"
        self.log = self.folder / "engine.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*spaces, "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Services of a Swarm start from the images that were loaded, without a registry being asked first.
                env={**os.environ, "PATH": PATH, "DOCKER_SERVICE_PREFER_OFFLINE_IMAGE": "1"},
                start_new_session=True,
            )

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self.socket.exists() and self.docker("version", check=False).returncode == 0:
                return
            time.sleep(0.2)
        raise Missing("docker engine", "it did not start:\n" + self.log.read_text(errors="replace")[-3000:])

    def ask_to_stop(self) -> None:
        pid = self.init_pid() if self.process is not None and self.process.poll() is None else None
        if pid is not None:
            os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """As when the power fails. Killing the namespace's parent kills every process in it (--kill-child)."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __exit__(self, *_: object) -> None:
        self.ask_to_stop()
        if self.process is not None:
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.folder is None:
            return
        self.sweep()
        try:
            shutil.rmtree(self.folder, ignore_errors=True)
        except BaseException:  # interrupted: this takes seconds, and would leave gigabytes
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def sweep(self) -> None:
        """Removes control groups of containers that were killed with the engine, which the kernel keeps."""
        for container in (self.folder / "data/containers").glob("*"):
            for group in Path("/sys/fs/cgroup").glob(f"**/docker/{container.name}"):
                with contextlib.suppress(OSError):  # a container's own groups are inside: they go when the machine does
                    group.rmdir()

    def init_pid(self) -> int | None:
        """The engine's process 1, as the host numbers it: the one child of unshare."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return int(children.read_text().split()[0])
        except (OSError, IndexError):
            return None

    # --- using it ---

    @property
    def environment(self) -> dict[str, str]:
        """For programs that talk to this engine; nothing else of the caller's settings reaches them."""
        return {"PATH": PATH, "HOME": str(self.folder), "DOCKER_HOST": f"unix://{self.socket}", "DOCKER_BUILDKIT": "0", "LANG": "C.UTF-8"}

    def docker(self, *words: str | Path, check: bool = True, **options) -> subprocess.CompletedProcess:
        return run([self.docker_path, *words], check=check, env=self.environment, **options)

    def inside(self, *words: str | Path, check: bool = True, **options) -> subprocess.CompletedProcess:
        """Runs a program in the engine's network, where published ports are found on 127.0.0.1."""
        pid = self.init_pid()
        if pid is None:
            raise Failure("the engine is gone:\n" + self.log.read_text(errors="replace")[-3000:])
        return run(["nsenter", "--target", str(pid), "--net", *words], check=check, env=self.environment, **options)

    def leftovers(self) -> list[str]:
        """Containers, volumes and networks that exist now and are not the engine's own."""
        found = self.docker("ps", "--all", "--format", "container {{.Names}}").stdout.split("\n")
        found += self.docker("volume", "ls", "--format", "volume {{.Name}}").stdout.split("\n")
        networks = self.docker("network", "ls", "--format", "network {{.Name}}").stdout.split("\n")
        own = {"network bridge", "network host", "network none"}
        return [line for line in found + networks if line and line not in own]
