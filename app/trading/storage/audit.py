"""The audit of access in PostgreSQL: append-only, one link at a time."""

from collections.abc import Iterator
from typing import Any

from psycopg.types.json import Jsonb

from trading.security.audit import START, Entry, Link, link_hash
from trading.storage.connection import Connection

LOCK = "SELECT pg_advisory_xact_lock(7301004)"  # one link at a time, so that each knows the one before it
COLUMNS = "seq, at, actor, action, subject, address, detail, hash"
PAGE = 500


def append(connection: Connection, entry: Entry) -> None:
    """Add an entry to the chain, in the transaction of what it tells."""
    connection.execute(LOCK)
    last = connection.execute("SELECT seq, hash FROM access_audit ORDER BY seq DESC LIMIT 1").fetchone()
    [(at,)] = connection.execute("SELECT clock_timestamp()").fetchall()
    seq, previous = (last[0] + 1, last[1]) if last else (1, START)
    connection.execute(
        "INSERT INTO access_audit (seq, at, actor, action, subject, address, detail, previous, hash) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            seq,
            at,
            entry.actor,
            entry.action,
            entry.subject,
            entry.address,
            Jsonb(dict(entry.detail)),
            previous,
            link_hash(previous, seq, at, entry),
        ),
    )


def newest(connection: Connection, *, before: int | None, limit: int) -> list[Link]:
    """Links, newest first, of which all are older than `before`."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM access_audit WHERE %(before)s::bigint IS NULL OR seq < %(before)s "  # noqa: S608 - constants
        "ORDER BY seq DESC LIMIT %(limit)s",
        {"before": before, "limit": limit},
    ).fetchall()
    return [_link(row) for row in rows]


def whole(connection: Connection) -> Iterator[Link]:
    """Every link, oldest first, a page at a time."""
    after = 0
    while rows := connection.execute(
        f"SELECT {COLUMNS} FROM access_audit WHERE seq > %s ORDER BY seq LIMIT %s",  # noqa: S608 - constants
        (after, PAGE),
    ).fetchall():
        for row in rows:
            yield _link(row)
        after = rows[-1][0]


def _link(row: tuple[Any, ...]) -> Link:
    seq, at, actor, action, subject, address, detail, kept = row
    return Link(seq, at, Entry(actor, action, subject, address, detail), kept)
