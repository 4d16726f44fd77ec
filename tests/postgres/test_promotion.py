"""The loss that was seen, made again with real servers, and what the guard does about it.

The first primary stops. The second begins timeline 2 and goes away while the third fetches the new timeline's first
segment. See the component's README for why this loses commits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.postgres.image.member.numbers import occupy
from components.postgres.image.member.wal import Lineage, Point, format_lsn, parse_history, parse_lsn
from components.postgres.names import POSTGRES_PORT
from tests.postgres.fix_members import BIN, Member, Trio, eventually, password
from tests.postgres.throttle import Throttle

pytestmark = pytest.mark.server

SEGMENT = "000000020000000000000005"
OLD_SEGMENT = "000000010000000000000005"
ROWS = 1250  # as many as `write_rows` writes


def write_rows(trio: Trio) -> None:
    """A few hundred kilobytes into one segment, with a restart point of the standbys near its start."""
    trio.a.sql("CREATE TABLE kept (key bigint, filler text)")
    while trio.a.sql("SELECT pg_walfile_name(pg_current_wal_lsn())") != OLD_SEGMENT:
        trio.a.sql("SELECT pg_switch_wal()")
        trio.a.sql("CREATE TABLE more (); DROP TABLE more")
    trio.a.sql("INSERT INTO kept SELECT g, repeat('x', 400) FROM generate_series(1, 50) g")
    trio.a.sql("CHECKPOINT")
    trio.even()
    for standby in (trio.b, trio.c):
        standby.sql("CHECKPOINT")
    trio.a.sql("INSERT INTO kept SELECT g, repeat('y', 400) FROM generate_series(51, 1250) g")
    trio.even()


@contextmanager
def broken_fetch(trio: Trio) -> Iterator[int]:
    """Leave the third member alone with a part of the new timeline's first segment; yields where that began."""
    write_rows(trio)
    trio.a.stop()
    assert trio.b.promote()
    begin = parse_history(2, (trio.b.wal / "00000002.history").read_text()).begin
    # whether the old timeline's part comes first, once more, is a matter of timing; the new one's copy always comes
    throttle = Throttle(f"{trio.c.address[:-2]}99", (trio.b.address, POSTGRES_PORT), bytes_per_s=400_000)
    try:
        trio.c.follow(trio.b, host=f"{trio.c.address[:-2]}99")
        eventually(
            lambda: received(trio.c.wal / SEGMENT) >= 0x20000, 20, "a part of the new timeline's segment is there"
        )
        throttle.silence()
        trio.b.stop("immediate")
    finally:
        throttle.close()
    trio.c.follow(None)
    trio.c.sql("SELECT pg_wal_replay_resume()")
    assert received(trio.c.wal / SEGMENT) < begin & 0xFFFFFF, "the fetch was meant to break below the switch"
    yield begin


def received(segment: Path) -> int:
    """Bytes of a segment up to the first page that is empty."""
    if not segment.exists():
        return 0
    data = segment.read_bytes()
    return next((at for at in range(0, len(data), 8192) if not any(data[at : at + 8192])), len(data))


def rows(member: Member) -> int:
    """Rows that survived."""
    return int(member.sql("SELECT count(*) FROM kept"))


def end_of_log(member: Member) -> int:
    """Where a standby stands."""
    return parse_lsn(member.sql("SELECT pg_last_wal_replay_lsn()"))


def restart_alone(member: Member) -> None:
    """What Patroni does after a crash of the member that holds the leader lock: start with nobody to follow."""
    member.stop("immediate")
    member.start()


def test_postgresql_alone_loses_commits(trio: Trio) -> None:
    trio.up()
    with broken_fetch(trio) as begin:
        assert end_of_log(trio.c) == begin
        assert not trio.c.promote()
        assert "PANIC" in trio.c.log()
        trio.c.start()
        assert end_of_log(trio.c) < begin
        assert trio.c.promote()
        assert rows(trio.c) < ROWS


def test_the_guard_completes_the_segment_and_nothing_is_lost(trio: Trio) -> None:
    trio.up()
    trio.a.start_agent()
    with broken_fetch(trio):
        done = trio.c.guard()
        assert f"completed {SEGMENT}" in done.stderr
        assert "promoting at 1 " in done.stderr
        assert trio.c.promote()
        assert rows(trio.c) == ROWS


def test_after_a_restart_too(trio: Trio) -> None:
    trio.up()
    trio.a.start_agent()
    with broken_fetch(trio) as begin:
        restart_alone(trio.c)
        assert end_of_log(trio.c) < begin
        done = trio.c.guard()
        assert f"promoting at 1 {format_lsn(begin)}" in done.stderr
        assert trio.c.promote()
        assert rows(trio.c) == ROWS


