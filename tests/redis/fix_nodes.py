"""Six nodes of Redis on loopback, run from the image's own files: the same programs as in a pod, without Kubernetes.

Each node has an address in 127.0.0.0/8 where a pod has its Service, and a folder where a pod has its volumes.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from components.kit.images import content_tag
from components.kit.resources import Resources
from components.redis.args import RedisArgs
from components.redis.configuration import redis_conf, sentinel_conf
from components.redis.image.credentials import MEMBER_KINDS
from components.redis.image.settings import AGENT_PORT, REDIS_PORT, SENTINEL_PORT
from toolchain.images.build import ensure_one
from toolchain.kit.cache import build_once

UID = 10020
ARGS = RedisArgs(
    namespace="test",
    image="redis",
    secret_names={kind: f"credentials-{kind}" for kind in MEMBER_KINDS},
    maxmemory_mib=64,
    resources=Resources(cpu_m=100, memory_mib=128),
    storage_gib=1,
    down_after_ms=3000,
    failover_timeout_ms=5000,
)


def password(kind: str, epoch: int) -> str:
    """The password of a generation: 32 letters and digits."""
    return f"{kind.replace('-', '')}{epoch:04d}".ljust(32, "x")


class Node:
    """One pod: the process, its agent, its folders."""

    def __init__(self, root: Path, work: Path, pod: str, address: str, environment: dict[str, str]) -> None:
        self.pod, self.address = pod, address
        self.is_sentinel = "sentinel" in pod
        self.folder = work / pod
        inside = Path("/") / self.folder.relative_to(root)
        for name in ("data", "run", "config", "credentials"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "config" / "redis.conf").write_text(redis_conf(ARGS))
        (self.folder / "config" / "sentinel.conf").write_text(sentinel_conf(ARGS))
        self._root = root
        self._environment = environment | {
            "POD_NAME": pod,
            "POD_IP": address,
            "DATA_DIR": str(inside / "data"),
            "RUN_DIR": str(inside / "run"),
            "CONFIG_DIR": str(inside / "config"),
            "CREDENTIALS_DIR": str(inside / "credentials"),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.epochs: dict[str, int] = {}
        for kind in MEMBER_KINDS:
            self.mount(kind, 1)

    def mount(self, kind: str, epoch: int) -> None:
        """Put a generation of a credential where the node reads it, as the kubelet does: one link is moved."""
        folder = self.folder / "credentials" / kind
        snapshot = folder / f"..{time.monotonic_ns()}"
        snapshot.mkdir(parents=True)
        self.epochs[kind] = epoch
        slots = {"a": epoch - epoch % 2, "b": epoch - 1 + epoch % 2}
        files = {slot: password(kind, each) for slot, each in slots.items()}
        for name, text in (files | {"epoch": str(epoch), "current": "b" if epoch % 2 else "a"}).items():
            (snapshot / name).write_text(text)
        link = folder / "..new"
        link.symlink_to(snapshot.name)
        link.replace(folder / "..data")

    def start(self) -> None:
        """Start the process and its agent."""
        subprocess.run(["chown", "-R", f"{UID}:{UID}", str(self.folder)], check=True)
        self.start_only("agent")
        self.start_only("sentinel" if self.is_sentinel else "member")

    def start_only(self, program: str) -> None:
        """Start one program of the pod."""
        with (self.folder / f"{program}.log").open("ab") as log:
            self._processes[program] = subprocess.Popen(
                self._command(program), env=self._full(), stdout=log, stderr=log
            )

    def _command(self, program: str) -> list[str]:
        return ["chroot", f"--userspec={UID}:{UID}", str(self._root), "redis-node", program]

    def _full(self) -> dict[str, str]:
        path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        return self._environment | {"PATH": path, "PYTHONPATH": "/opt", "PYTHONDONTWRITEBYTECODE": "1"}

    def kill(self) -> None:
        """End both at once, as a forced deletion does."""
        for name in list(self._processes):
            self.kill_only(name)

    def kill_only(self, program: str) -> None:
        """End one program with SIGKILL."""
        process = self._processes.pop(program)
        process.kill()
        process.wait()

    def detach(self, program: str) -> subprocess.Popen[bytes]:
        """Leave a program running without knowing of it, as a pod that was deleted by force."""
        return self._processes.pop(program)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to redis-server."""
        self._processes["sentinel" if self.is_sentinel else "member"].send_signal(number)

    def stop(self) -> None:
        """Stop as a deletion with grace does: the agent gets SIGTERM at once, redis-server after the handover."""
        process = self._processes.pop("sentinel" if self.is_sentinel else "member")
        agent = self._processes.pop("agent")
        agent.terminate()
        agent.wait()
        if not self.is_sentinel:
            with (self.folder / "handover.log").open("ab") as log:
                subprocess.run(self._command("handover"), env=self._full(), stdout=log, stderr=log, check=True)
        process.terminate()
        process.wait()

    def wipe(self) -> None:
        """Lose the volume and the memory of the pod."""
        for name in ("data", "run"):
            shutil.rmtree(self.folder / name)
            (self.folder / name).mkdir()

    def state(self) -> dict[str, Any]:
        """What the agent says; empty while it does not answer."""
        with contextlib.suppress(OSError):
            url = f"http://{self.address}:{AGENT_PORT}/state"
            with urllib.request.urlopen(url, timeout=2) as answer:
                state: dict[str, Any] = json.load(answer)
                return state
        return {}

    def client(self, kind: str = "redis-admin", epoch: int | None = None, user: str = "admin") -> redis.Redis:
        """A connection to this node, by default with the password that is valid before and after the latest step."""
        epoch = self.epochs[kind] - 1 if epoch is None else epoch
        port = SENTINEL_PORT if self.is_sentinel else REDIS_PORT
        return redis.Redis(
            host=self.address,
            port=port,
            username=user,
            password=password(kind, epoch),
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),  # the library repeats refused logins too, for seconds
        )

    def watch(self, field: str) -> object:
        """A field of what a Sentinel knows of the master."""
        known = self.client().sentinel_master("trading")
        assert isinstance(known, dict)
        return known[field]

    def log(self, program: str) -> str:
        """What a program wrote so far."""
        return (self.folder / f"{program}.log").read_text()


