"""Waivers themselves: each names a rule that may be waived, and says why."""

from collections.abc import Mapping

from components.kit.waivers import ANNOTATION
from policies.kit.rule import Context, Finding, Found, Rule, Severity
from policies.kit.values import Fields
from policies.kit.waivers import waivers


def waiver_rule(rules: Mapping[str, Rule]) -> Rule:
    """The rule that holds waivers to the rules that there are."""

    def check(_: Fields, context: Context) -> Found:
        annotations = context.object.annotations
        path = annotations.at(ANNOTATION)
        if not annotations.get(ANNOTATION):  # one that is not known yet is no pass
            return
        for name, reason in waivers(context.object).items():
            if name not in rules:
                yield Finding(path, f"there is no rule {name!r}")
            elif not rules[name].waivable:
                yield Finding(path, f"{name} is critical and cannot be waived")
            elif not reason:
                yield Finding(path, f"{name} has no reason")

    return Rule(
        id="waivers",
        title="A waiver names a rule that may be waived, and says why",
        severity=Severity.CRITICAL,
        remediation="write `<rule>: <reason>`, one a line",
        kinds=(),
        check=check,
    )
