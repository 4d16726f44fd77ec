"""When a primary that nobody follows must yield, and when it must not: three members, one acknowledgement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.postgres.image.member.marks import Mark, Marks
from components.postgres.image.member.stranded import Complaint, alive, claims, complaint, decode, stranded
from components.postgres.image.member.wal import Lineage, Point

MEMBERS = ("a", "b", "c")


def judge(renewed: dict[str, Complaint], *, members: int = 3, acks: int = 1) -> str | None:
    return stranded("a", renewed, members=members, acks=acks)


def says(*hears: str, misses: str = "a", beat: int = 1) -> Complaint:
    return Complaint(misses, frozenset(hears), beat)


def test_a_primary_that_is_cut_off_from_two_standbys_which_hear_each_other_yields() -> None:
    reason = judge({"b": says("c"), "c": says("b")})
    assert reason == "no standby streams from a, and b misses it but hears c"


@pytest.mark.parametrize(
    ("renewed", "why"),
    [
        ({}, "nobody complains: the standbys are dead, or the API does not tell"),
        ({"b": says()}, "the only one alive could not be promoted: the guard wants another to be heard"),
        ({"b": says(), "c": says()}, "all three are cut off from each other"),
        ({"b": says("c", misses="c"), "c": says("b", misses="b")}, "they miss another primary"),
        ({"b": says("a"), "c": says("a")}, "they hear nobody but the primary"),
    ],
)
def test_it_stays_where_nothing_would_be_gained(renewed: dict[str, Complaint], why: str) -> None:
    assert judge(renewed) is None, why


def test_two_acknowledgements_of_five_ask_for_two_more_members() -> None:
    assert judge({"b": says("c")}, members=5, acks=2) is None
    assert judge({"b": says("c", "d")}, members=5, acks=2) is not None


def test_a_complaint_that_is_not_renewed_is_of_a_dead_member() -> None:
    first = {"b": says("c", beat=7), "c": says("b", beat=3)}
    assert alive(first, {"b": says("c", beat=7), "c": says("b", beat=4)}) == {"c": says("b", beat=4)}
    assert alive(first, first) == {}


def test_a_complaint_that_a_look_before_has_not_found_is_new_and_one_that_nobody_looked_for_is_not() -> None:
    found = {"b": says("c", beat=1)}
    assert alive({}, found) == found
    assert alive(None, found) == {}


def test_a_standby_says_nothing_that_hears_the_primary_or_knows_none() -> None:
    assert complaint("a", ["a", "c"], beat=1) is None
    assert complaint(None, ["c"], beat=1) is None
    assert complaint("a", ["c"], beat=1) == says("c")


@given(st.builds(Complaint, st.text(), st.frozensets(st.text()), st.integers()))
def test_a_complaint_survives_its_annotation(said: Complaint) -> None:
    assert decode(said.encode()) == said


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"misses": "a", "hears": 3, "beat": 1}', "{"])
def test_a_text_that_is_no_complaint_is_none(text: str) -> None:
    assert decode(text) is None


def held(*lsns: int, timeline: int = 1) -> Marks:
    return Marks("1", tuple(Mark("standby", Point(Lineage(timeline), lsn)) for lsn in lsns))


def test_the_furthest_standby_asks_for_its_promotion_and_no_other() -> None:
    marks = {"b": held(70, 90), "c": held(100)}
    assert claims("c", marks)
    assert not claims("b", marks)


def test_a_newer_timeline_is_further_than_any_position_of_an_older_one() -> None:
    assert claims("b", {"b": held(10, timeline=2), "c": held(900)})


def test_of_two_that_stand_at_one_place_exactly_one_asks() -> None:
    marks = {"b": held(100), "c": held(100)}
    assert [name for name in marks if claims(name, marks)] == ["b"]
    assert claims("b", {"b": held()})
