"""What people and the cluster itself do to a running database: drain, scale, lose a volume, lose the API server."""

import json
import signal
import time

from drills.faults.base import Heal, nothing, send, undone
from drills.target import Target
from toolchain.cluster import cgroups, plan
from toolchain.cluster.state import Cluster
from toolchain.kit.console import ToolError

API_DOWN_S = 30.0
"""Longer than the life of the leader lock (20 s), shorter than a node may be silent (40 s)."""


def drained(target: Target) -> Heal:
    """Drain the primary's node, as for its maintenance: the budgets of disruption have their say."""
    node = target.node_of(target.primary())
    flags = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s")
    return undone(lambda: target.kubectl("drain", node, *flags), lambda: target.kubectl("uncordon", node))


def scaled_in(target: Target) -> Heal:
    """One member less, and back again."""
    spec = json.loads(target.kubectl("get", "statefulset", "postgres", "-o", "json"))["spec"]
    members = int(spec["replicas"])

    def scale(count: int) -> None:
        target.kubectl("scale", "statefulset/postgres", f"--replicas={count}")

    def scale_in() -> None:
        scale(members - 1)
        target.kubectl("wait", "--for=delete", f"pod/postgres-{members - 1}", "--timeout=180s")

    return undone(scale_in, lambda: scale(members))


def emptied(target: Target, victim: str) -> None:
    """Take a member's data directory away, and its pod: it must come back by itself."""
    target.shell(victim, "patroni", "rm -rf /data/pgdata || rm -rf /data/pgdata")
    target.kubectl("delete", "pod", victim, "--force", "--grace-period=0")


def without_api(_: Target) -> Heal:
    """Stop the API server for longer than the leader lock lives.

    Nothing can be asked of the cluster meanwhile, so this returns when it runs again; the client goes on writing.
    """
    members = cgroups.processes(Cluster.here().cgroup(plan.CONTROL))
    servers = [each for each in members if command(each) == "kube-apiserver"]
    if not servers:
        raise ToolError("the local cluster's control plane has no process kube-apiserver")
    try:
        send(servers, signal.SIGSTOP)
        time.sleep(API_DOWN_S)
    finally:
        send(servers, signal.SIGCONT)
    return nothing


def command(process: int) -> str:
    """The name of a process of this machine; empty when it is gone."""
    try:
        with open(f"/proc/{process}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""
