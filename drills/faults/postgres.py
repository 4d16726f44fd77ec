"""Faults of PostgreSQL."""

import subprocess
import time

from drills.faults.base import Fault, Heal, cut_off, deleted, node_killed, nothing, processes, signalled
from drills.target import POSTGRES, Late, Target, eventually

CRASH_BUDGET_S = 8.0
SWITCHOVER_BUDGET_S = 3.0
NODE_BUDGET_S = 25.0
PROMOTION_WATCH_S = 60.0


def primary(target: Target) -> str:
    """The pod that leads."""
    return target.primary()


def a_standby(target: Target) -> str:
    """The first pod that does not lead."""
    leader = target.primary()
    return next(name for name in target.names(POSTGRES) if name != leader)


def switchover(target: Target) -> Heal:
    """A planned change of the leader, by Patroni's own command."""
    leader = target.primary()
    target.shell(leader, "patroni", f"patronictl -c /run/patroni/conf switchover --leader {leader} --force")
    return nothing


def double_failure(target: Target) -> Heal:
    """Delete the leader by force, then kill every process of its successor within a second of its promotion."""
    first = target.primary()
    others = [name for name in target.names(POSTGRES) if name != first]
    watch = {name: reads_its_promotion(target, name) for name in others}
    target.kubectl("delete", "pod", first, "--force", "--grace-period=0")
    deadline = time.monotonic() + PROMOTION_WATCH_S
    while time.monotonic() < deadline:
        for process in watch.values():
            if process.poll() is not None:
                for each in watch.values():
                    each.kill()
                return nothing
        time.sleep(0.05)
    raise Late(f"no member was promoted within {PROMOTION_WATCH_S:g} s")


def reads_its_promotion(target: Target, pod: str) -> subprocess.Popen[bytes]:
    """A process that kills every PostgreSQL process of a member as soon as it is promoted, by the member's own socket.

    It watches inside the pod, since one more call through the API server would come too late.
    """
    query = "psql -h /run/postgresql -d postgres -AtXqc 'select pg_is_in_recovery()' 2>/dev/null"
    script = f'until [ "$({query})" = f ]; do sleep 0.05; done; {processes("postgres", "KILL")}'
    argv = target.argv("exec", pod, "-c", "patroni", "--", "sh", "-c", script)
    return subprocess.Popen(argv, env=dict(target.tools.env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def restarted(target: Target) -> Heal:
    """A rolling restart of all members, as an update of the image makes it."""
    target.kubectl("rollout", "restart", "statefulset/postgres")
    target.kubectl("rollout", "status", "statefulset/postgres", "--timeout=300s")
    return nothing


def rebuilt(target: Target) -> Heal:
    """A standby that lost a part of its data directory, and the one command that builds it anew.

    Patroni does not throw a data directory away on its own when it cannot tell whose it is; people say so.
    """
    victim = a_standby(target)
    target.shell(victim, "patroni", "rm -rf /data/pgdata/global")
    target.kubectl("delete", "pod", victim, "--force", "--grace-period=0")
    command = f"patronictl -c /run/patroni/conf reinit postgres {victim} --force"
    done = "Success: reinitialize"
    eventually(lambda: done in target.shell(target.primary(), "patroni", command), 120, f"{victim} takes the command")
    return nothing


def healthy(target: Target) -> bool:
    """Three ready members, one of them the primary, and a standby that commits wait for."""
    pods = target.pods(POSTGRES)
    ready = [all(c["ready"] for c in p["status"].get("containerStatuses", [{"ready": False}])) for p in pods]
    states = target.psql("select sync_state from pg_stat_replication where state = 'streaming'")
    return ready == [True] * 3 and len(states) == 2 and ["quorum"] in states


def settle(target: Target) -> None:
    """Wait until the next fault finds what the one before has found."""
    eventually(lambda: healthy(target), 240, "three PostgreSQL members, two of them streaming")


FAULTS = (
    Fault("pod-delete", "the primary's pod deleted by force", deleted(primary), CRASH_BUDGET_S, primary),
    Fault(
        "sigkill",
        "every PostgreSQL process of the primary killed",
        signalled(primary, "patroni", "postgres", "KILL"),
        CRASH_BUDGET_S,
        primary,
    ),
    Fault(
        "hang",
        "every PostgreSQL process of the primary stopped",
        signalled(primary, "patroni", "postgres", "STOP"),
        NODE_BUDGET_S,
        primary,
        hold_s=20,
    ),
    Fault("switchover", "a planned change of the primary", switchover, SWITCHOVER_BUDGET_S, primary),
    Fault(
        "double-failure",
        "the new primary killed within a second of its promotion",
        double_failure,
        2 * NODE_BUDGET_S,
        primary,
    ),
    Fault("standby-delete", "a standby's pod deleted by force", deleted(a_standby), CRASH_BUDGET_S, a_standby),
    Fault("rebuild", "a standby with a broken data directory", rebuilt, CRASH_BUDGET_S, a_standby),
    Fault("rolling-restart", "all members restarted, one after the other", restarted, NODE_BUDGET_S, primary),
    Fault("node-loss", "the primary's node gone", node_killed(primary), NODE_BUDGET_S, primary, needs_nodes=True),
    Fault(
        "partition-peers",
        "the primary's node cut off from the other nodes",
        cut_off(primary, peers=True, control=False),
        NODE_BUDGET_S,
        primary,
        needs_nodes=True,
        hold_s=25,
    ),
    Fault(
        "partition-api",
        "the primary's node cut off from the API server",
        cut_off(primary, peers=False, control=True),
        NODE_BUDGET_S,
        primary,
        needs_nodes=True,
        hold_s=25,
    ),
    Fault(
        "isolation",
        "the primary's node cut off from all others and the API server",
        cut_off(primary, peers=True, control=True),
        NODE_BUDGET_S,
        primary,
        needs_nodes=True,
        hold_s=25,
    ),
)
