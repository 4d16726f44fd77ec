"""One step of a plan, wherever it comes from: the engine's event log, or a comparison of manifests. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from toolchain.plugins.values import SIGNATURE_KEY

Operation = Literal["same", "create", "update", "replace", "delete"]
Object = Mapping[str, Any]
PASSWORD = "random:index/randomPassword:RandomPassword"  # noqa: S105  a type token


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens to one resource.

    Attributes:
        type: the engine's type token, as `kubernetes:apps/v1:StatefulSet`.
        logical: the program's name for it.
        old: declared state before; None for a create.
        new: declared state after; None for a delete.
        live: what the server had at the last look; None where nobody looked.
        diff: property path to kind of change, as the provider tells it; of a secret it is all that there is to know.
        parent: type token of the component around it; empty at the top.
    """

    operation: Operation
    type: str
    logical: str
    urn: str = ""
    old: Object | None = None
    new: Object | None = None
    live: Object | None = None
    diff: Mapping[str, str] = field(default_factory=dict)
    replaced_by: tuple[str, ...] = ()
    parent: str = ""
    protected: bool = False

    @property
    def rule(self) -> str:
        """The kind with its group and without its version, as rules are listed: `apps/StatefulSet`."""
        parts = self.type.split(":")
        if len(parts) == 3 and parts[0] == "kubernetes":
            return f"{parts[1].split('/')[0].removesuffix('.k8s.io').removesuffix('.authorization')}/{parts[2]}"
        return self.type

    @property
    def kind(self) -> str:
        """The last part of the type."""
        return "Provider" if self.is_provider else self.type.split(":")[-1]

    @property
    def state(self) -> Object:
        """The newest declared state."""
        return self.new or self.old or {}

    @property
    def name(self) -> str:
        """The object's own name, or the program's while it is not known; of a replacement, of what goes."""
        name = dig(self.old if self.operation == "replace" else self.state, "metadata", "name")
        return name if isinstance(name, str) else self.logical

    @property
    def object(self) -> str:
        """`Kind/name`."""
        return f"{self.kind}/{self.name}"

    @property
    def app(self) -> str:
        """The workload that the object belongs to, by its label."""
        labels = dig(self.state, "metadata", "labels")
        return str(labels.get("app.kubernetes.io/name", "")) if isinstance(labels, Mapping) else ""

    @property
    def component(self) -> str:
        """The part of the platform that a reader finds it under."""
        if self.parent.count(":") == 2:
            return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.parent.split(":")[-1]).lower()
        return self.app or "others"

    @property
    def is_secret(self) -> bool:
        """Whether its content is secret as a whole; a provider's may hold a kubeconfig."""
        return self.rule == "core/Secret" or self.is_provider

    @property
    def is_object(self) -> bool:
        """Whether it counts as an object: neither the stack, nor a component, nor a provider without settings."""
        return self.type.count(":") == 2 and self.type.startswith(("kubernetes:", "random:"))

    @property
    def is_provider(self) -> bool:
        """Whether it is the provider of the Kubernetes objects."""
        return self.type == "pulumi:providers:kubernetes"


def dig(obj: object, *path: str | int) -> Any:  # noqa: ANN401  JSON
    """What stands at a path; None when nothing does, or when it is secret."""
    for step in path:
        try:
            obj = obj[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return None
    return None if isinstance(obj, Mapping) and SIGNATURE_KEY in obj else obj


def by_object(steps: Iterable[Step]) -> dict[str, Step]:
    """`Kind/name` to step."""
    return {step.object: step for step in steps}
