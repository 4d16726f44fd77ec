"""One connection to the writable PostgreSQL: how it finds the primary, logs in, notices trouble, and commits."""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Timer
from typing import Any, Self

import psycopg
from psycopg import pq

from trading.security.credentials import MountedCredential
from trading.settings import Settings
from trading.storage.errors import CommitUnconfirmed

CONNECT_TIMEOUT_S = 2
COMMIT_TIMEOUT_S = 10

# A dead peer is noticed in about 10 s on both ends: ours, so that a request fails over; the server's, so that the lock
# of a vanished engine comes free. No statement timeout: it would cut the wait for replication short and let a commit
# look done that is not safe yet.
CLIENT_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2}
SERVER_OPTIONS = (
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=2 -c tcp_user_timeout=10000 "
    "-c idle_in_transaction_session_timeout=15000 -c lock_timeout=10000 -c timezone=UTC"
)
READ_ONLY = "session is read-only"
REFUSED = re.compile("authentication failed|not permitted to log in|does not exist")


@dataclass(frozen=True, slots=True)
class Logins:
    """Where to connect and as whom; knows nothing secret itself."""

    parameters: Mapping[str, str | int]
    user: str
    credential: MountedCredential


def logins(settings: Settings, credential: MountedCredential, application: str) -> Logins:
    """How `application` (shown in pg_stat_activity) reaches the database.

    TLS is required but the certificate is not verified: the platform's members sign their own at each start.
    """
    hosts, ports = zip(*settings.postgres_hosts, strict=True)
    parameters: dict[str, str | int] = {
        "host": ",".join(hosts),
        "port": ",".join(map(str, ports)),
        "dbname": settings.postgres_database,
        "target_session_attrs": "read-write",
        "tcp_user_timeout": 5000,
        "sslmode": "require",
        "application_name": application,
        "options": SERVER_OPTIONS,
        **CLIENT_KEEPALIVES,
    }
    return Logins(parameters, settings.postgres_user, credential)


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that logs in with the current slot, or with the other when the current one is refused."""

    replication_given_up = False

    @classmethod
    def connect(  # type: ignore[override]  # the pool's options go through as they are
        cls,
        conninfo: str = "",
        *,
        logins: Logins | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Self:
        """Connect to the writable member.

        Raises:
            psycopg.OperationalError: no member is writable, or both slots are refused.
            CredentialError: no credential is mounted.
        """
        if logins is None:
            return super().connect(conninfo, **kwargs)
        kwargs |= {**logins.parameters, "connect_timeout": CONNECT_TIMEOUT_S, "autocommit": True}
        (slot, password), (other, previous) = logins.credential.get().in_order()
        try:
            connection = super().connect(user=f"{logins.user}_{slot}", password=password, **kwargs)
        except psycopg.OperationalError as error:
            if not _refused(error):
                raise
            connection = super().connect(user=f"{logins.user}_{other}", password=previous, **kwargs)
        connection.add_notice_handler(connection._notice)
        return connection

    def _notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        # Sent when the wait for the synchronous standby was cancelled: committed here, safe nowhere else.
        if diagnostic.source_function == "SyncRepWaitForLSN":
            self.replication_given_up = True

    def require_writable(self) -> None:
        """Raise OperationalError unless the server behind is a primary: after a failover it may not be any more."""
        row = self.execute("SELECT pg_is_in_recovery()").fetchone()
        if row is None or row[0]:
            self.close()
            raise psycopg.OperationalError("the server has become a standby")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction whose end is certain: it commits when the body ends, or raises.

        Raises:
            CommitUnconfirmed: it may or may not have been committed; read back before anything else.
        """
        self.replication_given_up = False
        with _limit(self, COMMIT_TIMEOUT_S):
            try:
                with self.transaction():
                    yield
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                # No SQLSTATE: the connection broke. Class 57P: the server went away, with or without the commit.
                if self.closed or error.sqlstate is None or error.sqlstate.startswith("57P"):
                    raise CommitUnconfirmed("the connection to PostgreSQL broke within a transaction") from error
                raise
        if self.replication_given_up:
            self.close()
            raise CommitUnconfirmed("PostgreSQL gave up waiting for the synchronous standby")


def _refused(error: psycopg.OperationalError) -> bool:
    """Whether the login was refused, rather than no server reached or none of them writable.

    The server's text depends on its language; that a member is read-only is libpq's own text. A member that says so has
    let us in, so the other slot would be of no more use, and may not be known there yet.
    """
    text = str(error)
    let_in = bool(error.pgconn and error.pgconn.used_password)
    return bool(REFUSED.search(text)) or (let_in and READ_ONLY not in text)


@contextmanager
def _limit(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut the connection if the body takes longer: a commit without its standby would wait for ever."""
    lock, done = Lock(), False

    def cut() -> None:
        with lock:
            if not done and connection.pgconn.status == pq.ConnStatus.OK:
                with socket.socket(fileno=connection.pgconn.socket) as twin:
                    twin.shutdown(socket.SHUT_RDWR)
                    twin.detach()

    timer = Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            done = True
