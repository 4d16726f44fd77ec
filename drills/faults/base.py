"""What a fault is to a drill."""

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drills.target import Target
from toolchain.kit.console import ToolError

Heal = Callable[[], None]


def nothing() -> None:
    """There is nothing to heal: the platform does it by itself."""


@dataclass(frozen=True)
class Fault:
    """One class of faults.

    Attributes:
        name: as it is given on the command line.
        what: in words.
        inject: breaks it, and returns what heals it; safe to call when it has healed already.
        budget_s: within which 95 of 100 recoveries must be over, seconds.
        victim: the pod that it will hit.
        needs_nodes: whether it takes a node away or reaches into it, which only the local cluster's owner can do.
        may_lose: acknowledged writes that may be lost, as a number of seconds of writing; 0 for none.
        hold_s: how long the fault stays before it is healed, seconds.
        trade_budget_s: within which orders must be traded again, seconds; where nothing is traded it is not asked.
    """

    name: str
    what: str
    inject: Callable[[Target], Heal]
    budget_s: float
    victim: Callable[[Target], str]
    needs_nodes: bool = False
    may_lose: float = 0.0
    hold_s: float = 0.0
    trade_budget_s: float = 0.0


def undone(break_it: Callable[[], object], heal: Callable[[], object]) -> Heal:
    """Break, and return what heals it; a fault that fails or is interrupted half way is healed at once."""

    def healed() -> None:
        heal()

    try:
        break_it()
    except BaseException:
        healed()
        raise
    return healed


def processes(comm: str, number: str) -> str:
    """A script that sends a signal to every process of a name, and fails where there is none.

    The images have no procps.
    """
    one = f'read -r c < "$p/comm" && [ "$c" = {comm} ] && kill -{number} "${{p#/proc/}}" && hit=1'
    return f"hit=0; for p in /proc/[0-9]*; do {one}; done 2>/dev/null; [ $hit = 1 ]"


def deleted(pod: Callable[[Target], str]) -> Callable[[Target], Heal]:
    """Deletes a pod without any grace."""

    def inject(target: Target) -> Heal:
        target.kubectl("delete", "pod", pod(target), "--force", "--grace-period=0")
        return nothing

    return inject


def signalled(pod: Callable[[Target], str], container: str, comm: str, number: str) -> Callable[[Target], Heal]:
    """Sends a signal to the processes of a container; those that were stopped are let go on to heal."""

    def inject(target: Target) -> Heal:
        victim = pod(target)
        target.shell(victim, container, processes(comm, number))

        def resume() -> None:
            # they are gone when the pod has been killed and made anew meanwhile
            with contextlib.suppress(ToolError):
                target.shell(victim, container, processes(comm, "CONT"))

        return resume if number == "STOP" else nothing

    return inject


def signalled_from_outside(pod: Callable[[Target], str], comm: str, number: signal.Signals) -> Callable[[Target], Heal]:
    """The same for the first process of a container, which no signal from inside stops or kills: from its node."""

    def inject(target: Target) -> Heal:
        victims = target.node_processes(pod(target), comm)
        send(victims, number)
        return (lambda: send(victims, signal.SIGCONT)) if number == signal.SIGSTOP else nothing

    return inject


def send(victims: Sequence[int], number: signal.Signals) -> None:
    """A signal to processes of this machine; those that are gone already are left out."""
    for victim in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, number)


def node_killed(pod: Callable[[Target], str]) -> Callable[[Target], Heal]:
    """Kills every process of the pod's node at once, and unplugs it."""

    def inject(target: Target) -> Heal:
        node = target.node_of(pod(target))
        return undone(lambda: target.cluster("kill-node", node), lambda: target.cluster("heal-node", node))

    return inject


def cut_off(pod: Callable[[Target], str], *, peers: bool, control: bool) -> Callable[[Target], Heal]:
    """Drops all packets between the pod's node and the other nodes, the API server, or both."""

    def inject(target: Target) -> Heal:
        node = target.node_of(pod(target))
        others = sorted({target.node_of(name) for name in target.names("app.kubernetes.io/name=postgres")} - {node})

        def cut() -> None:
            for other in (*(others if peers else ()), *(("control",) if control else ())):
                target.cluster("partition", node, other)

        return undone(cut, lambda: target.cluster("heal"))

    return inject
