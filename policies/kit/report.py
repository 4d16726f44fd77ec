"""All rules over a set of objects, and what came of it, for people and for programs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from policies.kit.config import Config
from policies.kit.docs import url
from policies.kit.notes import NOTES
from policies.kit.objects import Object, Stack
from policies.kit.rule import Context, Enforcement, Rule
from policies.kit.run import Outcome, Result, evaluate
from policies.kit.waivers import waivers


@dataclass(frozen=True)
class Report:
    """What all rules say of a set of objects.

    Attributes:
        results: findings, waived ones too, and checks that could not be made.
        levels: rule or note to what a violation does.
        checks: pairs of rule and object that were looked at.
        not_checked: rules that need Pulumi, and say nothing of plain manifests.
        unused: object and rule of each waiver that waives nothing.
    """

    results: tuple[Result, ...]
    levels: Mapping[str, Enforcement]
    checks: int
    not_checked: tuple[str, ...]
    unused: tuple[tuple[Object, str], ...]

    def level(self, result: Result) -> Enforcement:
        """What a result does: a violation by its rule, the others by the note that reports them."""
        if result.outcome is Outcome.FAIL:
            return self.levels[result.rule.id]
        note = next(note for note in NOTES if result.outcome in note.outcomes)
        return self.levels[note.in_stack if result.rule.whole_stack else note.id]

    @property
    def failed(self) -> bool:
        """Whether anything mandatory is wrong."""
        return any(self.level(result) is Enforcement.MANDATORY for result in self.results)

    def count(self, outcome: Outcome) -> int:
        """How many results there are of a kind."""
        return sum(result.outcome is outcome for result in self.results)


def check(objects: Iterable[Object], rules: Mapping[str, Rule], config: Config, today: date) -> Report:
    """Run every rule that is not disabled over every object that it looks at."""
    stack = Stack(objects)
    results: list[Result] = []
    checks = 0
    wanted = [rule for rule in rules.values() if config.levels[rule.id] is not Enforcement.DISABLED]
    for obj in stack.objects:
        for rule in wanted:
            if rule.applies(obj):
                checks += 1
                results += evaluate(rule, Context(obj, config.settings[rule.id], stack, today))
    used = {(id(result.object), result.rule.id) for result in results if result.outcome is Outcome.WAIVED}
    return Report(
        results=tuple(results),
        levels=config.levels,
        checks=checks,
        not_checked=tuple(rule.id for rule in wanted if rule.engine_only),
        unused=tuple((obj, name) for obj in stack.objects for name in waivers(obj) if (id(obj), name) not in used),
    )


def as_text(report: Report) -> str:
    """For a person: one line a result, the worst first, then the sums."""
    order = list(Enforcement)
    ranked = sorted(
        report.results, key=lambda r: (-order.index(report.level(r)) if r else 0, r.object.title, r.rule.id)
    )
    lines = [line(report, result) for result in reversed(ranked) if report.level(result) is not Enforcement.DISABLED]
    lines += [f"note       waiver of {name} on {obj.title} waives nothing here" for obj, name in report.unused]
    return "\n".join([*lines, summary(report)])


def line(report: Report, result: Result) -> str:
    """One result: what it does, what came of the check, the rule, the object, the field, the way out."""
    kind = str(report.level(result)) if result.outcome is Outcome.FAIL else str(result.outcome)
    source = f" [{result.object.source}]" if result.object.source else ""
    return f"{kind:10} {result.rule.severity:8} {result.rule.id}: {result}{source}"


def summary(report: Report) -> str:
    """The sums, on one line."""
    parts = [f"{report.count(outcome)} {outcome}" for outcome in Outcome]
    without = f"; {len(report.not_checked)} rules need Pulumi and were not run" if report.not_checked else ""
    return f"{report.checks} checks: {', '.join(parts)}{without}"


def as_json(report: Report, environment: str | None) -> dict[str, Any]:
    """For a program."""
    return {
        "environment": environment,
        "failed": report.failed,
        "checks": report.checks,
        "counts": {str(outcome): report.count(outcome) for outcome in Outcome},
        "notChecked": list(report.not_checked),
        "results": [
            {
                "rule": result.rule.id,
                "severity": result.rule.severity,
                "enforcement": report.level(result),
                "outcome": result.outcome,
                "object": result.object.title,
                "field": result.field,
                "problem": result.problem,
                "remediation": result.rule.remediation,
                "url": url(result.rule),
                "source": result.object.source,
            }
            for result in report.results
        ],
        "unusedWaivers": [{"object": obj.title, "rule": name} for obj, name in report.unused],
    }
