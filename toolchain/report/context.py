"""What a rule may look at beside the object itself: the other objects of the same plan. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from toolchain.report.steps import PASSWORD, Step, dig

POD_OWNERS = frozenset({"apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "batch/Job"})


class Use(NamedTuple):
    """A workload that reads a ConfigMap or a Secret, and whether a running pod sees a change of it."""

    workload: str
    live: bool


class Context:
    """All steps of a plan, with the questions that rules ask."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps = tuple(steps)

    @cached_property
    def is_new(self) -> bool:
        """Whether the namespace itself is made by this plan, so that nothing can run in it yet."""
        kinds = [step.operation for step in self.steps if step.rule == "core/Namespace"]
        return bool(kinds) and all(operation == "create" for operation in kinds)

    @cached_property
    def namespace_goes(self) -> bool:
        """Whether the namespace is deleted, with everything in it."""
        return any(s.rule == "core/Namespace" and s.operation in ("replace", "delete") for s in self.steps)

    @cached_property
    def passwords(self) -> Mapping[str, Step]:
        """Name to step of every RandomPassword."""
        return {step.logical: step for step in self.steps if step.type == PASSWORD}

    @cached_property
    def restarting(self) -> frozenset[str]:
        """The workloads whose pods this plan restarts."""
        return frozenset(
            s.object for s in self.steps if s.operation != "same" and s.rule in POD_OWNERS and _pods_change(s)
        )

    @cached_property
    def _uses(self) -> Mapping[str, tuple[Use, ...]]:
        found: dict[str, dict[Use, None]] = defaultdict(dict)
        for step in self.steps:
            if step.rule in POD_OWNERS and step.operation != "delete":
                for name, live in _references(dig(step.state, "spec", "template", "spec") or {}):
                    found[name][Use(step.object, live)] = None
        return {name: tuple(uses) for name, uses in found.items()}

    def users(self, step: Step) -> tuple[Use, ...]:
        """The workloads that read a ConfigMap or a Secret."""
        return self._uses.get(step.object, ())


def _pods_change(step: Step) -> bool:
    return bool(dig(step.old, "spec", "template") != dig(step.new, "spec", "template"))


def _references(pod: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """`Kind/name` of what a pod reads; True where the kubelet brings changes into running pods."""
    copies = {
        mount.get("name")
        for container in _containers(pod)
        for mount in container.get("volumeMounts") or ()
        if mount.get("subPath")
    }
    for volume in pod.get("volumes") or ():
        live = volume.get("name") not in copies
        for source in (volume, *(dig(volume, "projected", "sources") or ())):
            if name := dig(source, "configMap", "name"):
                yield f"ConfigMap/{name}", live
            if name := dig(source, "secret", "secretName") or dig(source, "secret", "name"):
                yield f"Secret/{name}", live
    for container in _containers(pod):
        references = [dig(variable, "valueFrom") or {} for variable in container.get("env") or ()]
        for reference in (*references, *(container.get("envFrom") or ())):
            for kind in ("configMap", "secret"):
                if name := dig(reference, f"{kind}KeyRef", "name") or dig(reference, f"{kind}Ref", "name"):
                    yield f"{kind[0].upper()}{kind[1:]}/{name}", False


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]
