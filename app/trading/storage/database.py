"""A small pool of connections, and the one way to run work on it across failovers and rotations."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from trading.storage.connection import Connection, Logins
from trading.storage.errors import CommitUnconfirmed, StorageUnavailable
from trading.storage.standbys import READS, NoStandby, Standbys, position

T = TypeVar("T")
log = logging.getLogger(__name__)

DEADLINE_S = 8.0
CHECKOUT_S = 0.5
PAUSE_S = 0.1
MAX_LIFETIME_S = 1800

TRANSIENT = (
    psycopg.OperationalError,  # also deadlocks, lock timeouts and a server that shuts down
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    CommitUnconfirmed,
)


class Database:
    """Connections to the writable PostgreSQL.

    Args:
        max_size: connections at most; one is kept open.
        standbys: who may answer what is asked by `look`; opened and closed with it.
    """

    def __init__(self, logins: Logins, *, max_size: int, standbys: Standbys | None = None) -> None:
        self._standbys = standbys
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            connection_class=Connection,
            kwargs={"logins": logins},
            min_size=1,
            max_size=max_size,
            max_lifetime=MAX_LIFETIME_S,
            # No retries in the background: their growing pauses would outlast a failover. `run` asks again instead.
            reconnect_timeout=0,
            open=False,
        )

    def open(self) -> None:
        """Start to connect; does not wait."""
        self._pool.open()
        if self._standbys:
            self._standbys.open()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        if self._standbys:
            self._standbys.close()

    def drain(self) -> None:
        """Replace every connection: idle ones now, busy ones when they come back. Nobody's query fails."""
        self._pool.drain()
        if self._standbys:
            self._standbys.drain()

    def run(self, work: Callable[[Connection], T], *, deadline_s: float = DEADLINE_S) -> T:
        """The result of `work(connection)`, tried again while the database is away.

        `work` must be safe to repeat: what it writes must be found by its own unique key.

        Raises:
            StorageUnavailable: there was no connection before the deadline; nothing was written.
            CommitUnconfirmed: the last try that may have written has no known outcome.
        """
        deadline = time.monotonic() + deadline_s
        doubt: Exception | None = None
        while True:
            try:
                with self._pool.connection(timeout=CHECKOUT_S) as connection:
                    connection.require_writable()
                    try:
                        return work(connection)
                    except CommitUnconfirmed as error:
                        doubt = error
                        raise
            except PoolTimeout as error:
                cause: Exception = error
            except TRANSIENT as error:
                cause = error
                log.warning("database trouble, trying again", extra={"error": type(error).__name__})
                with suppress(psycopg.Error):
                    self._pool.check()
            if time.monotonic() + PAUSE_S >= deadline:
                break
            time.sleep(PAUSE_S)
        if doubt:
            raise CommitUnconfirmed("the database went away during a write; repeat it with the same id") from cause
        raise StorageUnavailable("PostgreSQL has no writable member at the moment; try again") from cause

    def look(self, work: Callable[[Connection], T]) -> T:
        """As `run`, for lists and reports: on a standby when one has all that the primary has at this moment.

        `work` must only read, and not lock.
        """
        if self._standbys:
            if not self._standbys.are_left_alone():
                with suppress(NoStandby):
                    return self._standbys.run(work, self.run(position))
            READS.labels("primary").inc()
        return self.run(work)

    def read(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of one query; raises as `run`."""
        return self.run(lambda connection: connection.execute(sql, parameters).fetchall())
