"""What every validator returns: problems that name the field, the value, the rule and the way out."""

from collections.abc import Sequence
from typing import NamedTuple


class NotSet:
    """The type of `NOT_SET`."""

    def __repr__(self) -> str:
        """What a message shows in place of a value."""
        return "not set"


NOT_SET = NotSet()
"""The value of a field that nobody gave."""


class Problem(NamedTuple):
    """One broken rule of a component's arguments or of a stack's configuration."""

    field: str
    value: object
    rule: str
    fix: str

    def __str__(self) -> str:
        """One line for a person: field, value, rule, way out."""
        return f"{self.field} = {self.value!r}: {self.rule}; {self.fix}"


class InvalidArgs(ValueError):
    """Raised with every problem at once, so that one run names all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in problems))


def require(problems: Sequence[Problem]) -> None:
    """Raise `InvalidArgs` when there is any problem."""
    if problems:
        raise InvalidArgs(problems)
