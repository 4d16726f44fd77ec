"""Faults of the engine: each of its roles, and what it stands on, while orders come in."""

import signal
from collections import Counter
from collections.abc import Callable

from drills.faults import postgres, redis
from drills.faults.base import Fault, Heal, deleted, node_killed, signalled_from_outside
from drills.target import Target, eventually, one

LEADERS = ("engine", "execution")
PROCESS = "trading"

UNTOUCHED_S = 2.0  # of the API, by what it does not depend on
START_S = 30.0  # of a pod that has nobody beside it: made anew, on a busy machine
TAKEOVER_S = 10.0  # by the one that stands by, steps that were missed included
FAILOVER_S = 8.0  # of a store, as its own drill has it
NODE_S = 90.0  # a node counts as gone after 50 s, and only then its pods are made anew elsewhere


def pod_of(role: str) -> Callable[[Target], str]:
    """The pod of a role that works: the leader where one leads, the first else."""

    def find(target: Target) -> str:
        names = target.names(f"app.kubernetes.io/name=trading,app.kubernetes.io/component={role}")
        if role not in LEADERS:
            return names[0]
        holder = f"select holder from leadership where name = '{role}'"  # noqa: S608  a name of ours
        return eventually(lambda: one([row[0] for row in target.psql(holder) if row[0] in names]), 60, f"a {role}")

    return find


def both_failed_over(target: Target) -> Heal:
    """The primary and the master deleted by force, one right after the other."""
    deleted(postgres.primary)(target)
    return deleted(redis.master)(target)


def leading(target: Target) -> str:
    """A pod on the node where most of what leads stands: primary, master, engine, execution; the primary's first."""
    pods = [postgres.primary(target), redis.master(target), *(pod_of(role)(target) for role in LEADERS)]
    nodes = {pod: target.node_of(pod) for pod in pods}
    most = Counter(nodes.values()).most_common(1)[0][1]
    return next(pod for pod in pods if Counter(nodes.values())[nodes[pod]] == most)


def of_role(role: str, *, budget_s: float, trade_budget_s: float) -> tuple[Fault, Fault]:
    """A role's process killed, and its pod deleted by force."""
    pod = pod_of(role)
    return (
        Fault(
            f"{role}-kill",
            f"the process of {role} killed",
            signalled_from_outside(pod, PROCESS, signal.SIGKILL),
            budget_s,
            pod,
            needs_nodes=True,
            trade_budget_s=trade_budget_s,
        ),
        Fault(
            f"{role}-delete",
            f"the pod of {role} deleted by force",
            deleted(pod),
            budget_s,
            pod,
            trade_budget_s=trade_budget_s,
        ),
    )


def failover(name: str, what: str, inject: Callable[[Target], Heal], victim: Callable[[Target], str]) -> Fault:
    """A store that fails over while orders come in; the roles find its successor."""
    return Fault(name, what, inject, FAILOVER_S, victim, trade_budget_s=FAILOVER_S + TAKEOVER_S)


FAULTS = (
    *of_role("api", budget_s=START_S, trade_budget_s=START_S),
    *of_role("engine", budget_s=UNTOUCHED_S, trade_budget_s=TAKEOVER_S),
    *of_role("execution", budget_s=UNTOUCHED_S, trade_budget_s=TAKEOVER_S),
    *of_role("marketdata", budget_s=UNTOUCHED_S, trade_budget_s=START_S),
    *of_role("risk", budget_s=UNTOUCHED_S, trade_budget_s=UNTOUCHED_S + 2),
    *of_role("cache", budget_s=UNTOUCHED_S, trade_budget_s=UNTOUCHED_S + 2),
    *of_role("scheduler", budget_s=UNTOUCHED_S, trade_budget_s=UNTOUCHED_S + 2),
    failover("postgres-failover", "the primary's pod deleted by force", deleted(postgres.primary), postgres.primary),
    failover("redis-failover", "the master's pod deleted by force", deleted(redis.master), redis.master),
    failover("both-failover", "primary and master deleted by force at once", both_failed_over, postgres.primary),
    Fault(
        "node-loss",
        "the node with most leaders gone",
        node_killed(leading),
        NODE_S,
        leading,
        needs_nodes=True,
        trade_budget_s=NODE_S,
    ),
)
