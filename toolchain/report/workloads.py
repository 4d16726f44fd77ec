"""Risk of a change to what has pods. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.postgres.names import APP as POSTGRES
from toolchain.report.context import Context
from toolchain.report.model import Level, Risk
from toolchain.report.steps import Step, dig
from toolchain.report.values import Difference

REDIS = "redis"
"""The default of `RedisArgs.instance`, whose module would bring the whole SDK with it; a test holds that."""
POD = ("spec", "template")
QUIET = (("metadata", "labels"), ("metadata", "annotations"), ("spec", "revisionHistoryLimit"))
"""Places where a change touches no pod."""


def deployment(step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a Deployment."""
    if (scaled := _scaled(step)) is not None:
        return _worse(scaled, _deployment_pods(step, changed))
    return _deployment_pods(step, changed)


def _deployment_pods(step: Step, changed: Sequence[Difference]) -> Risk:
    if not any(d.below(*POD) for d in changed):
        return _quiet(changed)
    what = _what_changes(changed)
    strategy = dig(step.new, "spec", "strategy") or {}
    if strategy.get("type") == "Recreate":
        return Risk(Level.DOWNTIME, f"{what}: all pods stop before a new one starts (strategy Recreate)")
    if dig(step.new, "spec", "replicas") == 1 and dig(strategy, "rollingUpdate", "maxSurge") in (0, "0", "0%"):
        return Risk(Level.DOWNTIME, f"{what}: the only pod stops before the new one starts (maxSurge 0)")
    return Risk(Level.ROLLING_RESTART, f"{what}: pods are replaced a few at a time")


def stateful_set(step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a StatefulSet, which keeps its volumes."""
    pods = _members(step, changed)
    scaled = _scaled(step)
    return pods if scaled is None else _worse(scaled, pods)


def _members(step: Step, changed: Sequence[Difference]) -> Risk:
    if any(d.below("spec", "volumeClaimTemplates") for d in changed):
        return Risk(Level.DATA_LOSS, "claims of a StatefulSet cannot change in place: the API refuses this")
    if any(d.below("spec", "persistentVolumeClaimRetentionPolicy") for d in changed):
        policy = dig(step.new, "spec", "persistentVolumeClaimRetentionPolicy") or {}
        if "Delete" in policy.values():
            return Risk(
                Level.DATA_LOSS, "from now on the volumes are deleted with the StatefulSet or when it is scaled down"
            )
    if not any(d.below(*POD) for d in changed):
        return _quiet(changed)
    what = _what_changes(changed)
    if step.app == POSTGRES:
        return Risk(Level.FAILOVER, f"{what}: members restart one by one, the primary hands over when its turn comes")
    labels = dig(step.new, "metadata", "labels") or {}
    if step.app == REDIS and labels.get("app.kubernetes.io/component") == "sentinel":
        return Risk(Level.ROLLING_RESTART, f"{what}: Sentinels restart one by one, the others keep the quorum")
    if step.app == REDIS:
        return Risk(Level.FAILOVER, f"{what}: nodes restart one by one, the master hands over when its turn comes")
    return Risk(Level.FAILOVER, f"{what}: members restart one by one, and whichever leads is replaced too")


def daemon_set(_step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a DaemonSet."""
    if any(d.below(*POD) for d in changed):
        return Risk(
            Level.ROLLING_RESTART, f"{_what_changes(changed)}: the pod of each node is replaced, node after node"
        )
    return _quiet(changed)


def job(_step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a Job or a CronJob."""
    if any(d.path[-1] == "suspend" and d.new is True for d in changed):
        return Risk(Level.DOWNTIME, "it is suspended: what it did does not happen any more")
    return Risk(Level.SAFE, "takes effect at the next run; one that runs is not touched")


def replaced_stateful_set(step: Step, context: Context) -> Risk:
    """A StatefulSet that goes: what becomes of its volumes is what counts."""
    policy = dig(step.old, "spec", "persistentVolumeClaimRetentionPolicy") or {}
    if context.namespace_goes:
        volumes = "its volumes go with the namespace"
    elif policy.get("whenDeleted", "Retain") == "Retain":
        volumes = "its volumes stay as they are, and are taken over (whenDeleted Retain)"
    else:
        volumes = "its volumes are deleted with it (whenDeleted Delete)"
    return Risk(Level.DATA_LOSS, f"all members stop at once; {volumes}")


def _scaled(step: Step) -> Risk | None:
    before, after = dig(step.old, "spec", "replicas"), dig(step.new, "spec", "replicas")
    if not isinstance(before, int | float) or not isinstance(after, int | float) or before == after:
        return None
    change = f"from {before:g} to {after:g} pods"
    if after == 0:
        return Risk(Level.DOWNTIME, f"{change}: nothing of it runs any more")
    if after > before:
        return Risk(Level.SAFE, f"{change}: those that run are not touched")
    if step.kind == "StatefulSet":
        return Risk(Level.FAILOVER, f"{change}: the highest members leave, and one that leads hands over first")
    return Risk(Level.ROLLING_RESTART, f"{change}: connections to the pods that go are closed")


def _worse(one: Risk, other: Risk) -> Risk:
    return one if one.level >= other.level else other


def _quiet(changed: Sequence[Difference]) -> Risk:
    if all(any(d.below(*place) for place in QUIET) for d in changed):
        return Risk(Level.SAFE, "labels, annotations or history only: no pod restarts")
    fields = ", ".join(sorted({d.shown for d in changed})[:3])
    return Risk(Level.SAFE, f"{fields} applies from now on: no pod restarts")


PARTS: Mapping[str, str] = {
    "image": "image",
    "resources": "resources",
    "env": "environment",
    "volumes": "volumes",
    "volumeMounts": "volumes",
    "command": "command",
    "args": "command",
    "livenessProbe": "probes",
    "readinessProbe": "probes",
    "startupProbe": "probes",
}


def _what_changes(changed: Sequence[Difference]) -> str:
    """`image and resources change`: what of the pods, at most three things by name."""

    def part(difference: Difference) -> str:
        steps: list[Any] = [step for step in difference.path[2:] if isinstance(step, str)]
        if steps[:2] == ["metadata", "annotations"]:
            return f"annotation {steps[-1].rpartition('/')[2]}"
        return next((PARTS[step] for step in steps if step in PARTS), steps[-1] if steps else "the pod template")

    parts = list(dict.fromkeys(part(d) for d in changed if d.below(*POD)))
    if len(parts) > 3:
        return f"{', '.join(parts[:2])} and {len(parts) - 2} more change"
    if len(parts) == 1:
        return f"{parts[0]} changes"
    return f"{', '.join(parts[:-1])} and {parts[-1]} change"
