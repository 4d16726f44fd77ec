"""waivers.yaml: strict about what it says, and about when it counts."""

import datetime
import textwrap

import pytest

from components.kit.errors import InvalidArgs
from toolchain.report import waivers
from toolchain.report.model import Change, Exit, Level, Operation, Report, verdict

TODAY = datetime.date(2026, 3, 1)
GOOD = {
    "stack": "prod",
    "object": "StatefulSet/postgres",
    "operation": "replace",
    "reason": "moves to the new storage class",
    "expires": "2026-03-15",
}


def text(**fields: str | None) -> str:
    entry = {key: value for key, value in (GOOD | fields).items() if value is not None}
    lines = "\n".join(f"    {key}: {value}" for key, value in entry.items())
    return f"waivers:\n  -{lines[3:]}\n"


def read(source: str) -> tuple[waivers.Waiver, ...]:
    return waivers.parse(source, ["staging", "prod"], TODAY)


def gated(name: str = "StatefulSet/postgres", operation: Operation = "replace") -> Change:
    reason = "all members stop"
    return Change(
        object=name, component="postgres", operation=operation, level=Level.DATA_LOSS, reason=reason, gated=True
    )


def exit_of(changes: tuple[Change, ...]) -> Exit:
    return Report(stack="prod", source="preview", basis="", changes=changes).exit


def test_a_gated_change_blocks_until_a_waiver_names_it() -> None:
    assert exit_of((gated(),)) == Exit.STATEFUL
    waived = waivers.apply([gated()], read(text()), "prod", TODAY)
    assert waived.changes[0].waiver == "moves to the new storage class (until 2026-03-15)"
    assert waived.warnings == ()
    assert exit_of(waived.changes) == Exit.OK
    report = Report(stack="prod", source="preview", basis="", changes=waived.changes)
    assert verdict(report) == "1 change, at worst: data loss (1 waived by name)"


@pytest.mark.parametrize(
    ("fields", "change", "stack"),
    [
        ({"object": "StatefulSet/redis"}, gated(), "prod"),
        ({"operation": "delete"}, gated(), "prod"),
        ({}, gated(), "staging"),
    ],
)
def test_a_waiver_lets_nothing_else_pass(fields: dict[str, str], change: Change, stack: str) -> None:
    waived = waivers.apply([change], read(text(**fields)), stack, TODAY)
    assert exit_of(waived.changes) == Exit.STATEFUL
    assert len(waived.warnings) == (1 if stack == "prod" else 0)


def test_an_expired_waiver_counts_no_more_and_says_so() -> None:
    waived = waivers.apply([gated()], read(text(expires="2026-02-28")), "prod", TODAY)
    assert exit_of(waived.changes) == Exit.STATEFUL
    assert waived.warnings == (
        "waiver for replace of StatefulSet/postgres expired on 2026-02-28 and counts no more; renew or remove it",
    )
    assert exit_of(waivers.apply([gated()], read(text(expires="2026-03-01")), "prod", TODAY).changes) == Exit.OK


def test_an_unused_waiver_is_named() -> None:
    [warning] = waivers.apply([], read(text()), "prod", TODAY).warnings
    assert (
        warning == "waiver for replace of StatefulSet/postgres is not used by this change; remove it from waivers.yaml"
    )


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            text(reason=None),
            r"waivers\.yaml: waivers\.0\.reason = .*not set.*: is required; a waiver has the keys stack, ob",
        ),
        (text(resaon="x"), r"waivers\.0\.resaon = .*: there is no such key; a waiver has the keys"),
        (text(reason="soon"), r"waivers\.0\.reason = 'soon': too short to be a reason; say why"),
        (text(object="postgres"), r"waivers\.0\.object = 'postgres': no object; write Kind/name"),
        (text(operation="destroy"), r"waivers\.0\.operation = 'destroy': input should be 'update'.*; correct"),
        (text(expires="soon"), r"waivers\.0\.expires = 'soon': input should be a valid date.*; correct"),
        (text(expires="2027-03-15"), r"waivers\.0\.expires = '2027-03-15': at most 90 days from now; give 2026-05-30"),
        (text(stack="qa"), r"waivers\.0\.stack = 'qa': there is no such stack; use one of prod, staging"),
        (text() + text()[9:], r"prod/StatefulSet/postgres/replace.*: stands there twice; keep one"),
        ("waiver: []", r"waivers\.yaml: waiver = \[\]: there is no such key"),
        ("- a", r"waivers\.yaml: the file = \['a'\]: input should be"),
        ("a: [", r"waivers\.yaml = 'line 1': is no YAML; correct it"),
    ],
)
def test_a_wrong_file_is_refused_with_field_value_rule_and_way_out(source: str, problem: str) -> None:
    with pytest.raises(InvalidArgs, match=problem):
        read(source)


def test_all_problems_are_told_at_once() -> None:
    broken = text(reason=None) + textwrap.indent("- stack: prod\n  extra: 1\n", "  ")
    with pytest.raises(InvalidArgs) as raised:
        read(broken)
    assert len(raised.value.problems) == 6


@pytest.mark.parametrize("source", ["", "waivers: []", "# none\n"])
def test_a_file_without_waivers_is_no_problem(source: str) -> None:
    assert read(source) == ()
