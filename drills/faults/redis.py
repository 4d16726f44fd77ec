"""Faults of Redis and its Sentinels."""

import signal
from collections.abc import Callable

from drills.faults.base import Fault, Heal, cut_off, deleted, node_killed, nothing, signalled_from_outside
from drills.target import REDIS, SENTINEL, Target, eventually

BUDGET_S = 8.0
MAX_LAG_S = 10.0  # min-replicas-max-lag: a master that is alone takes writes no longer than this


def master(target: Target) -> str:
    """The pod that is the master."""
    return target.master()


def switchover(target: Target) -> Heal:
    """A planned change of the master: its pod is deleted with its grace, which hands over first."""
    target.kubectl("delete", "pod", target.master(), "--wait=false")
    return nothing


def sentinels_gone(count: int) -> Callable[[Target], Heal]:
    """Deletes Sentinels by force."""

    def inject(target: Target) -> Heal:
        for pod in target.names(SENTINEL)[:count]:
            target.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
        return nothing

    return inject


def emptied(target: Target) -> Heal:
    """The master comes back with an empty volume; the replicas must not follow it into emptiness."""
    victim = target.master()
    target.shell(victim, "server", "rm -rf /data/*")
    target.kubectl("delete", "pod", victim, "--force", "--grace-period=0")
    return nothing


def all_restarted(target: Target) -> Heal:
    """Every data node and Sentinel deleted at once."""
    target.kubectl("delete", "pod", "-l", "app.kubernetes.io/name=redis", "--force", "--grace-period=0")
    return nothing


def restarted(target: Target) -> Heal:
    """A rolling restart of the data nodes, as an update of the image makes it."""
    target.kubectl("rollout", "restart", "statefulset/redis")
    target.kubectl("rollout", "status", "statefulset/redis", "--timeout=300s")
    return nothing


def healthy(target: Target) -> bool:
    """One master with two connected replicas, and three ready Sentinels."""
    pods = [*target.pods(REDIS), *target.pods(SENTINEL)]
    ready = [all(c["ready"] for c in p["status"].get("containerStatuses", [{"ready": False}])) for p in pods]
    info = target.redis_cli(target.master(), "INFO", "replication")
    return ready == [True] * 6 and info.count("state=online") == 2


def settle(target: Target) -> None:
    """Wait until the next fault finds what the one before has found."""
    eventually(lambda: healthy(target), 180, "a Redis master with two replicas, and three Sentinels")


FAULTS = (
    Fault("pod-delete", "the master's pod deleted by force", deleted(master), BUDGET_S, master, may_lose=MAX_LAG_S),
    Fault(
        "sigkill",
        "the master's process killed",
        signalled_from_outside(master, "redis-server", signal.SIGKILL),
        BUDGET_S,
        master,
        needs_nodes=True,
        may_lose=MAX_LAG_S,
    ),
    Fault(
        "hang",
        "the master's process stopped",
        signalled_from_outside(master, "redis-server", signal.SIGSTOP),
        BUDGET_S,
        master,
        needs_nodes=True,
        may_lose=MAX_LAG_S,
        hold_s=10,
    ),
    Fault("switchover", "the master's pod deleted with its grace", switchover, BUDGET_S, master),
    Fault("sentinel-loss", "one Sentinel deleted", sentinels_gone(1), BUDGET_S, master),
    Fault("sentinels-loss", "two Sentinels deleted at once", sentinels_gone(2), BUDGET_S, master),
    Fault("empty-volume", "the master's volume emptied", emptied, BUDGET_S, master, may_lose=MAX_LAG_S),
    Fault("all-restarted", "all data nodes and Sentinels deleted", all_restarted, 30, master, may_lose=MAX_LAG_S),
    Fault("rolling-restart", "all data nodes restarted, one after the other", restarted, 30, master),
    Fault(
        "node-loss",
        "the master's node gone",
        node_killed(master),
        BUDGET_S,
        master,
        needs_nodes=True,
        may_lose=MAX_LAG_S,
    ),
    Fault(
        "isolation",
        "the master's node cut off from all others",
        cut_off(master, peers=True, control=True),
        BUDGET_S,
        master,
        needs_nodes=True,
        may_lose=MAX_LAG_S,
        hold_s=20,
    ),
)
