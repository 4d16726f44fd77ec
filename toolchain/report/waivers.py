"""Exceptions that a change carries with it: which gated object may go, why, and until when. Pure.

waivers:
  - stack: prod
    object: StatefulSet/postgres
    operation: replace
    reason: moves to the new storage class; restored from backup 2026-03-01 on staging
    expires: 2026-03-15
"""

import datetime
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.kit.errors import InvalidArgs, Problem
from toolchain.report.model import Change

FILE = "waivers.yaml"
LONGEST_DAYS = 90


class Waiver(BaseModel):
    """One exception, for one operation on one object of one stack."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stack: str
    object: str = Field(pattern=r"^[A-Za-z]+/[^/\s]+$")
    operation: Literal["update", "replace", "delete"]
    reason: str = Field(min_length=10)
    expires: datetime.date

    @property
    def title(self) -> str:
        """As messages name it."""
        return f"waiver for {self.operation} of {self.object}"


class Waivers(BaseModel):
    """The file as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    waivers: tuple[Waiver, ...] = ()


class Waived(NamedTuple):
    """The changes with the waivers that let them pass, and what is to say of the waivers."""

    changes: tuple[Change, ...]
    warnings: tuple[str, ...]


def parse(text: str, stacks: Collection[str], today: datetime.date) -> tuple[Waiver, ...]:
    """The waivers of a file.

    Raises:
        InvalidArgs: with every problem at once.
    """
    try:
        raw: Any = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f"line {where.line + 1}" if where is not None else "the text"
        raise InvalidArgs([Problem(FILE, line, "is no YAML", "correct it")]) from None
    try:
        found = Waivers.model_validate(raw).waivers
    except ValidationError as error:
        raise InvalidArgs([_problem(details) for details in error.errors(include_url=False)]) from None
    problems = [problem for index, waiver in enumerate(found) for problem in _broken(index, waiver, stacks, today)]
    keys = [(waiver.stack, waiver.object, waiver.operation) for waiver in found]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        problems.append(Problem(FILE, "/".join(key), "stands there twice", "keep one"))
    if problems:
        raise InvalidArgs(problems)
    return found


def _broken(index: int, waiver: Waiver, stacks: Collection[str], today: datetime.date) -> list[Problem]:
    found = []
    if waiver.stack not in stacks:
        field = f"{FILE}: waivers.{index}.stack"
        found.append(Problem(field, waiver.stack, "there is no such stack", f"use one of {', '.join(sorted(stacks))}"))
    latest = today + datetime.timedelta(days=LONGEST_DAYS)
    if waiver.expires > latest:
        field, rule = f"{FILE}: waivers.{index}.expires", f"at most {LONGEST_DAYS} days from now"
        found.append(Problem(field, str(waiver.expires), rule, f"give {latest} or earlier"))
    return found


def _problem(details: Any) -> Problem:  # noqa: ANN401  pydantic's own TypedDict of details
    field = f"{FILE}: {'.'.join(str(part) for part in details['loc']) or 'the file'}"
    kind, keys = details["type"], ", ".join(Waiver.model_fields)
    if kind == "extra_forbidden":
        return Problem(field, details["input"], "there is no such key", f"a waiver has the keys {keys}")
    if kind == "missing":
        return Problem(field, "not set", "is required", f"a waiver has the keys {keys}")
    if kind == "string_too_short":
        return Problem(field, details["input"], "too short to be a reason", "say why it is safe this time")
    if kind == "string_pattern_mismatch":
        return Problem(field, details["input"], "no object", "write Kind/name, as StatefulSet/postgres")
    message = details["msg"]
    return Problem(field, details["input"], message[:1].lower() + message[1:], "correct the value")


def apply(changes: Sequence[Change], waivers: Sequence[Waiver], stack: str, today: datetime.date) -> Waived:
    """Let the gated changes pass that an unexpired waiver of the stack names."""
    own: dict[tuple[str, str], Waiver] = {(w.object, w.operation): w for w in waivers if w.stack == stack}
    gated = {(change.object, change.operation) for change in changes if change.gated}
    warnings = []
    for key, waiver in own.items():
        if waiver.expires < today:
            warnings.append(f"{waiver.title} expired on {waiver.expires} and counts no more; renew or remove it")
        elif key not in gated:
            warnings.append(f"{waiver.title} is not used by this change; remove it from {FILE}")

    def waived(change: Change) -> Change:
        waiver = own.get((change.object, change.operation)) if change.gated else None
        if waiver is None or waiver.expires < today:
            return change
        return replace(change, waiver=f"{waiver.reason} (until {waiver.expires})")

    return Waived(tuple(waived(change) for change in changes), tuple(warnings))
