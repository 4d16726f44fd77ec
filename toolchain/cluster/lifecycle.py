"""Bring a cluster up, stop it, take it down; kill and heal its nodes."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from components.kit.images import reference
from toolchain import go, images
from toolchain.cluster import cgroups, environment, load, network, plan, prepare
from toolchain.cluster.api import ApiError
from toolchain.cluster.forwards import require_free
from toolchain.cluster.manifests import objects
from toolchain.cluster.packages import ensure_packages
from toolchain.cluster.processes import Process, wait_until
from toolchain.cluster.state import PORT_VARIABLE, Cluster
from toolchain.kit.console import ToolError, say, step
from toolchain.kit.paths import ROOT

CNI_STATE = Path("/var/lib/cni")
START_TIMEOUT_S = 180
STOP_TIMEOUT_S = 30


def up(cluster: Cluster) -> None:
    """Bring the cluster up, or repair what is missing of it; three Ready nodes at the end.

    Raises `ToolError` before anything is changed when the port is taken or containers cannot live here.
    """
    require_port(cluster)
    prepare.require_suitable(cluster.local)
    network.require_bridge_filter()
    begin = time.monotonic()
    with cluster.lock():
        ensure_packages()
        programs = go.ensure(("kube", "coredns"))
        pause = images.ensure(["pause"])["pause"]
        with step("keys, configuration, network"):
            prepare.write_all(cluster, programs, reference("pause"))
            network.ensure(cluster.name)
        with step("start the members"):
            fresh = {member: start(cluster, member) for member in plan.MEMBERS}
        with step("control plane, nodes"), ThreadPoolExecutor(1) as pool:
            loaded = pool.submit(load_pause, cluster, pause)
            wait_for_api(cluster)
            apply_objects(cluster)
            environment.write_kubeconfig(cluster)
            environment.write_endpoints(cluster)
            environment.write_env(cluster)
            loaded.result()
            wait_for_nodes(cluster, {node: fresh[node] for node in plan.NODES})
    cut = network.partitions(cluster.name)
    if cut:
        say(f"    still cut off: {', '.join(f'{a} from {b}' for a, b in cut)}; `heal` joins them")
    say(f"cluster {cluster.name} is up after {time.monotonic() - begin:.1f} s; KUBECONFIG={cluster.kubeconfig}")


def require_port(cluster: Cluster) -> None:
    """Raise `ToolError` unless the API server's port is free, or this cluster listens on it already."""
    recorded = cluster.folder / "port"
    running = cluster.init(plan.CONTROL) is not None
    if running and recorded.read_text() != str(cluster.port):
        raise ToolError(f"{PORT_VARIABLE} = {cluster.port}: the cluster runs on port {recorded.read_text()}; unset it")
    if not running:
        require_free(cluster.port, PORT_VARIABLE)


def start(cluster: Cluster, member: str) -> datetime:
    """Start a member unless it runs; nothing of one that died is left to disturb it. Returns when it was started."""
    if cluster.init(member):
        return datetime.min.replace(tzinfo=UTC)
    # Kubernetes counts in whole seconds.
    now = datetime.now(UTC).replace(microsecond=0)
    group = cluster.cgroup(member)
    cgroups.kill(group)
    cgroups.remove(group)
    cgroups.create(f"{group}/daemons")
    if member != plan.CONTROL:
        network.set_link(cluster.name, member, up=True)
    CNI_STATE.mkdir(exist_ok=True)
    record = cluster.pid_file(member)
    record.unlink(missing_ok=True)
    log = cluster.folder / "log" / member / "init.log"
    argv = [sys.executable, "-m", "toolchain.cluster.init", str(record.with_suffix(".spec.json")), str(record)]
    with log.open("ab") as out:
        done = subprocess.run(
            argv,
            cwd="/",
            env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            check=False,
        )
    if done.returncode or cluster.init(member) is None:
        raise ToolError(f"{member} does not start: {last_line(log)} (see {log})")
    return now


