"""What a rule is: metadata for people, and a pure check from values to findings."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from policies.kit.objects import Object, Stack, whole
from policies.kit.values import Fields


class Severity(StrEnum):
    """How much a violation matters; nobody can waive a critical one."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Enforcement(StrEnum):
    """What a violation does; the names are Pulumi's."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    DISABLED = "disabled"


class Finding(NamedTuple):
    """One violation: the path of the field, and what is wrong with it, without any value that may be secret."""

    field: str
    problem: str


Found = Iterator[Finding]


@dataclass(frozen=True)
class Context:
    """What a check may look at beside its subject.

    Attributes:
        object: the object that the subject belongs to.
        settings: the rule's settings, all of them.
        stack: all objects; empty for a rule that asks for one resource alone.
        today: the date, for rules about age.
    """

    object: Object
    settings: Mapping[str, Any]
    stack: Stack
    today: date


class Setting(NamedTuple):
    """A threshold that each environment may set.

    Attributes:
        default: strict where strictness needs no knowledge of the environment.
        what: one phrase for the documentation, with the unit.
        type: JSON schema type; that of the default unless it is given.
    """

    default: Any
    what: str

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the value."""
        kinds = {bool: "boolean", int: "integer", str: "string", tuple: "array", dict: "object"}
        default = list(self.default) if isinstance(self.default, tuple) else self.default
        found: dict[str, Any] = {"type": kinds[type(self.default)], "default": default, "description": self.what}
        return found | ({"items": {"type": "string"}} if isinstance(self.default, tuple) else {})


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that a person would discuss or waive.

    Attributes:
        id: kebab-case, stable for life: waivers and configuration name it.
        title: what must hold, one sentence.
        severity: see `Severity`.
        remediation: the way out, an imperative.
        kinds: kinds of objects that it looks at; empty for every Kubernetes object.
        check: subject and context to findings. Pure; it may leave the reading of unknown fields to the caller.
        each: the parts of an object that are checked one by one; an unknown field in one hides nothing in the others.
        covers: ids of the checks of kube-score and checkov that it stands for.
        frameworks: where the requirement is written down.
        enforcement: what a violation does unless the configuration says otherwise.
        settings: name to threshold.
        whole_stack: whether it needs all objects; it then runs when all are known, at the end.
        engine_only: whether it looks at what only Pulumi knows, so that plain manifests cannot be checked.
    """

    id: str
    title: str
    severity: Severity
    remediation: str
    kinds: tuple[str, ...]
    check: Callable[[Fields, Context], Found] = field(repr=False)
    each: Callable[[Object], Iterable[Fields]] = field(default=whole, repr=False)
    covers: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    enforcement: Enforcement = Enforcement.MANDATORY
    settings: Mapping[str, Setting] = field(default_factory=dict)
    whole_stack: bool = False
    engine_only: bool = False

    @property
    def doc(self) -> str:
        """Its place in the documentation, relative to `docs/`."""
        return f"policies.md#{self.id}"

    @property
    def waivable(self) -> bool:
        """Whether an annotation on the object may set it aside."""
        return self.severity is not Severity.CRITICAL

    def applies(self, obj: Object) -> bool:
        """Whether it looks at objects of this kind, and whether it can look at this one."""
        if self.engine_only and obj.options is None:
            return False
        return obj.kind in self.kinds if self.kinds else ":" not in obj.kind

    def thresholds(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The settings with what the configuration gives.

        Raises:
            ValueError: a setting that the rule does not have, or a value of another type.
        """
        found = {name: setting.default for name, setting in self.settings.items()}
        for name, value in given.items():
            if name not in found:
                known = ", ".join(sorted(found)) or "none"
                raise ValueError(f"{self.id}.{name} = {value!r}: there is no such setting; it has {known}")
            found[name] = _as(type(found[name]), value, f"{self.id}.{name}")
        return found


def _as(wanted: type, value: object, field: str) -> object:
    # numbers come from the engine as floats, and JSON has no tuples
    if wanted is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if wanted is tuple and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
        return value
    names = {int: "a whole number", bool: "true or false", str: "text", tuple: "a list of texts", dict: "an object"}
    raise ValueError(f"{field} = {value!r}: must be {names[wanted]}; correct it in the policy configuration")
