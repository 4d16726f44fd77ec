"""Every rule: the good stack passes, one change makes it fail, one unknown field makes it say so."""

import pytest

from policies.kit.run import Outcome
from policies.rules import RULES
from tests.policies.cases import CASES
from tests.policies.stage import Case, Stage, run

by_rule = pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)


def test_every_rule_has_a_case() -> None:
    assert sorted(case.rule for case in CASES) == sorted(RULES)


def test_a_rule_without_an_unknown_case_says_why_it_can_always_tell() -> None:
    assert [case.rule for case in CASES if bool(case.unknown) is bool(case.always)] == []


@by_rule
def test_the_good_stack_passes(case: Case) -> None:
    objects = Stage().objects()
    assert [obj for obj in objects if case.of.applies(obj)], "the good stack has nothing that the rule looks at"
    settings = {**case.settings} | ({"max_age_days": 0} if case.rule == "credential-age" else {})
    assert [str(result) for result in run(case.of, objects, settings)] == []


@by_rule
def test_one_change_makes_the_rule_fail(case: Case) -> None:
    found = run(case.of, case.broken().objects(), case.settings)
    assert {result.outcome for result in found} == {Outcome.FAIL}, [str(result) for result in found]
    assert all(result.field.endswith(case.where) for result in found), [result.field for result in found]


@by_rule
def test_a_violation_says_where_what_and_the_way_out(case: Case) -> None:
    for result in run(case.of, case.broken().objects(), case.settings):
        assert str(result).startswith(f"{result.object.title}: {result.field}: ")
        assert str(result).endswith(f"; {case.of.remediation}")


@pytest.mark.parametrize("case", [case for case in CASES if case.unknown], ids=lambda case: case.rule)
def test_an_unknown_field_is_neither_pass_nor_fail(case: Case) -> None:
    found = run(case.of, case.untold().objects(), case.settings)
    assert {result.outcome for result in found} == {Outcome.UNKNOWN}, [str(result) for result in found]
