"""Who may be promoted: three members, one acknowledgement, every combination of who is heard."""

from collections.abc import Mapping

import pytest

from components.postgres.image.member.guard import Verdict, decide
from components.postgres.image.member.marks import Kind, Mark, Marks
from components.postgres.image.member.wal import Lineage, Point, Switch, parse_lsn

SYSTEM = "7711125465673695264"
FIRST = Lineage(1)
SECOND = Lineage(2, (Switch(1, parse_lsn("0/5089338")),))
EMPTY = Marks()


def at(lineage: Lineage, lsn: str) -> Point:
    return Point(lineage, parse_lsn(lsn))


def marked(*marks: tuple[Kind, Lineage, str]) -> Marks:
    return Marks(SYSTEM, tuple(Mark(kind, at(lineage, lsn)) for kind, lineage, lsn in marks))


def judge(
    mine: Point,
    answers: Mapping[str, Marks | None],
    own: Marks | None = None,
    known: tuple[Lineage, ...] = (),
    acks: int = 1,
) -> Verdict:
    return decide(mine, own or Marks(SYSTEM), known, answers, acks=acks)


LOST_AT = at(FIRST, "0/505EED8")


def test_the_seen_loss_is_refused_by_its_own_mark() -> None:
    own = marked(("standby", FIRST, "0/5089338"))
    verdict = judge(LOST_AT, {"b": None, "c": marked(("primary", FIRST, "0/50892C0"))}, own)
    assert not verdict.promote
    assert "1 0/505EED8" in verdict.reason
    assert "1 0/5089338" in verdict.reason


def test_the_seen_loss_is_refused_by_the_history_file_alone() -> None:
    verdict = judge(LOST_AT, {"b": marked(), "c": marked()}, known=(SECOND,))
    assert not verdict.promote
    assert "timeline 2 began there" in verdict.reason


def test_the_seen_loss_is_refused_by_what_another_member_held() -> None:
    answers = {"b": None, "c": marked(("standby", FIRST, "0/5089338"))}
    verdict = judge(LOST_AT, answers)
    assert not verdict.promote
    assert "c held that much as a standby" in verdict.reason


def test_the_same_member_is_promoted_once_its_log_is_whole_again() -> None:
    own = marked(("standby", FIRST, "0/5089338"))
    answers = {"b": None, "c": marked(("primary", FIRST, "0/5089338"))}
    assert judge(at(FIRST, "0/5089338"), answers, own, known=(SECOND,)).promote


def test_a_fetch_of_the_new_timeline_that_broke_below_its_start_holds_nothing_new() -> None:
    own = marked(("standby", FIRST, "0/5089338"), ("standby", SECOND, "0/505EED8"))
    answers = {"b": None, "c": marked(("standby", FIRST, "0/5089338"))}
    assert judge(at(FIRST, "0/5089338"), answers, own, known=(SECOND,)).promote


@pytest.mark.parametrize(
    ("answers", "promote"),
    [
        ({"b": None, "c": None}, False),
        ({"b": EMPTY, "c": None}, False),
        ({"b": EMPTY, "c": EMPTY}, False),
        ({"b": marked(), "c": None}, True),
        ({"b": marked(("standby", FIRST, "0/100")), "c": None}, True),
        ({"b": marked(("standby", FIRST, "0/101")), "c": None}, False),
        ({"b": marked(("standby", FIRST, "0/101")), "c": marked()}, False),
        # a primary's own tail: acknowledged only if a standby had it, so all standbys must be heard
        ({"b": marked(("primary", FIRST, "0/101")), "c": None}, False),
        ({"b": marked(("primary", FIRST, "0/101")), "c": EMPTY}, False),
        ({"b": marked(("primary", FIRST, "0/101")), "c": marked(("standby", FIRST, "0/100"))}, True),
        ({"b": marked(("primary", FIRST, "0/100")), "c": None}, True),
        # a newer timeline that somebody has followed
        ({"b": marked(("standby", SECOND, "0/5089400")), "c": marked()}, False),
        ({"b": Marks("another", ()), "c": marked()}, False),
    ],
)
def test_a_standby_needs_one_other_member_and_all_that_it_held(
    answers: Mapping[str, Marks | None], promote: bool
) -> None:
    assert judge(at(FIRST, "0/100"), answers).promote is promote


def test_a_refusal_for_silence_may_change_and_one_for_a_position_may_not() -> None:
    mine = at(FIRST, "0/100")
    assert not judge(mine, {"b": None, "c": None}).final
    assert not judge(mine, {"b": marked(("primary", FIRST, "0/101")), "c": None}).final
    assert judge(mine, {"b": marked(("standby", FIRST, "0/101")), "c": marked()}).final


def test_five_members_with_two_acknowledgements_need_three() -> None:
    mine = at(FIRST, "0/100")
    held = marked(("standby", FIRST, "0/100"))
    assert not judge(mine, {"b": held, "c": None, "d": None, "e": None}, acks=2).promote
    assert judge(mine, {"b": held, "c": held, "d": None, "e": None}, acks=2).promote


def test_a_restarted_first_primary_goes_on_before_any_other_member_has_data() -> None:
    own = marked(("primary", FIRST, "0/100"))
    mine = at(FIRST, "0/100")
    assert judge(mine, {"b": EMPTY, "c": EMPTY}, own).promote
    assert not judge(mine, {"b": EMPTY, "c": None}, own).promote
    assert not judge(mine, {"b": EMPTY, "c": EMPTY}, marked(("standby", FIRST, "0/100"))).promote


def test_marks_of_a_timeline_that_was_left_behind_are_ignored() -> None:
    left = Lineage(2, (Switch(1, 0x80),))
    newer = Lineage(3, (Switch(1, 0x90),))
    own = marked(("standby", left, "0/100"))
    answers = {"b": marked(("standby", left, "0/120")), "c": marked(("standby", newer, "0/95"))}
    assert judge(at(newer, "0/95"), answers, own).promote


def test_the_tail_of_a_timeline_that_ended_is_ignored() -> None:
    newer = Lineage(2, (Switch(1, 0x80),))
    own = marked(("primary", FIRST, "0/99"))
    answers = {"b": marked(("primary", FIRST, "0/99")), "c": None}
    assert judge(at(newer, "0/90"), answers, own).promote


def test_two_timelines_of_one_number_are_never_mixed() -> None:
    mine, theirs = Lineage(2, (Switch(1, 0x80),)), Lineage(2, (Switch(1, 0x90),))
    assert not judge(at(mine, "0/100"), {"b": marked(("standby", theirs, "0/95")), "c": None}).promote


def test_a_member_past_the_start_of_a_newer_timeline_must_rewind_first() -> None:
    verdict = judge(at(FIRST, "0/5089400"), {"b": marked(), "c": marked()}, known=(SECOND,))
    assert not verdict.promote
    assert "must rewind" in verdict.reason
