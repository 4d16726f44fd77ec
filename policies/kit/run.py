"""Run a rule over an object: what is found, what is waived, and what could not be told."""

from dataclasses import dataclass, field
from enum import StrEnum

from policies.kit.objects import Object
from policies.kit.rule import Context, Rule
from policies.kit.values import Malformed, UnknownField
from policies.kit.waivers import waivers

UNTOLD = "is not known before the update, so this could not be checked"


class Outcome(StrEnum):
    """What became of one check; a check that found nothing has passed and leaves no result.

    `UNKNOWN`: a field that the rule reads is known only after the update. `BROKEN`: the object is not what the API
    takes, or the rule has an error; nothing is known of the object either.
    """

    FAIL = "fail"
    WAIVED = "waived"
    UNKNOWN = "unknown"
    BROKEN = "broken"


@dataclass(frozen=True)
class Result:
    """One finding, or one check that could not be made."""

    rule: Rule
    object: Object = field(repr=False)
    outcome: Outcome
    field: str
    problem: str

    def __str__(self) -> str:
        """One line for a person: object, field, what is wrong, way out."""
        where = f"{self.object.title}: {self.field}" if self.field else self.object.title
        way_out = f"; {self.rule.remediation}" if self.outcome is Outcome.FAIL else ""
        return f"{where}: {self.problem}{way_out}"


def evaluate(rule: Rule, context: Context) -> list[Result]:
    """Everything that a rule has to say of `context.object`, which it must apply to."""
    found: dict[tuple[Outcome, str, str], Result] = {}
    reason = waivers(context.object).get(rule.id) if rule.waivable else None

    def note(outcome: Outcome, path: str, problem: str) -> None:
        result = Result(rule, context.object, outcome, path, problem)
        found.setdefault((outcome, path, problem), result)

    def check() -> None:
        for subject in rule.each(context.object):
            try:
                for finding in rule.check(subject, context):
                    if reason:
                        note(Outcome.WAIVED, finding.field, f"{finding.problem} (waived: {reason})")
                    else:
                        note(Outcome.FAIL, finding.field, finding.problem)
            except UnknownField as error:
                note(Outcome.UNKNOWN, error.path, UNTOLD)

    try:
        check()
    except UnknownField as error:
        note(Outcome.UNKNOWN, error.path, UNTOLD)
    except Malformed as error:
        note(Outcome.BROKEN, error.path, f"could not be checked: {error}")
    except Exception as error:
        # the error's own text may hold a value of the object, and that may be secret
        note(Outcome.BROKEN, "", f"could not be checked: the rule ended with {type(error).__name__}")
    return list(found.values())
