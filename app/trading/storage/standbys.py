"""Reads on standbys that see no less than the primary: it says how far it is, and a standby waits until it is there.

So whoever has just written finds it, through whichever process it was written, and a read never goes back in time. It
costs the primary one question that touches no table. A standby that is behind, or gone, is left alone for a while.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeVar

import psycopg
from prometheus_client import Counter
from psycopg_pool import ConnectionPool

from trading.storage.connection import Connection, Logins

T = TypeVar("T")

CHECKOUT_S = 0.2
ASK_AGAIN_S = 2.0
SETTLE_S = 30.0
MAX_LIFETIME_S = 300
PAUSE_S = 0.002
READS = Counter("trading_reads_total", "Lists and reports, by who has answered", ["target"])
FALLBACKS = Counter("trading_read_fallbacks_total", "Reads that no standby has answered", ["reason"])


class Position(NamedTuple):
    """How far the primary was: a place in its log, and which of its successive logs that is."""

    lsn: str
    timeline: str


class NoStandby(Exception):
    """No standby can answer; why is its text."""


def position(connection: Connection) -> Position:
    """How far the primary is. What was acknowledged before, to anybody, lies before it."""
    row = connection.execute(
        "SELECT lsn::text, left(pg_walfile_name(lsn), 8) FROM (SELECT pg_current_wal_flush_lsn()) AS at (lsn)"
    ).fetchone()
    return Position(*(row or ()))


class Standbys:
    """Connections to the standbys, whichever they are at the moment.

    Args:
        logins: as for the primary; all members are among its hosts.
        wait_s: how long a standby may take to get as far as the primary was.
        settle_s: after a failover, how long none is asked: one that was ahead of the new primary has to be rewound.
    """

    def __init__(
        self,
        logins: Logins,
        *,
        max_size: int,
        wait_s: float,
        settle_s: float = SETTLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parameters = {**logins.parameters, "target_session_attrs": "standby", "load_balance_hosts": "random"}
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            connection_class=Connection,
            kwargs={"logins": replace(logins, parameters=parameters)},
            min_size=1,
            max_size=max_size,
            max_lifetime=MAX_LIFETIME_S,  # so that load spreads over a member that has come back
            reconnect_timeout=0,
            open=False,
        )
        self._wait_s, self._settle_s, self._clock = wait_s, settle_s, clock
        self._timeline: str | None = None
        self._ask_at = 0.0

    def open(self) -> None:
        """Start to connect; does not wait."""
        self._pool.open()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def drain(self) -> None:
        """Replace every connection."""
        self._pool.drain()

    def are_left_alone(self) -> bool:
        """Whether it is not worth asking at the moment."""
        return self._clock() < self._ask_at

    def run(self, work: Callable[[Connection], T], since: Position) -> T:
        """The result of `work(connection)`, which sees all that the primary had at `since`.

        Raises:
            NoStandby: none is there, or not that far, or it has given up; the primary has to answer.
        """
        if since.timeline != self._timeline:
            self._timeline = since.timeline
            if self._settle_s:
                raise self._leave_alone("failover", self._settle_s)
        try:
            with self._pool.connection(timeout=CHECKOUT_S) as connection:
                if not self._has_come(connection, since):
                    raise self._leave_alone("lag", ASK_AGAIN_S)
                found = work(connection)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:  # also a pool without a connection
            raise self._leave_alone("away", ASK_AGAIN_S) from error
        READS.labels("standby").inc()
        return found

    def _has_come(self, connection: Connection, since: Position) -> bool:
        deadline = self._clock() + self._wait_s
        while True:
            row = connection.execute(
                "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() >= %s::pg_lsn", (since.lsn,)
            ).fetchone()
            if row is None or not row[0]:
                connection.close()
                raise psycopg.OperationalError("the server is no standby any more")
            if row[1]:
                return True
            if self._clock() >= deadline:
                return False
            time.sleep(PAUSE_S)

    def _leave_alone(self, reason: str, seconds: float) -> NoStandby:
        self._ask_at = self._clock() + seconds
        FALLBACKS.labels(reason).inc()
        return NoStandby(reason)
