"""High-water marks: only up, durable, one file."""

from pathlib import Path

import pytest

from components.postgres.image.member.marks import KEPT_TIMELINES, Marks, decode, encode, load, save
from components.postgres.image.member.wal import Lineage, Point, Switch

FIRST = Lineage(1)
SECOND = Lineage(2, (Switch(1, 100),))


def test_a_mark_only_rises() -> None:
    marks = Marks().raised("1", "standby", Point(FIRST, 100))
    assert marks.raised("1", "standby", Point(FIRST, 50)) is marks
    assert marks.raised("1", "standby", Point(FIRST, 101)).marks[0].point.lsn == 101


def test_each_timeline_and_role_has_its_own() -> None:
    marks = Marks().raised("1", "standby", Point(FIRST, 100)).raised("1", "primary", Point(SECOND, 120))
    marks = marks.raised("1", "standby", Point(SECOND, 130))
    assert [(m.kind, m.point.timeline) for m in marks.marks] == [("standby", 1), ("primary", 2), ("standby", 2)]


def test_a_timeline_that_began_elsewhere_replaces_its_namesake() -> None:
    other = Lineage(2, (Switch(1, 90),))
    marks = Marks().raised("1", "standby", Point(SECOND, 120)).raised("1", "standby", Point(other, 95))
    assert [m.point for m in marks.marks] == [Point(other, 95)]


def test_another_database_system_starts_anew() -> None:
    marks = Marks().raised("1", "primary", Point(FIRST, 100)).raised("2", "standby", Point(FIRST, 10))
    assert marks.system_id == "2"
    assert [m.point.lsn for m in marks.marks] == [10]


def test_old_timelines_are_forgotten() -> None:
    marks = Marks()
    for timeline in range(1, KEPT_TIMELINES + 5):
        marks = marks.raised("1", "standby", Point(Lineage(timeline), timeline))
    assert [m.point.timeline for m in marks.marks] == list(range(5, KEPT_TIMELINES + 5))


def test_they_survive_the_disk(tmp_path: Path) -> None:
    marks = Marks().raised("1", "standby", Point(SECOND, 120))
    assert load(tmp_path / "marks.json") == Marks()
    save(tmp_path / "marks.json", marks)
    assert load(tmp_path / "marks.json") == marks
    assert decode(encode(marks)) == marks


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"system_id": "1", "marks": [{"kind": "standby"}]}'])
def test_a_file_that_tells_nothing_is_no_empty_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "marks.json").write_text(text)
    with pytest.raises(ValueError, match="no high-water marks"):
        load(tmp_path / "marks.json")
