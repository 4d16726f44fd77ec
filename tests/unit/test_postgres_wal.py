"""Positions, lineages and how they relate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.postgres.image.member.wal import (
    Lineage,
    Point,
    Relation,
    Switch,
    format_lsn,
    lineage_json,
    lineage_of_json,
    parse_history,
    parse_lsn,
    relate,
    segment_name,
)

FIRST = Lineage(1)
SECOND = Lineage(2, (Switch(1, 100),))
THIRD = Lineage(3, (Switch(1, 100), Switch(2, 150)))
OTHER_SECOND = Lineage(2, (Switch(1, 90),))
EMPTY_SECOND = Lineage(3, (Switch(1, 100), Switch(2, 100)))
PAST_SECOND = Lineage(3, (Switch(1, 100),))


@pytest.mark.parametrize(
    ("mine", "other", "relation"),
    [
        (Point(FIRST, 80), Point(FIRST, 80), Relation.HOLDS),
        (Point(FIRST, 80), Point(FIRST, 81), Relation.BEHIND),
        (Point(FIRST, 100), Point(SECOND, 120), Relation.BEHIND),
        (Point(FIRST, 99), Point(SECOND, 120), Relation.BEHIND),
        (Point(FIRST, 101), Point(SECOND, 120), Relation.DIVERGED),
        (Point(SECOND, 120), Point(FIRST, 100), Relation.HOLDS),
        (Point(SECOND, 120), Point(FIRST, 101), Relation.DIVERGED),
        (Point(THIRD, 160), Point(SECOND, 150), Relation.HOLDS),
        (Point(THIRD, 160), Point(SECOND, 151), Relation.DIVERGED),
        (Point(SECOND, 140), Point(THIRD, 160), Relation.BEHIND),
        (Point(SECOND, 160), Point(OTHER_SECOND, 95), Relation.DIVERGED),
        # at or below its start a position lies on the parent
        (Point(FIRST, 100), Point(SECOND, 100), Relation.HOLDS),
        (Point(FIRST, 99), Point(SECOND, 100), Relation.BEHIND),
        (Point(FIRST, 60), Point(SECOND, 50), Relation.HOLDS),
        # a timeline of no length is none, whether its number is told or not
        (Point(EMPTY_SECOND, 120), Point(PAST_SECOND, 120), Relation.HOLDS),
        (Point(PAST_SECOND, 120), Point(EMPTY_SECOND, 120), Relation.HOLDS),
    ],
)
def test_what_leads_to_a_position_is_compared_stretch_by_stretch(mine: Point, other: Point, relation: Relation) -> None:
    assert relate(mine, other) is relation


def test_a_fork_below_the_start_of_its_parent_is_told_from_the_parent() -> None:
    lost = Lineage(3, (Switch(1, 100), Switch(2, 60)))
    assert relate(Point(lost, 120), Point(FIRST, 100)) is Relation.DIVERGED
    assert relate(Point(lost, 120), Point(FIRST, 60)) is Relation.HOLDS


@given(st.integers(0, 2**64 - 1))
def test_a_position_survives_its_text(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


@pytest.mark.parametrize("text", ["", "5089338", "0/", "0/xyz"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_lsn(text)


def test_a_history_file_is_read_as_a_lineage() -> None:
    text = "# comment\n1\t0/5089338\tno recovery target specified\n\n2\t0/505EED8\tno recovery target specified\n"
    lineage = parse_history(3, text)
    assert lineage.switches == (Switch(1, 0x5089338), Switch(2, 0x505EED8))
    assert lineage_of_json(lineage_json(lineage)) == lineage


def test_segments_are_named_as_postgresql_names_them() -> None:
    assert segment_name(2, parse_lsn("0/5089338"), 16 * 1024**2) == "000000020000000000000005"
    assert segment_name(0x1F, parse_lsn("A/FF000028"), 16 * 1024**2) == "0000001F0000000A000000FF"
