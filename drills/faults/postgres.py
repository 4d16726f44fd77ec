"""Faults of PostgreSQL."""

import contextlib
import subprocess
import time
from collections.abc import Iterator

from drills.faults.base import Fault, Heal, cut_off, deleted, node_killed, nothing, processes, signalled
from drills.faults.operations import drained, emptied, scaled_in, without_api
from drills.faults.starvation import out_of_memory, short_of_cpu, slow_disk
from drills.target import POSTGRES, Late, Target, eventually
from toolchain.kit.console import ToolError

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
    with contextlib.ExitStack() as stay:
        watches = {name: stay.enter_context(killing_its_promotion(target, name)) for name in others}
        target.kubectl("delete", "pod", first, "--force", "--grace-period=0")
        deadline = time.monotonic() + PROMOTION_WATCH_S
        while time.monotonic() < deadline:
            codes = [each.poll() for each in watches.values()]
            if 0 in codes:
                return nothing
            if None not in codes:
                raise ToolError(f"{', '.join(watches)}: nobody could wait there for a promotion")
            time.sleep(0.05)
    raise Late(f"no member was promoted within {PROMOTION_WATCH_S:g} s")


@contextlib.contextmanager
def killing_its_promotion(target: Target, pod: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that kills every PostgreSQL process of a member as soon as it is promoted, by the member's own socket.

    It watches inside the pod, since one more call through the API server would come too late. It ends with its input,
    and in any case with the time of the watch: one that stayed would strike at some later promotion.
    """
    query = "psql -h /run/postgresql -d postgres -AtXqc 'select pg_is_in_recovery()' 2>/dev/null"
    ends = "exec 3<&0; me=$$; { cat <&3 >/dev/null; kill $me; } >/dev/null 2>&1 &"
    bound = '[ "$(date +%s)" -lt $end ] || exit 1; sleep 0.05'
    until = f'end=$(($(date +%s) + {PROMOTION_WATCH_S:.0f})); until [ "$({query})" = f ]; do {bound}; done'
    script = f"{ends} {until}; {processes('postgres', 'KILL')}"
    argv = target.argv("exec", "-i", pod, "-c", "patroni", "--", "sh", "-c", script)
    env, null = dict(target.tools.env), subprocess.DEVNULL
    with subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=null, stderr=null) as process:
        try:
            yield process
        finally:
            process.kill()


def double_failure_under_load(target: Target) -> Heal:
    """The same while every member's node has more to do than it can."""
    with contextlib.ExitStack() as stay:
        for name in target.names(POSTGRES):
            busy = f"timeout {PROMOTION_WATCH_S:g} sh -c 'while :; do :; done'"
            argv = target.argv("exec", name, "-c", "patroni", "--", "sh", "-c", f"{busy} & {busy}")
            hog = stay.enter_context(subprocess.Popen(argv, env=dict(target.tools.env), stderr=subprocess.DEVNULL))
            stay.callback(hog.kill)
        return double_failure(target)


def double_failure_after_copy(target: Target) -> Heal:
    """The same as soon as a standby that was made anew is one that commits wait for."""
    emptied(target, a_standby(target))
    settle(target)
    return double_failure(target)


def standby_emptied(target: Target) -> Heal:
    """A standby that lost all its data."""
    emptied(target, a_standby(target))
    return nothing


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
    Fault(
        "double-failure-load",
        "the same, with all members short of processor time",
        double_failure_under_load,
        2 * NODE_BUDGET_S,
        primary,
    ),
    Fault(
        "double-failure-copy",
        "the same, as soon as a standby has been made anew",
        double_failure_after_copy,
        2 * NODE_BUDGET_S,
        primary,
    ),
    Fault(
        "out-of-memory",
        "a backend of the primary that the kernel kills for its memory",
        out_of_memory(primary),
        CRASH_BUDGET_S,
        primary,
    ),
    Fault("scale-in", "one member less, and back", scaled_in, CRASH_BUDGET_S, primary),
    Fault("standby-delete", "a standby's pod deleted by force", deleted(a_standby), CRASH_BUDGET_S, a_standby),
    Fault("standby-empty", "a standby without any data", standby_emptied, CRASH_BUDGET_S, a_standby),
    Fault("rebuild", "a standby with a broken data directory", rebuilt, CRASH_BUDGET_S, a_standby),
    Fault("rolling-restart", "all members restarted, one after the other", restarted, NODE_BUDGET_S, primary),
    Fault("drain", "the primary's node drained", drained, CRASH_BUDGET_S, primary, needs_nodes=True),
    Fault(
        "short-of-cpu",
        "a tenth of a processor for the primary",
        short_of_cpu(primary),
        NODE_BUDGET_S,
        primary,
        needs_nodes=True,
        hold_s=20,
    ),
    Fault(
        "slow-disk",
        "20 writes a second for the primary's disk",
        slow_disk(primary),
        NODE_BUDGET_S,
        primary,
        needs_nodes=True,
        hold_s=20,
    ),
    Fault("api-down", "the API server stopped", without_api, CRASH_BUDGET_S, primary, needs_nodes=True),
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
