"""What cannot be said as a rule's own violation: checks that could not be made, and findings that are waived.

Each has two policies of its own, one for resources and one for the stack, so that the configuration sets what it does.
Their messages begin with a marker, by which a report counts them.
"""

from typing import NamedTuple

from policies.kit.rule import Enforcement
from policies.kit.run import Outcome, Result


class Note(NamedTuple):
    """A policy that reports results of rules.

    Attributes:
        id: name of the policy; that for the stack has `-in-stack` after it.
        title: its description.
        enforcement: what a report does unless the configuration says otherwise.
        outcomes: what it reports.
    """

    id: str
    title: str
    enforcement: Enforcement
    outcomes: frozenset[Outcome]

    @property
    def in_stack(self) -> str:
        """The name of the policy that reports what rules over the whole stack could not tell."""
        return f"{self.id}-in-stack"


COULD_NOT_CHECK = Note(
    "could-not-check",
    "Every check could be made",
    Enforcement.MANDATORY,
    frozenset({Outcome.UNKNOWN, Outcome.BROKEN}),
)
WAIVED = Note("waived", "A finding was waived", Enforcement.ADVISORY, frozenset({Outcome.WAIVED}))
NOTES = (COULD_NOT_CHECK, WAIVED)


def message(result: Result) -> str:
    """`UNKNOWN <rule>: <object>: <field>: <text>`; the first word is the outcome in capitals."""
    return f"{result.outcome.upper()} {result.rule.id}: {result}"
