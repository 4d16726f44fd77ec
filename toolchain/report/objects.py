"""Risk of a change to what has no pods: Services, volumes, rights, limits. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from toolchain.plugins.kubernetes.quantity import parse
from toolchain.report.context import Context
from toolchain.report.model import Level, Risk
from toolchain.report.settings import shown
from toolchain.report.steps import Step, dig
from toolchain.report.values import ABSENT, Difference
from toolchain.report.workloads import REDIS


def service(_step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a Service."""
    if any(d.below("spec", "selector") for d in changed):
        return Risk(Level.DOWNTIME, "the selector changes: its traffic goes to other pods at once, or to none")
    if any(d.below("spec", "ports") and d.old is not ABSENT for d in changed):
        return Risk(Level.DOWNTIME, "a port changes or goes: who uses it is refused")
    if any(d.below("spec", "type") for d in changed):
        return Risk(Level.DOWNTIME, "the type changes: from where it is reached is not the same any more")
    return _metadata_or(changed, "nothing of how it is reached changes")


def replaced_service(step: Step, _context: Context) -> Risk:
    """A Service that goes, or comes back with another address."""
    if step.operation == "delete":
        return Risk(Level.DOWNTIME, "clients that use its name or address fail")
    if step.app == REDIS and dig(step.state, "spec", "clusterIP") != "None":
        return Risk(
            Level.DOWNTIME, "gets another address, which is the node's identity: delete all pods of Redis at once"
        )
    return Risk(Level.DOWNTIME, "gets another address: clients fail until they have looked it up again")


def claim(step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a PersistentVolumeClaim."""
    before, after = (parse(dig(state, "spec", "resources", "requests", "storage")) for state in (step.old, step.new))
    if before is not None and after is not None and after < before:
        return Risk(Level.DATA_LOSS, "a volume cannot shrink: the API refuses this, only a new one is smaller")
    if before is not None and after is not None and after > before:
        return Risk(Level.SAFE, "the volume grows in place where its class allows expansion")
    return _metadata_or(changed, "nothing of what is stored changes")


def namespace(_step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a Namespace."""
    if any("pod-security.kubernetes.io" in d.shown for d in changed):
        return Risk(
            Level.DOWNTIME, "Pod Security changes: pods that run stay, those that break the new level do not restart"
        )
    return _metadata_or(changed, "no object in it is touched")


def rights(_step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a Role, a binding or their like: what is only added takes nothing away."""
    places = [d for d in changed if not d.below("metadata")]
    if not places:
        return _metadata_or(changed, "the same rights")
    if all(_contains(d.new, d.old) for d in places):
        return Risk(Level.SAFE, "rights are added, none is taken away")
    return Risk(Level.DOWNTIME, "a right is taken away or changed: who needs it fails at once")


def network_policy(_step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a NetworkPolicy."""
    places = [d for d in changed if not d.below("metadata")]
    if places and all(d.old is ABSENT and (d.below("spec", "ingress") or d.below("spec", "egress")) for d in places):
        return Risk(Level.SAFE, "connections are allowed that were not; none is cut")
    if places:
        return Risk(Level.DOWNTIME, "connections that are no longer allowed are cut where policies are enforced")
    return _metadata_or(changed, "the same connections are allowed")


def created_network_policy(_step: Step, context: Context) -> Risk:
    """A new NetworkPolicy among pods that may run already."""
    if context.is_new:
        return Risk(Level.SAFE, "new, in a namespace that is new too")
    return Risk(Level.DOWNTIME, "pods that it selects lose what no policy allows, where policies are enforced")


def quota(step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a ResourceQuota."""
    places = [d for d in changed if d.below("spec", "hard")]
    lower = [str(d.path[-1]) for d in places if not _raised(d)]
    if lower:
        return Risk(Level.DOWNTIME, f"{shown(lower)} is lowered: pods that run stay, one over the sum does not start")
    return _metadata_or(changed, "limits are raised only" if places else "limits stay")


def _raised(difference: Difference) -> bool:
    before, after = parse(difference.old), parse(difference.new)
    return difference.new is ABSENT or (before is not None and after is not None and after >= before)


def new_pods_only(_step: Step, _changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of what is looked at when a pod is made."""
    return Risk(Level.SAFE, "looked at when a pod is made: pods that run are not touched")


def budget(_step: Step, _changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a PodDisruptionBudget."""
    return Risk(Level.SAFE, "concerns evictions only, as when a node is drained")


def autoscaler(_step: Step, _changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a HorizontalPodAutoscaler."""
    return Risk(Level.ROLLING_RESTART, "the number of pods may change; connections to those that go are closed")


def account(_step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of a ServiceAccount."""
    return _metadata_or(changed, "looked at when a pod is made: pods that run are not touched")


def routing(_step: Step, changed: Sequence[Difference], _context: Context) -> Risk:
    """An update of an Ingress."""
    if all(d.below("metadata", "labels") for d in changed):
        return Risk(Level.SAFE, "labels only")
    return Risk(Level.DOWNTIME, "requests from outside may take another way, or none")


def _metadata_or(changed: Sequence[Difference], reason: str) -> Risk:
    if changed and all(d.below("metadata") for d in changed):
        return Risk(Level.SAFE, f"labels or annotations only: {reason}")
    return Risk(Level.SAFE, reason)


def _contains(whole: Any, part: Any) -> bool:  # noqa: ANN401  JSON
    """Whether everything of the part is in the whole; a rule with one key more is another rule, narrower perhaps."""
    if isinstance(whole, list) and isinstance(part, list):
        return all(any(_contains(other, item) for other in whole) for item in part)
    if isinstance(whole, Mapping) and isinstance(part, Mapping):
        return whole.keys() == part.keys() and all(_contains(whole[key], part[key]) for key in part)
    return bool(whole == part)
