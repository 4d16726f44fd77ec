"""What the readiness of an object is judged by and said with."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from toolchain.plugins.kubernetes.objects import Kind, Object, dig


class Status(NamedTuple):
    """One look at an object."""

    ready: bool
    message: str = ""
    """What it waits for, in a line for the CLI."""
    problems: tuple[str, ...] = ()
    """What to report if this is the last look."""
    failed: bool = False
    """Waiting longer is of no use."""
    settle_s: float = 0.0
    """How long it must stay ready before that counts."""


class Query(NamedTuple):
    """Other objects that the judgement looks at: one by name, or all with certain labels."""

    kind: Kind
    namespace: str = ""
    labels: str = ""
    name: str = ""


Related: TypeAlias = Mapping[str, Sequence[Object]]
"""The objects that a rule's queries found, by the query's name."""


def no_queries(_: Object) -> Mapping[str, Query]:
    """For kinds that say all about themselves."""
    return {}


class Rule(NamedTuple):
    """How to tell that objects of a kind are ready."""

    judge: Callable[[Object, Related], Status]
    timeout_s: float = 600.0
    queries: Callable[[Object], Mapping[str, Query]] = no_queries
    follow: str = ""
    """The query whose objects tell of progress, instead of the object itself."""


def is_observed(obj: Object) -> bool:
    """Whether the status speaks of the spec that is there now."""
    generation, observed = dig(obj, "metadata", "generation"), dig(obj, "status", "observedGeneration")
    return generation is None or (isinstance(observed, int) and observed >= generation)


def selector_text(selector: Object) -> str:
    """A label selector (matchLabels and matchExpressions, or plain labels of a Service) as a query writes it."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        selector = {"matchLabels": selector}
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for entry in selector.get("matchExpressions") or []:
        key, values = entry["key"], ",".join(entry.get("values") or [])
        form = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(form[entry["operator"]])
    return ",".join(parts)
