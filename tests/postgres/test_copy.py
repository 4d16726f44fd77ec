"""Who may acknowledge a commit while any receiver will do: a standby, and never a copy in the making."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from components.postgres.patroni import common
from tests.postgres.fix_members import ARGS, BIN, Trio, eventually, password

pytestmark = pytest.mark.server

WITH_SLOT = [{"checkpoint": "fast"}, "no-password"]
OURS = common(ARGS)["postgresql"]["basebackup"]
COMMIT = "SELECT pg_logical_emit_message(true, 'test', '')"


@contextmanager
def copying(trio: Trio, options: Sequence[object]) -> Iterator[None]:
    """A base backup of the primary, as Patroni calls it and so slow that it is not over within the test."""
    source = f"host={trio.a.address} user=replicator_b password={password('postgres-replication', 1)}"
    pairs = [next(iter(each.items())) if isinstance(each, dict) else (each, None) for each in options]
    flags = [f"--{name}" if value is None else f"--{name}={value}" for name, value in pairs]
    call = (
        f"{BIN}/pg_basebackup",
        "--pgdata=/data/copy",
        "-X",
        "stream",
        f"--dbname={source}",
        "--max-rate=200k",
        *flags,
    )
    with subprocess.Popen(trio.b.command(*call), env=trio.b.environment) as copy:
        try:
            streams = "SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming'"
            eventually(lambda: trio.a.sql(streams) == "t", 20, "the copy receives the log")
            yield
        finally:
            copy.kill()


def commits(trio: Trio, within_s: float) -> bool:
    """Whether the primary acknowledges a commit in time."""
    call = (f"{BIN}/psql", "-h", "/run/postgresql", "-U", "postgres", "-XAtqc", COMMIT, "postgres")
    with subprocess.Popen(trio.a.command(*call), env=trio.a.environment, stdout=subprocess.DEVNULL) as client:
        try:
            return client.wait(within_s) == 0
        except subprocess.TimeoutExpired:
            client.kill()
            return False


def any_receiver(trio: Trio) -> None:
    """What Patroni's strict mode sets while no standby streams."""
    trio.a.start()
    trio.a.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'")
    trio.a.sql("SELECT pg_reload_conf()")
    eventually(lambda: trio.a.sql("SHOW synchronous_standby_names") != "", 5, "the setting is in force")


def test_a_copy_with_a_slot_acknowledges_commits_that_no_standby_has(trio: Trio) -> None:
    any_receiver(trio)
    with copying(trio, WITH_SLOT):
        assert commits(trio, within_s=20)


def test_a_copy_as_ours_acknowledges_none_and_the_first_standby_does(trio: Trio) -> None:
    any_receiver(trio)
    with copying(trio, OURS):
        assert not commits(trio, within_s=2)
    trio.c.start()
    assert commits(trio, within_s=20)