def test_what_cannot_be_completed_is_refused(trio: Trio) -> None:
    trio.up()
    trio.a.start_agent()
    with broken_fetch(trio) as begin:
        trio.c.stop("immediate")
        (trio.c.wal / OLD_SEGMENT).rename(trio.c.folder / "away")
        trio.c.start()
        here = format_lsn(end_of_log(trio.c))
        done = trio.c.guard(check=False)
        assert done.returncode == 1
        assert f"stands at 1 {here}, below 2 {format_lsn(begin)}: timeline 2 began there" in done.stderr

        accept = trio.c.folder / "data/accept-loss"
        accept.write_text("1 0/0")
        assert trio.c.guard(check=False).returncode == 1
        accept.write_text(f"1 {here}\n")
        trio.c.own()
        assert "a loss that an operator accepts" in trio.c.guard().stderr
        assert not accept.exists(), "one acceptance must be good for one promotion"


def test_a_server_that_cannot_start_is_helped_by_its_agent(trio: Trio) -> None:
    trio.up()
    with broken_fetch(trio) as begin:
        trio.c.stop("immediate")
        trio.c.start_agent()
        eventually(lambda: f"completed {SEGMENT}" in trio.c.agent_log(), 10, "the agent has completed the segment")
        trio.c.start()
        eventually(lambda: end_of_log(trio.c) == begin, 10, "recovery reads up to the switch")


def test_a_number_that_was_occupied_in_vain_keeps_no_server_from_starting(trio: Trio) -> None:
    trio.up()
    occupy(trio.c.wal, Point(Lineage(1), end_of_log(trio.c)), 3)
    trio.c.own()
    trio.c.stop()
    with pytest.raises(AssertionError, match="could not start server"):
        trio.c.start()
    trio.c.start_agent()
    eventually(lambda: "timeline number 2 is free again" in trio.c.agent_log(), 10, "the agent has freed the number")
    trio.c.start()


def test_a_standby_that_is_behind_another_one_is_refused(trio: Trio) -> None:
    trio.up()
    for each in (trio.b, trio.c):
        each.start_agent()
    trio.c.follow(None)
    trio.a.sql("CREATE TABLE later ()")
    trio.even(trio.b)
    trio.a.stop()
    assert "promoting" in trio.b.guard().stderr
    trio.b.stop("immediate")
    done = trio.c.guard(check=False)
    assert done.returncode == 1
    assert "postgres-1 held that much as a standby" in done.stderr


def test_without_any_other_member_there_is_no_promotion(trio: Trio) -> None:
    trio.up()
    trio.a.stop()
    done = trio.b.guard(check=False)
    assert done.returncode == 1
    assert "not heard of postgres-0, postgres-2" in done.stderr


def test_a_mark_outlives_the_server_and_the_agent(trio: Trio) -> None:
    trio.up()
    trio.b.start_agent()
    trio.a.sql("CREATE TABLE kept ()")
    trio.even()
    held = end_of_log(trio.b)
    assert position(trio.b) >= held
    trio.b.stop("immediate")
    trio.b.stop_agent()
    trio.b.start_agent()
    assert position(trio.b) >= held


def position(member: Member) -> int:
    """The highest mark that a member's agent tells."""
    return max(parse_lsn(mark["lsn"]) for mark in member.ask("position")["marks"])


def test_a_timeline_that_nobody_followed_keeps_its_number(trio: Trio) -> None:
    trio.up()
    for each in trio.members:
        each.start_agent()
    trio.a.sql("CREATE TABLE kept ()")
    trio.even()
    trio.a.stop()
    assert "promoting" in trio.b.guard().stderr
    assert trio.b.promote()
    trio.b.sql("CREATE TABLE never_acknowledged ()")
    trio.b.stop("immediate")
    trio.b.stop_agent()

    # the third member has heard nothing of timeline 2, but it has promised the number
    done = trio.c.guard()
    assert "timeline numbers known to others only: 2" in done.stderr
    assert trio.c.promote()
    assert trio.c.sql("SELECT pg_walfile_name(pg_current_wal_lsn())").startswith("00000003")

    # the first primary comes back as a standby, and follows over the number that is no timeline of theirs
    trio.a.follow_from_disk(trio.c)
    trio.c.sql("CREATE TABLE later ()")
    eventually(lambda: "later" in trio.a.sql("SELECT relname FROM pg_class"), 20, "the first member follows")

    # the second one has to rewind, and does
    source = f"host={trio.c.address} user=replicator_b password={password('postgres-replication', 1)} dbname=postgres"
    trio.c.sql("CHECKPOINT")
    trio.b.start()
    trio.b.stop()
    rewound = trio.b.run(f"{BIN}/pg_rewind", "-D", "/data/pgdata", "--source-server", source)
    assert "servers diverged at WAL location" in rewound.stderr
    trio.b.follow_from_disk(trio.c)
    eventually(lambda: "later" in trio.b.sql("SELECT relname FROM pg_class"), 20, "the second member follows")
    assert "never_acknowledged" not in trio.b.sql("SELECT relname FROM pg_class")
