"""Timeline numbers that are promised and occupied."""

from pathlib import Path

from components.postgres.image.member.marks import Marks
from components.postgres.image.member.numbers import free_unused, load_reserved, newest, occupied, occupy, save_reserved
from components.postgres.image.member.segments import lineages
from components.postgres.image.member.wal import Lineage, Point, Switch, parse_history

SECOND = Lineage(2, (Switch(1, 0x100),))


def test_a_reservation_belongs_to_its_database_system(tmp_path: Path) -> None:
    file = tmp_path / "reserved.json"
    assert load_reserved(file, "1") == 0
    save_reserved(file, "1", 7)
    assert load_reserved(file, "1") == 7
    assert load_reserved(file, "2") == 0


def test_the_newest_number_is_that_of_any_source() -> None:
    marks = Marks().raised("1", "standby", Point(SECOND, 0x120))
    assert newest(Marks(), [], 0) == 1
    assert newest(marks, [], 0) == 2
    assert newest(marks, [4], 3) == 4
    assert newest(marks, [4], 5) == 5


def test_only_numbers_without_a_history_are_occupied(tmp_path: Path) -> None:
    (tmp_path / "00000004.history").write_text("1\t0/100\treason\n2\t0/120\treason\n")
    assert occupy(tmp_path, Point(SECOND, 0x130), 6) == [3, 5]
    assert set(lineages(tmp_path)) == {4}, "an occupied number tells of no timeline"
    text = (tmp_path / "00000003.history").read_text()
    assert occupied(text)
    # a server on timeline 2 that has replayed anything of it is past the switch, and will not go there
    assert parse_history(3, text).switches == (Switch(1, 0x100), Switch(2, 0x101))
    assert occupy(tmp_path, Point(SECOND, 0x130), 6) == []


def test_occupied_numbers_are_freed_down_to_the_newest_real_timeline(tmp_path: Path) -> None:
    (tmp_path / "00000004.history").write_text("1\t0/100\treason\n")
    occupy(tmp_path, Point(SECOND, 0x130), 8)
    assert free_unused(tmp_path) == [7, 6, 5]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["00000003.history", "00000004.history"]
