"""The local cluster's life for real, in a folder and on ports of its own: up, faults, stop, up again, down."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.kit.images import reference
from toolchain import go, images
from toolchain.cluster import cgroups, plan
from toolchain.cluster.init import KERNEL_SETTINGS
from toolchain.cluster.processes import wait_until
from toolchain.cluster.state import Cluster
from toolchain.kit.paths import ROOT

pytestmark = pytest.mark.cluster

PORT = 17543
FORWARDED = 17580
MANIFESTS = Path(__file__).with_name("test_cluster_pods.yaml")
ASK = (
    "$s = IO::Socket::INET->new(PeerAddr => shift, PeerPort => shift, Timeout => 2) or exit 7;"
    'print $s "GET / HTTP/1.0\\r\\n\\r\\n"; print((<$s>)[-1])'
)


@dataclass(frozen=True)
class Machine:
    """What a cluster could leave behind on a machine."""

    mounts: frozenset[str]
    namespaces: frozenset[str]
    groups: frozenset[str]
    rules: str
    links: frozenset[str]
    routes: str
    settings: tuple[str, ...]
    folders: frozenset[str]


def machine(local: Path) -> Machine:
    """The machine as it is, apart from mounts, namespaces and cgroups that are clearly somebody else's."""
    name = plan.cluster_id(local)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    netns = Path("/run/netns")
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return Machine(
        mounts=frozenset(line for line in mounts if str(local) in line or name in line or "/cni" in line),
        namespaces=frozenset(each.name for each in netns.glob(f"{name}*")) if netns.is_dir() else frozenset(),
        groups=frozenset(str(each) for h in cgroups.hierarchies() for each in h.path.glob(f"{name}*")),
        rules="\n".join(line for line in rules.splitlines() if not line.startswith(("#", ":"))),
        links=frozenset(each.name for each in Path("/sys/class/net").iterdir()),
        routes=subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout,
        settings=tuple((Path("/proc/sys") / each).read_text() for each in KERNEL_SETTINGS if exists(each)),
        folders=frozenset(str(each) for each in local.glob("*")),
    )


def exists(setting: str) -> bool:
    """Whether the kernel has a setting."""
    return (Path("/proc/sys") / setting).exists()