class Site:
    """Three data nodes and three Sentinels."""

    def __init__(self, root: Path, work: Path) -> None:
        # a network of this folder's own, so that sites do not meet
        number = zlib.crc32(str(work).encode())
        net = f"127.{64 + number % 128}.{number // 128 % 250}"
        members = {f"redis-{n}": f"{net}.{10 + n}" for n in range(3)}
        sentinels = {f"redis-sentinel-{n}": f"{net}.{20 + n}" for n in range(3)}
        environment = {
            "REDIS_INSTANCE": "redis",
            "REDIS_MASTER_NAME": "trading",
            "REDIS_MEMBERS": "3",
            "REDIS_SENTINELS": "3",
            "REDIS_QUORUM": "2",
            "REDIS_DOWN_AFTER_MS": str(ARGS.down_after_ms),
        }
        for pod, address in (members | sentinels).items():
            environment[f"{pod.upper().replace('-', '_')}_SERVICE_HOST"] = address
        self.members = [Node(root, work, pod, address, environment) for pod, address in members.items()]
        self.sentinels = [Node(root, work, pod, address, environment) for pod, address in sentinels.items()]

    @property
    def nodes(self) -> list[Node]:
        """All six."""
        return self.members + self.sentinels

    @property
    def epoch(self) -> int:
        """The generation that every node has mounted for every kind."""
        [epoch] = {epoch for node in self.nodes for epoch in node.epochs.values()}
        return epoch

    def whole(self, within_s: float = 60) -> None:
        """Wait until there is one master with two replicas and the three Sentinels agree on it."""
        eventually(self._is_whole, within_s, "one master, two replicas, three Sentinels that agree")

    def _is_whole(self) -> bool:
        states = [node.state() for node in self.members]
        masters = [node for node, state in zip(self.members, states, strict=True) if state.get("role") == "master"]
        if len(masters) != 1 or sum(bool(state.get("link_up")) for state in states) != 2:
            return False
        address = f"{masters[0].address}:{REDIS_PORT}"
        return all(node.state().get("master") == address for node in self.sentinels) and all(
            node.watch("num-slaves") == node.watch("num-other-sentinels") == 2 for node in self.sentinels
        )

    def master(self) -> Node:
        """The one master."""
        [master] = [node for node in self.members if node.state().get("role") == "master"]
        return master

    def replicas(self) -> list[Node]:
        """The replicas."""
        return [node for node in self.members if node.state().get("role") == "replica"]

    def finder(self, epoch: int, timeout_s: float = 0.5) -> Sentinel:
        """A client that asks the Sentinels for the master."""
        login = {"username": "trading", "password": password("redis-app", epoch), "decode_responses": True}
        timeouts = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        return Sentinel(  # type: ignore[no-untyped-call]
            [(node.address, SENTINEL_PORT) for node in self.sentinels],
            sentinel_kwargs=login | timeouts,
            **login,
            **timeouts,
        )

    def down(self) -> None:
        """End everything."""
        for node in self.nodes:
            node.kill()


def eventually(condition: Callable[[], bool], within_s: float, what: str) -> float:
    """Poll until a condition holds; returns the seconds that it took, fails the test with `what` after too many."""
    begin = time.monotonic()
    while time.monotonic() - begin < within_s:
        with contextlib.suppress(redis.RedisError):
            if condition():
                return time.monotonic() - begin
        time.sleep(0.1)
    pytest.fail(f"not within {within_s} s: {what}")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the layers of an image, one over the other; the image's files have no whiteouts that matter here."""
    with tarfile.open(archive) as image:
        manifest = image.extractfile("manifest.json")
        assert manifest is not None
        for layer in json.load(manifest)[0]["Layers"]:
            with tarfile.open(fileobj=image.extractfile(layer)) as files:
                files.extractall(folder, filter="fully_trusted")  # noqa: S202  our own image


@pytest.fixture(scope="session")
def image_root() -> Path:
    """The files of the image, unpacked once for each content."""
    archive = ensure_one("redis")
    return build_once("roots", f"redis-{content_tag('redis')}", lambda folder: unpack(archive, folder))


@contextmanager
def six(root: Path) -> Iterator[Site]:
    """Six nodes, not started; all are ended and their folders removed afterwards."""
    work = Path(tempfile.mkdtemp(prefix="site-", dir=root / "tmp"))
    work.chmod(0o755)
    site = Site(root, work)
    try:
        yield site
    finally:
        site.down()
        shutil.rmtree(work)


@pytest.fixture
def new_site(image_root: Path) -> Iterator[Site]:
    """Six nodes that were never started."""
    with six(image_root) as site:
        yield site


@pytest.fixture(scope="session")
def shared_site(image_root: Path) -> Iterator[Site]:
    """The six nodes that most tests share, because a whole that has just formed takes ten seconds to know itself."""
    with six(image_root) as site:
        for node in site.nodes:
            node.start()
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    """Six nodes that are one whole."""
    shared_site.whole()
    return shared_site
