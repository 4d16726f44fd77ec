"""Two primaries at one time: what the writes that each member acknowledged prove."""

from hypothesis import given
from hypothesis import strategies as st

from drills.watcher import Seen, conflicts, read


def test_a_change_of_the_primary_is_no_conflict() -> None:
    seen = [Seen(1.0, 1.1, "a", "00000001"), Seen(2.0, 2.1, "a", "00000001"), Seen(5.0, 5.1, "b", "00000002")]
    assert conflicts(seen) == []


def test_a_member_that_acknowledges_after_its_successor_has_begun_is_a_conflict() -> None:
    seen = [
        Seen(1.0, 1.1, "a", "00000001"),
        Seen(5.0, 5.1, "b", "00000002"),
        Seen(5.2, 5.3, "a", "00000001"),
        Seen(5.4, 5.5, "b", "00000002"),
    ]
    assert conflicts(seen) == ["a on timeline 00000001 and b on 00000002 took writes at one time"]


def test_a_write_that_hung_until_the_successor_led_proves_nothing() -> None:
    # begun before the change and answered after it: it may have been taken before
    seen = [Seen(1.0, 1.1, "a", "00000001"), Seen(2.0, 9.0, "a", "00000001"), Seen(5.0, 5.1, "b", "00000002")]
    assert conflicts(seen) == []


def test_one_timeline_is_never_written_by_two_members() -> None:
    seen = [Seen(1.0, 1.1, "a", "00000002"), Seen(5.0, 5.1, "b", "00000002")]
    assert conflicts(seen) == ["a and b both wrote on timeline 00000002"]


def test_a_member_may_lead_twice() -> None:
    seen = [
        Seen(1.0, 1.1, "a", "00000001"),
        Seen(2.0, 2.1, "b", "00000002"),
        Seen(3.0, 3.1, "b", "00000002"),
        Seen(4.0, 4.1, "a", "00000003"),
    ]
    assert conflicts(seen) == []


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=30))
def test_members_that_lead_in_turn_never_conflict(leaders: list[str]) -> None:
    seen = [Seen(n, n + 0.9, member, f"{n:08X}") for n, member in enumerate(leaders)]
    assert conflicts(seen) == []


def test_a_line_that_is_not_whole_is_left_out() -> None:
    assert read("1.000 1.100 a 00000001\n2.000 2.1") == [Seen(1.0, 1.1, "a", "00000001")]