@dataclass(frozen=True)
class Here:
    """The cluster of these tests."""

    cluster: Cluster
    env: dict[str, str]
    before: Machine

    def run(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of the toolchain."""
        argv = [sys.executable, "-m", "toolchain.cluster", *args]
        done = subprocess.run(argv, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False, timeout=120)
        if check and done.returncode:
            pytest.fail(f"{' '.join(args)}: {done.stderr}")
        return done

    def kubectl(self, *args: str, given: str | None = None) -> str:
        """Output of kubectl."""
        env = self.env | {"KUBECONFIG": str(self.cluster.kubeconfig)}
        done = subprocess.run(["kubectl", *args], env=env, input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"kubectl {' '.join(args)}: {done.stderr}")
        return done.stdout

    def pods(self) -> dict[str, dict[str, Any]]:
        """The pods by uid."""
        items = json.loads(self.kubectl("-n", "life", "get", "pods", "-o", "json"))["items"]
        return {item["metadata"]["uid"]: item for item in items}

    def pods_ready(self, other_than: Iterable[str] = ()) -> None:
        """Wait until three pods run and are ready, none of them one of those."""

        def ready() -> bool:
            pods = self.pods()
            return sum(map(is_ready, pods.values())) == 3 and not pods.keys() & set(other_than)

        assert wait_until(ready, 60, 0.5), self.kubectl("-n", "life", "describe", "pods")

    def ask(self, pod: str, host: str, port: int) -> str:
        """What a pod gets from an address; empty when it cannot connect."""
        env = self.env | {"KUBECONFIG": str(self.cluster.kubeconfig)}
        call = ["perl", "-MIO::Socket::INET", "-e", ASK, host, str(port)]
        argv = ["kubectl", "-n", "life", "exec", pod, "--", *call]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False).stdout.strip()

    def address(self, pod: str) -> str:
        """A pod's address."""
        return self.kubectl("-n", "life", "get", "pod", pod, "-o", "jsonpath={.status.podIP}")

    def node(self, pod: str) -> str:
        """The node a pod is on."""
        return self.kubectl("-n", "life", "get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod is ready."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    """The commands, set to a folder of their own on the checkout's file system; `down` at the end in any case."""
    local = ROOT / ".local" / "test-life"
    programs = go.ensure(("kube", "coredns"))
    env = dict(os.environ) | {"TRADING_LOCAL": str(local), "TRADING_KUBERNETES_PORT": str(PORT)}
    env["PATH"] = f"{programs}:{env['PATH']}"
    found = Here(Cluster(local, PORT), env, machine(local))
    yield found
    found.run("down")
    local.rmdir()


@pytest.fixture(scope="module")
def running(here: Here) -> Here:
    """The cluster, up, with three pods, each with a volume."""
    here.run("up")
    here.run("load", str(images.ensure(["base"])["base"]))
    here.kubectl("apply", "-f", "-", given=MANIFESTS.read_text().replace("IMAGE", reference("base")))
    here.pods_ready()
    return here


@pytest.mark.parametrize("seconds", [0.25, 0.7, 1.2, 2.5])
def test_down_after_a_crash_in_the_middle_of_up(here: Here, seconds: float) -> None:
    here.run("down")
    before = machine(here.cluster.local)
    argv = [sys.executable, "-m", "toolchain.cluster", "up"]
    with subprocess.Popen(argv, cwd=ROOT, env=here.env, stderr=subprocess.DEVNULL) as up:
        time.sleep(seconds)
        up.kill()
    here.run("down")

    assert machine(here.cluster.local) == before


def test_up_repairs_what_a_crash_left(here: Here) -> None:
    argv = [sys.executable, "-m", "toolchain.cluster", "up"]
    with subprocess.Popen(argv, cwd=ROOT, env=here.env, stderr=subprocess.DEVNULL) as up:
        assert wait_until(lambda: here.cluster.init(plan.CONTROL) is not None, 20, 0.02)
        up.kill()

    here.run("up")
    assert here.run("status").returncode == 0


def test_a_taken_port_changes_nothing(here: Here) -> None:
    here.run("down")
    before = machine(here.cluster.local)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", PORT))
        taken.listen()
        done = here.run("up", check=False)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "TRADING_KUBERNETES_PORT" in done.stderr
    assert machine(here.cluster.local) == before


def test_pods_are_on_three_nodes_in_three_zones(running: Here) -> None:
    nodes = json.loads(running.kubectl("get", "nodes", "-o", "json"))["items"]

    assert {running.node(f"web-{i}") for i in range(3)} == set(plan.NODES)
    zones = {each["metadata"]["name"]: each["metadata"]["labels"]["topology.kubernetes.io/zone"] for each in nodes}
    assert zones == {"node-1": "zone-1", "node-2": "zone-2", "node-3": "zone-3"}


def test_volumes_belong_to_the_pods_group(running: Here) -> None:
    shown = running.kubectl("-n", "life", "exec", "web-0", "--", "stat", "-c", "%g %A", "/data")

    assert shown.split() == ["4321", "drwxrwsrwx"]


def test_a_pod_reaches_every_member_of_its_service_itself_too(running: Here) -> None:
    members, answers = {"web-0", "web-1", "web-2"}, set[str]()

    def all_answered() -> bool:
        answers.add(running.ask("web-0", "web", 80))
        return answers >= members

    # the first requests may come before every node has the rules of the Service; afterwards none fails
    assert wait_until(all_answered, 30, 0), answers
    assert {running.ask("web-0", "web", 80) for _ in range(12)} <= members


def test_nothing_leads_out(running: Here) -> None:
    for node in plan.NODES:
        routes = running.run("exec", node, "--", "ip", "route").stdout
        assert "default" not in routes
        assert "172.30.0.0/24" in routes


def test_strangers_are_refused(running: Here) -> None:
    for url in (running.cluster.address + "/version", running.cluster.address + "/readyz"):
        done = subprocess.run(["curl", "-sk", url], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["code"] == 401


def test_a_kubelet_may_not_speak_for_another_node(running: Here) -> None:
    pki = running.cluster.member("node-1") / "pki"
    api = [f"--server={running.cluster.address}", f"--certificate-authority={pki}/ca.crt"]
    argv = ["kubectl", "--kubeconfig=/dev/null", *api, f"--client-certificate={pki}/kubelet.crt"]
    done = subprocess.run(
        [*argv, f"--client-key={pki}/kubelet.key", "label", "node", "node-2", "x=y"],
        env=running.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode
    assert "cannot read 'node-2', only its own Node object" in done.stderr


def test_secrets_are_encrypted_at_rest(running: Here) -> None:
    running.kubectl("-n", "life", "create", "secret", "generic", "s", "--from-literal=key=plain-to-be-seen")
    running.kubectl("-n", "life", "create", "configmap", "c", "--from-literal=key=open-to-be-seen")
    stored = b"".join(path.read_bytes() for path in (running.cluster.member(plan.CONTROL) / "etcd").rglob("*.wal"))

    assert b"open-to-be-seen" in stored
    assert b"plain-to-be-seen" not in stored


def test_host_commands_in_a_node_use_the_clusters_names(running: Here) -> None:
    before = Path("/etc/resolv.conf").read_text()
    shown = running.run("exec", "node-2", "--", "getent", "hosts", "web.life").stdout

    assert shown.startswith("10.96.")
    assert Path("/etc/resolv.conf").read_text() == before


def test_a_forward_outlives_the_pods(running: Here) -> None:
    def get() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{FORWARDED}/", timeout=5) as answer:
                return str(answer.read().decode().strip())
        except (OSError, urllib.error.URLError):
            return ""

    url = running.run("forward", "web", "life/web:80", str(FORWARDED)).stdout.strip()
    assert url == running.cluster.endpoints()["web"] == f"http://127.0.0.1:{FORWARDED}"
    assert get() in {"web-0", "web-1", "web-2"}
    before = running.pods()
    running.kubectl("-n", "life", "delete", "pods", "--all", "--wait=false")
    running.pods_ready(other_than=before)
    assert get() in {"web-0", "web-1", "web-2"}

    taken = running.run("forward", "other", "life/web:80", str(FORWARDED), check=False)
    assert taken.returncode == 1
    assert "taken by forward 'web'" in taken.stderr


def test_a_partition_cuts_pods_and_heals(running: Here) -> None:
    there = running.address("web-1")
    first, second = running.node("web-0"), running.node("web-1")
    running.run("partition", first, second)
    running.run("partition", second, first)
    assert running.ask("web-0", there, 8080) == ""
    assert running.ask("web-1", running.address("web-0"), 8080) == ""
    assert running.ask("web-2", there, 8080) == "web-1"
    assert f"cut off: {min(first, second)} from {max(first, second)}" in running.run("status").stdout

    running.run("heal")
    assert running.ask("web-0", there, 8080) == "web-1"


def test_a_killed_node_is_dead_at_once_and_comes_back(running: Here) -> None:
    node = running.node("web-0")
    address = running.address("web-0")
    group = running.cluster.cgroup(node)
    assert len(cgroups.processes(group)) > 4
    running.run("kill-node", node)
    running.run("kill-node", node)

    assert cgroups.processes(group) == set()
    assert running.ask("web-1", address, 8080) == ""
    assert running.run("status", check=False).returncode == 1
    running.run("heal-node", node)
    running.run("heal-node", node)
    assert wait_until(lambda: running.ask("web-1", running.address("web-0"), 8080) == "web-0", 30)
    assert running.run("status").returncode == 0


def test_a_daemon_that_dies_is_restarted(running: Here) -> None:
    def scheduler() -> set[int]:
        pids = cgroups.processes(running.cluster.cgroup(plan.CONTROL))
        return {pid for pid in pids if b"kube-scheduler" in command(pid)}

    def command(pid: int) -> bytes:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            return b""

    [before] = scheduler()
    os.kill(before, signal.SIGKILL)

    assert wait_until(lambda: bool(scheduler() - {before}), 10)


def test_stop_keeps_the_data(running: Here) -> None:
    running.run("stop")
    running.run("stop")
    assert not cgroups.exists(running.cluster.name)
    running.run("up")
    assert wait_until(lambda: all(running.ask("web-1", f"web-{i}.web", 8080) for i in range(3)), 60)

    starts = running.kubectl("-n", "life", "exec", "web-1", "--", "cat", "/data/starts")
    assert starts.count("x") >= 2
    with urllib.request.urlopen(f"http://127.0.0.1:{FORWARDED}/", timeout=5) as answer:
        assert answer.status == 200


def test_a_second_load_imports_nothing(running: Here) -> None:
    done = running.run("load", str(images.ensure(["base"])["base"]))

    assert "0 imported, 3 were there" in done.stderr


def test_deleted_claims_leave_no_files(running: Here) -> None:
    volumes = [running.cluster.member(node) / "volumes" for node in plan.NODES]
    assert sum(len(list(folder.iterdir())) for folder in volumes) == 3
    running.kubectl("delete", "namespace", "life")

    assert wait_until(lambda: not any(list(folder.iterdir()) for folder in volumes), 20)
    assert wait_until(lambda: json.loads(running.kubectl("get", "pv", "-o", "json"))["items"] == [], 10)


def test_down_leaves_nothing(running: Here) -> None:
    pids = cgroups.processes(running.cluster.name)
    assert len(pids) > 15
    running.run("unforward", "web")
    running.run("down")
    running.run("down")

    assert machine(running.cluster.local) == running.before
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