def last_line(log: Path) -> str:
    """The end of a log."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"


def load_pause(cluster: Cluster, archive: Path) -> None:
    """Give the nodes the image that every pod needs."""
    for node in plan.NODES:
        if not wait_until(partial(load.has_containerd, cluster, node), START_TIMEOUT_S, 0.3):
            raise ToolError(f"{node}: containerd does not answer; see {cluster.folder}/log/{node}/containerd.log")
    load.load(cluster, [archive])


def wait_for_api(cluster: Cluster) -> None:
    """Wait until the API server is ready."""
    if not wait_until(cluster.api().ready, START_TIMEOUT_S, 0.2):
        raise ToolError(f"the API server is not ready; see {cluster.folder}/log/control/kube-apiserver.log")


def apply_objects(cluster: Cluster) -> None:
    """Apply the cluster's own objects; the first ones may have to wait for the API server's built-in roles."""
    api = cluster.api()
    for path, body in objects():

        def applied(path: str = path, body: dict[str, Any] = body) -> bool:
            try:
                api.apply(path, body)
            except ApiError as error:
                if error.status not in (403, 404, 409, 429, 500, 503):
                    raise
                return False
            return True

        if not wait_until(applied, 30, 0.3):
            api.apply(path, body)


def wait_for_nodes(cluster: Cluster, since: Mapping[str, datetime]) -> None:
    """Wait until nodes are Ready, by a report not older than their start. Raises `ToolError` naming the others."""

    def missing() -> list[str]:
        reports = ready_nodes(cluster)
        return [node for node, start in since.items() if node not in reports or reports[node] < start]

    if not wait_until(lambda: not missing(), START_TIMEOUT_S, 0.3):
        raise ToolError(f"not Ready: {', '.join(missing())}; see {cluster.folder}/log/<node>/kubelet.log")


def ready_nodes(cluster: Cluster) -> dict[str, datetime]:
    """The nodes that are Ready, and when their kubelet last reported that."""
    return {
        item["metadata"]["name"]: datetime.fromisoformat(condition["lastHeartbeatTime"])
        for item in cluster.api().get("/api/v1/nodes")["items"]
        for condition in item["status"].get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    }


def stop(cluster: Cluster) -> None:
    """Stop all processes gently and keep the data; `up` goes on from there."""
    with cluster.lock(), step("stop"):
        # Nodes first, so that no pod is restarted elsewhere, and its volumes are at rest.
        for group in (plan.NODES, (plan.CONTROL,)):
            running = [init for member in group if (init := cluster.init(member))]
            for init in running:
                init.send(signal.SIGTERM)
            for init in running:
                wait_until(partial(ended, init), STOP_TIMEOUT_S)
        remove_from_machine(cluster)


def ended(process: Process) -> bool:
    """Whether a process is gone."""
    return not process.alive()


def down(cluster: Cluster) -> None:
    """Remove the cluster: processes, namespaces, mounts, cgroups and all its data."""
    with cluster.lock(), step("take the cluster down"):
        for member in plan.MEMBERS:
            init = cluster.init(member)
            if init:
                init.send(signal.SIGKILL)
        remove_from_machine(cluster)
        shutil.rmtree(cluster.folder, ignore_errors=True)
        if cluster.folder.exists():
            shutil.rmtree(cluster.folder)
        for path in (cluster.kubeconfig, cluster.endpoints_file, cluster.local / "env"):
            path.unlink(missing_ok=True)


def remove_from_machine(cluster: Cluster) -> None:
    """Kill what is left of the cluster's processes; remove its cgroups and network namespaces."""
    cgroups.kill(cluster.name)
    cgroups.remove(cluster.name)
    network.remove(cluster.name)
    if CNI_STATE.is_dir() and not any(CNI_STATE.iterdir()):
        CNI_STATE.rmdir()


def kill_node(cluster: Cluster, node: str) -> None:
    """A node's sudden death: its processes, containers included, are killed at once and its link is down."""
    with cluster.lock():
        network.set_link(cluster.name, node, up=False)
        init = cluster.init(node)
        if init:
            init.send(signal.SIGKILL)
        cgroups.kill(cluster.cgroup(node))


def heal_node(cluster: Cluster, node: str) -> None:
    """Bring a dead node back and wait until it is Ready."""
    with cluster.lock(), step(f"heal {node}"):
        require_running(cluster)
        network.set_link(cluster.name, node, up=True)
        wait_for_nodes(cluster, {node: start(cluster, node)})


def require_running(cluster: Cluster) -> None:
    """Raise `ToolError` unless the control plane runs."""
    if cluster.init(plan.CONTROL) is None:
        raise ToolError("the cluster is not running; `python -m toolchain.cluster up`")
