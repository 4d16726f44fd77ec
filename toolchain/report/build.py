"""From the steps of a plan to the changes of a report. Pure."""

from collections.abc import Iterable, Sequence

from toolchain.plugins.kubernetes.diff import parse_path
from toolchain.report.context import Context
from toolchain.report.model import Change, Field, Level, Operation, ordered
from toolchain.report.risk import classify
from toolchain.report.steps import Step
from toolchain.report.values import ABSENT, MASK, Difference, Path, at, differences, joined, to_field

NOT_DECLARED = (("status",), ("__fieldManager",), ("__initialApiVersion",))


def changes(steps: Sequence[Step]) -> tuple[Change, ...]:
    """What changes, most dangerous first, then by component and object."""
    context = Context(steps)
    found = [_change(step, context) for step in steps if _counts(step) and step.operation != "same"]
    return ordered(found)


def unchanged(steps: Iterable[Step]) -> int:
    """How many objects stay as they are."""
    return sum(step.is_object and step.operation == "same" for step in steps)


def _counts(step: Step) -> bool:
    return step.is_object or (step.is_provider and step.operation != "create")


def _change(step: Step, context: Context) -> Change:
    changed = changed_places(step)
    risk = classify(step, changed, context)
    assert step.operation != "same"  # noqa: S101  for the type checker; the caller has filtered
    return _made(step, step.operation, risk.level, risk.reason, risk.gated, fields(step, changed))


def _made(step: Step, operation: Operation, level: Level, reason: str, gated: bool, of_it: tuple[Field, ...]) -> Change:
    return Change(
        object=step.object,
        component=step.component,
        operation=operation,
        level=level,
        reason=reason,
        gated=gated,
        protected=step.protected,
        fields=of_it,
    )


def changed_places(step: Step) -> list[Difference]:
    """Where the two declared states differ, and what only the provider knows to differ: secrets, drift."""
    found = differences(step.old, step.new) if step.operation in ("update", "replace") else []
    for text, how in step.diff.items():
        path = parse_path(text)
        if not any(_overlap(path, difference.path) for difference in found) and path[:1] not in NOT_DECLARED:
            found.append(_told(step, path, how))
    return found


def _told(step: Step, path: Path, how: str) -> Difference:
    """A place that the provider names, where the declared states look alike."""
    shown = ""
    for part in path:
        shown = f"{shown}[{part}]" if isinstance(part, int) else joined(shown, part)
    old, new = at(step.old, path), at(step.new, path)
    if old is ABSENT or (old == new and old != MASK):
        old = at(step.live, path)
    return Difference(
        path, shown, ABSENT if how.startswith("add") else old, ABSENT if how.startswith("delete") else new
    )


def _overlap(one: Path, other: Path) -> bool:
    return all(a == b or (isinstance(a, int) and isinstance(b, int)) for a, b in zip(one, other, strict=False))


def fields(step: Step, changed: Iterable[Difference]) -> tuple[Field, ...]:
    """The differences as a reader sees them, those that force a replacement first."""
    forcing = [parse_path(text) for text, how in step.diff.items() if how.endswith("-replace")]
    forcing += [parse_path(key) for key in step.replaced_by]
    made = [
        to_field(d, secret=step.is_secret, replaces=any(_overlap(path, d.path) for path in forcing)) for d in changed
    ]
    return tuple(sorted(made, key=lambda field: not field.replaces))


def drift(steps: Sequence[Step]) -> tuple[Change, ...]:
    """What the cluster has against what was declared; the step of a refresh has the declared state as the old one."""
    found = []
    for step in steps:
        if not step.is_object or step.operation == "same":
            continue
        gone = step.operation == "delete"
        reason = "not in the cluster any more" if gone else "changed in the cluster"
        found.append(_made(step, step.operation, _level(step), reason, False, fields(step, changed_places(step))))
    return ordered(found)


def _level(step: Step) -> Level:
    """Drift has no risk of its own; what is gone stands on top."""
    return Level.DOWNTIME if step.operation == "delete" else Level.SAFE
