"""What a report holds, and the exit code and verdict that follow from it. Pure.

Every text in here may be shown to anybody: values are masked and shortened before they get in.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, NamedTuple

Operation = Literal["create", "update", "replace", "delete"]
Source = Literal["preview", "manifests", "drift"]
WORDS = {"update": "changed", "replace": "changed", "delete": "missing", "create": "extra"}
"""What an operation means where it says how a cluster differs."""
HEAVIEST = ("Namespace", "PersistentVolume", "PersistentVolumeClaim", "StatefulSet", "ConfigMap", "Secret")
"""Kinds that hold most, first."""
OPERATIONS: tuple[Operation, ...] = ("create", "update", "replace", "delete")


class Level(IntEnum):
    """How much a change disturbs what runs, in ascending order."""

    SAFE = 0
    ROLLING_RESTART = 1
    FAILOVER = 2
    DOWNTIME = 3
    DATA_LOSS = 4

    @property
    def label(self) -> str:
        """As a reader sees it."""
        return self.name.lower().replace("_", " ")


class Exit(IntEnum):
    """Exit codes of `preview` and `drift`; the lowest one that is not 0 and applies."""

    OK = 0
    FAILED = 1
    USAGE = 2
    STATEFUL = 3
    POLICY = 4
    DRIFT = 5


class Risk(NamedTuple):
    """How bad a change can be, and why in one sentence.

    Attributes:
        level: class of the risk.
        reason: one sentence without a full stop.
        gated: whether the change needs a waiver by name.
    """

    level: Level
    reason: str
    gated: bool = False


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field that differs.

    Attributes:
        path: as the engine writes it, with list items by their name where they have one.
        old: what was there; None when it is added.
        new: what comes; None when it is taken away.
        diff: lines of a unified diff, for texts of several lines; empty for others.
        replaces: whether this field forces the replacement.
    """

    path: str
    old: str | None
    new: str | None
    diff: tuple[str, ...] = ()
    replaces: bool = False


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one object.

    Attributes:
        object: `Kind/name`, as waivers name it.
        component: the part of the platform that it belongs to.
        gated: whether it needs a waiver by name.
        waiver: the reason of the waiver that lets a gated change pass; None without one.
        protected: whether Pulumi refuses to delete it.
    """

    object: str
    component: str
    operation: Operation
    level: Level
    reason: str
    gated: bool = False
    waiver: str | None = None
    protected: bool = False
    fields: tuple[Field, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether it makes the command fail."""
        return self.gated and self.waiver is None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a policy says of some objects, or of the stack when there are none.

    Attributes:
        policy: name of the policy.
        enforcement: `mandatory`, or `advisory` for what does not fail the preview.
        message: what is wrong.
        objects: what it is wrong with, as `Kind/name`.
        remediation: the way out; may be empty when the message has it.
        link: where more is written; may be empty.
    """

    policy: str
    enforcement: str
    message: str
    objects: tuple[str, ...] = ()
    remediation: str = ""
    link: str = ""

    @property
    def mandatory(self) -> bool:
        """Whether it fails the preview."""
        return self.enforcement != "advisory"


class Failure(NamedTuple):
    """Why there is no complete preview, and the way out; the latter may be empty when `what` says it."""

    what: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """One stack.

    Attributes:
        source: the engine's preview, a comparison of manifests, or drift.
        basis: what was compared with what, in one phrase.
        unchanged: number of objects that stay as they are.
        changes: most dangerous first.
        checked: what the policies looked at, as `108 policies`; empty when none ran.
        findings: violations and advice, mandatory ones first.
        unrun: checks that could not be made: their outcome is unknown.
        failures: why the preview is not complete.
        warnings: of the waivers, and others that do not fail the command.
    """

    stack: str
    source: Source
    basis: str
    unchanged: int = 0
    changes: tuple[Change, ...] = ()
    checked: str = ""
    findings: tuple[Finding, ...] = ()
    unrun: tuple[Finding, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    version: Literal[1] = field(default=1)

    @property
    def counts(self) -> dict[str, int]:
        """Number of objects by operation, those of none left out."""
        found = Counter(change.operation for change in self.changes)
        return {operation: found[operation] for operation in OPERATIONS if found[operation]}

    @property
    def worst(self) -> Level:
        """The highest level of any change."""
        return max((change.level for change in self.changes), default=Level.SAFE)

    @property
    def blocking(self) -> tuple[Change, ...]:
        """The gated changes that no waiver lets pass."""
        return tuple(change for change in self.changes if change.blocks)

    @property
    def exit(self) -> Exit:
        """The exit code."""
        if self.failures:
            return Exit.FAILED
        if self.source == "drift":
            return Exit.DRIFT if self.changes else Exit.OK
        if self.blocking:
            return Exit.STATEFUL
        if self.unrun or any(finding.mandatory for finding in self.findings):
            return Exit.POLICY
        return Exit.OK


def ordered(found: Iterable[Change]) -> tuple[Change, ...]:
    """Most dangerous first; of equal ones those that block first, and what holds most."""

    def rank(change: Change) -> tuple[object, ...]:
        kind = change.object.split("/")[0]
        weight = HEAVIEST.index(kind) if kind in HEAVIEST else len(HEAVIEST)
        return (-change.level, not change.blocks, not change.gated, weight, change.component, change.object)

    return tuple(sorted(found, key=rank))


def untold(report: Report) -> tuple[Failure, ...]:
    """The failures as they stand below the verdict, which has said what the first one is when that is one line."""
    first, *others = report.failures
    return (first if "\n" in first.what else Failure("", first.fix), *others)


def alike(changes: Iterable[Change], *, fields: bool) -> list[tuple[Change, ...]]:
    """Changes of which the same is to say, together, in their order; with `fields`, only those with the same fields."""
    found: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        kind = change.object.split("/")[0]
        key = (kind, change.operation, change.component, change.level, change.reason, change.blocks, change.waiver)
        found.setdefault((*key, change.protected, change.fields if fields else ()), []).append(change)
    return [tuple(group) for group in found.values()]


def names(group: Sequence[Change]) -> str:
    """`StatefulSet/postgres`; of several, `Secret/a, b, c`."""
    kind = group[0].object.split("/")[0]
    return f"{kind}/{', '.join(change.object.split('/', 1)[-1] for change in group)}"


def is_plain(change: Change) -> bool:
    """Whether it is a new object that nothing uses yet: a count says enough of it."""
    return change.operation == "create" and change.level == Level.SAFE


def plural(number: int, noun: str) -> str:
    """`1 policy`, `2 policies`, `3 objects`."""
    many = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else many}"


def verdict(report: Report) -> str:
    """The one line that a reviewer reads first."""
    if report.failures:
        return f"failed: {report.failures[0].what.splitlines()[0]}"
    if report.source == "drift":
        if not report.changes:
            return "no drift: the cluster has what the program declared"
        return f"drift: {plural(len(report.changes), 'object')} differ from what the program declared"
    blocked = [f"{change.object} ({change.operation})" for change in report.blocking]
    if blocked:
        more = f" and {len(blocked) - 3} more" if len(blocked) > 3 else ""
        what = "it" if len(blocked) == 1 else "them"
        return f"blocked: {', '.join(blocked[:3])}{more} would be lost or locked out, and no waiver names {what}"
    broken, unrun = violations(report), distinct(report.unrun)
    if broken or unrun:
        parts = [f"{plural(broken, 'policy')} violated"] if broken else []
        parts += [f"{plural(unrun, 'policy')} could not run"] if unrun else []
        return f"blocked: {', '.join(parts)}"
    if not report.changes:
        return "no changes"
    waived = sum(change.waiver is not None for change in report.changes)
    passed = f" ({waived} waived by name)" if waived else ""
    return f"{plural(len(report.changes), 'change')}, at worst: {report.worst.label}{passed}"


def count_line(report: Report) -> str:
    """`2 to update, 1 to replace, 53 unchanged; 34 policies: 0 violations, 0 advisories, 0 could not run`."""
    parts = [f"{number} to {operation}" for operation, number in report.counts.items()]
    if report.source == "drift":
        parts = [plural(len(report.changes), "object") + " drifted"] if report.changes else []
    line = ", ".join([*parts, f"{report.unchanged} unchanged"])
    if report.failures:
        line = f"incomplete: {line}"
    if not report.checked:
        return line
    advice = distinct(finding for finding in report.findings if not finding.mandatory)
    tail = f"{violations(report)} violated, {advice} with advice, {distinct(report.unrun)} could not run"
    return f"{line}; {report.checked}: {tail}"


def violations(report: Report) -> int:
    """How many mandatory policies are violated."""
    return distinct(finding for finding in report.findings if finding.mandatory)


def distinct(findings: Iterable[Finding]) -> int:
    """How many policies have something to say."""
    return len({finding.policy for finding in findings})
