"""This member's own PostgreSQL, over its Unix socket as the operating system's user `postgres`."""

from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import pq
from psycopg.rows import TupleRow

from components.postgres.image.member.marks import Kind
from components.postgres.image.member.wal import Lineage, Point, history_name, parse_history, parse_lsn

# flushed by the receiver that runs, else by the one that ran last; its timeline is only known while it runs
OBSERVE: LiteralString = """
SELECT pg_is_in_recovery(), system_identifier::text,
       CASE WHEN pg_is_in_recovery() THEN coalesce(r.flushed_lsn, pg_last_wal_receive_lsn())
            ELSE pg_current_wal_flush_lsn() END::text,
       CASE WHEN pg_is_in_recovery() THEN r.received_tli
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END
FROM pg_control_system() LEFT JOIN pg_stat_wal_receiver r ON true
"""


@dataclass(frozen=True)
class Observation:
    """What this member holds now.

    Attributes:
        system_id: database system.
        kind: `primary` when it writes, `standby` when it follows.
        timeline: None while no receiver runs.
        lsn: flushed position; None for a standby that has received nothing since its start.
    """

    system_id: str
    kind: Kind
    timeline: int | None
    lsn: int | None


def connect(sockets: Path, port: int, database: str = "postgres") -> psycopg.Connection[TupleRow]:
    """A connection in autocommit mode whose commits wait for no standby.

    Waiting would deadlock a new cluster: its standbys need the roles that are being created. What is written this way
    is written again by the next primary if it is lost.

    Raises: `psycopg.OperationalError` when the server does not take connections.
    """
    options = "-c synchronous_commit=local -c log_statement=none -c log_min_duration_statement=-1"
    return psycopg.connect(
        host=str(sockets), port=port, user="postgres", dbname=database, autocommit=True, connect_timeout=2,
        options=f"{options} -c log_min_error_statement=panic -c statement_timeout=30s", application_name="member",
    )  # fmt: skip


def observe(connection: psycopg.Connection[TupleRow]) -> Observation:
    """What the server holds now."""
    row = connection.execute(OBSERVE).fetchone()
    if row is None:
        raise psycopg.OperationalError("the server did not say where it stands")
    recovering, system_id, lsn, timeline = row
    return Observation(system_id, "standby" if recovering else "primary", timeline, parse_lsn(lsn) if lsn else None)


def archiver(connection: psycopg.Connection[TupleRow]) -> dict[str, float]:
    """Segments archived and attempts failed since the server's statistics began, and when the last one was archived."""
    row = connection.execute(
        "SELECT archived_count, failed_count, extract(epoch FROM last_archived_time) FROM pg_stat_archiver"
    ).fetchone()
    names = ("archived_total", "failed_total", "last_archived_timestamp_seconds")
    return {name: float(value) for name, value in zip(names, row or (), strict=False) if value is not None}


def identify(sockets: Path, port: int) -> tuple[str, int, int]:
    """(system id, timeline, end of log): where this member would end recovery.

    It is `IDENTIFY_SYSTEM` of the replication protocol, which alone tells the timeline that replay has reached.

    Raises: `psycopg.OperationalError` when the server does not answer.
    """
    connection = pq.PGconn.connect(
        f"host={sockets} port={port} user=postgres dbname=postgres replication=database connect_timeout=2".encode()
    )
    try:
        result = connection.exec_(b"IDENTIFY_SYSTEM") if connection.status == pq.ConnStatus.OK else None
        if result is None or result.status != pq.ExecStatus.TUPLES_OK:
            raise psycopg.OperationalError(connection.get_error_message().strip())
        values = [result.get_value(0, column) or b"" for column in range(3)]
    finally:
        connection.finish()
    return values[0].decode(), int(values[1]), parse_lsn(values[2].decode())


def lineage(wal: Path, timeline: int) -> Lineage:
    """The lineage of a timeline, from its history file; a first timeline has none."""
    try:
        return parse_history(timeline, (wal / history_name(timeline)).read_text())
    except FileNotFoundError:
        return Lineage(timeline)


def point(wal: Path, timeline: int, lsn: int) -> Point:
    """A position with its lineage."""
    return Point(lineage(wal, timeline), lsn)
