"""Risk of a change to a ConfigMap or a Secret: who reads it, and whether a running pod follows. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from components.credentials.args import EPOCH_ANNOTATION, REGISTRY_SECRET, SECRET_NAMES
from components.postgres.names import RESTART_PARAMETERS, SETTINGS_OBJECT, STATE_OBJECTS
from toolchain.report.context import Context
from toolchain.report.model import Level, Risk
from toolchain.report.steps import Step, dig
from toolchain.report.values import Difference, differences

DYNAMIC = "dynamic.json"
CREDENTIALS = frozenset(SECRET_NAMES.values())


def is_credential(step: Step) -> bool:
    """Whether a Secret holds passwords that clients and servers share."""
    return step.is_secret and step.name in CREDENTIALS


def is_state(step: Step) -> bool:
    """Whether a ConfigMap is one of those that Patroni keeps its state in."""
    return step.rule == "core/ConfigMap" and step.name in STATE_OBJECTS


def config_map(step: Step, changed: Sequence[Difference], context: Context) -> Risk:
    """An update of a ConfigMap."""
    if not any(d.below("data") or d.below("binaryData") for d in changed):
        return Risk(Level.SAFE, "labels or annotations only: no pod reads them")
    if is_state(step):
        return Risk(Level.DOWNTIME, "Patroni keeps its state here: what is written over is lost to it")
    if step.name == SETTINGS_OBJECT:
        return _patroni(step, changed, context)
    return _read_by(step, context)


def secret(step: Step, changed: Sequence[Difference], context: Context) -> Risk:
    """An update of a Secret."""
    if is_credential(step):
        epoch = next((d for d in changed if EPOCH_ANNOTATION in d.path), None)
        what = f"epoch {epoch.old} to {epoch.new}" if epoch is not None else "content changes"
        return Risk(Level.SAFE, f"{what}: mounted as files, which every pod follows while it runs; nothing restarts")
    if step.name == REGISTRY_SECRET:
        return Risk(Level.SAFE, "used when a node pulls an image: pods that run are not touched")
    return _read_by(step, context)


def _patroni(step: Step, changed: Sequence[Difference], context: Context) -> Risk:
    """The settings of PostgreSQL: some of them are taken in while it runs, some need a restart."""
    names = sorted(_leaf(d) for d in _settings(step))
    restart = [name for name in names if name in RESTART_PARAMETERS]
    if restart:
        reason = (
            f"{', '.join(restart)} needs a restart of PostgreSQL: members restart one by one, the primary hands over"
        )
        return Risk(Level.FAILOVER, reason)
    files = {d.path[1] for d in changed if d.below("data") and len(d.path) > 1} - {DYNAMIC}
    if "member.json" in files and "StatefulSet/postgres" not in context.restarting:
        return Risk(Level.SAFE, "read when a member starts: it takes effect at the next restart of each")
    if names:
        return Risk(Level.SAFE, f"{shown(names)}: the agent hands it to Patroni, which reloads; no pod restarts")
    return Risk(Level.SAFE, "the agent sees the new file and reloads Patroni; no pod restarts")


def _settings(step: Step) -> list[Difference]:
    """What differs in the cluster's settings; empty when either side is no JSON."""
    sides: list[Any] = []
    for state in (step.old, step.new):
        try:
            sides.append(json.loads(dig(state, "data", DYNAMIC) or "{}"))
        except ValueError:
            return []
    return differences(*sides)


def _leaf(difference: Difference) -> str:
    return str(difference.path[-1])


def shown(names: Sequence[str]) -> str:
    """At most three names."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _read_by(step: Step, context: Context) -> Risk:
    users = context.users(step)
    if not users:
        return Risk(Level.SAFE, "no workload of the stack reads it")
    workloads = sorted({use.workload for use in users})
    if all(workload in context.restarting for workload in workloads):
        return Risk(Level.SAFE, f"read by {shown(workloads)}, restarted in the same change (see there)")
    waiting = [workload for workload in workloads if workload not in context.restarting]
    if all(use.live for use in users):
        follow = "which read it anew or at their next start"
        return Risk(Level.SAFE, f"mounted by {shown(waiting)}, {follow}; nothing restarts")
    return Risk(Level.SAFE, f"copied at the start of {shown(waiting)}: no effect until those pods restart")


def replaced_config_map(step: Step, context: Context) -> Risk:
    """A ConfigMap that goes."""
    if is_state(step):
        reason = "Patroni's state goes with it: who leads, what was acknowledged by whom"
        return Risk(Level.DATA_LOSS, reason)
    users = sorted({use.workload for use in context.users(step)})
    if not users:
        return Risk(Level.SAFE, "no workload of the stack reads it")
    return Risk(Level.DOWNTIME, f"a pod of {shown(users)} does not start while it is away")


def replaced_secret(step: Step, context: Context) -> Risk:
    """A Secret that goes."""
    if is_credential(step):
        reason = "the passwords that clients and servers share are taken away, and pods that mount them do not start"
        return Risk(Level.DATA_LOSS, reason)
    if step.name == REGISTRY_SECRET:
        return Risk(Level.DOWNTIME, "nodes cannot pull images while it is away: a pod that moves does not start")
    users = sorted({use.workload for use in context.users(step)})
    if not users:
        return Risk(Level.DATA_LOSS, "what it holds is deleted")
    return Risk(Level.DATA_LOSS, f"what it holds is deleted, and a pod of {shown(users)} does not start")
