"""What leads a role: one process leads, the others stand by; all that it knows it can read back from PostgreSQL."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

import psycopg
from prometheus_client import Gauge

from trading.domain.errors import TradingError, Unfit
from trading.services.health import OK, Checks, Heartbeat
from trading.storage.connection import Connection, Logins
from trading.storage.leadership import Token, acquire, require_token
from trading.storage.schema import is_current

log = logging.getLogger(__name__)
LEADER = Gauge("trading_leader", "1 while this process leads its role, 0 while it stands by", ["role"])
STANDBY_S = 1.0
SLICE_S = 0.2
FRESH_S = 15.0


@dataclass(frozen=True, slots=True)
class Reign:
    """What a leader works with until its session, its token or its time is over.

    Attributes:
        done: whether to stop.
        report: to be told what the state is, `ok` or what is waited for, each time that the loop goes round.
    """

    connection: Connection
    token: Token
    done: Callable[[], bool]
    report: Callable[[str], None]

    def alive(self) -> None:
        """Say that all is well."""
        self.report(OK)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that only the present leader can commit; raises as `Connection.writing`, and LeadershipLost."""
        with self.connection.writing():
            require_token(self.connection, self.token)
            yield

    def pause(self, seconds: float) -> None:
        """Sleep in slices, to stop in time."""
        end = time.monotonic() + seconds
        while not self.done() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, SLICE_S))


Lead = Callable[[Reign], None]
Admit = Callable[[Connection], None]


class Leader:
    """See the module.

    One database session holds the lock and does all the writing: when it is gone, so are both. Whatever goes wrong,
    what was in memory is dropped and the work begins again from the database.

    Args:
        lead: the work; returns when the reign is done.
        holder: who this is, for people (the pod's name).
        admit: asked once a session, before it stands by or leads; raises `Unfit` where it must not.
    """

    def __init__(self, role: str, logins: Logins, lead: Lead, *, holder: str, admit: Admit = lambda _: None) -> None:
        self._role = role
        self._logins = logins
        self._lead = lead
        self._holder = holder
        self._admit = admit
        self._renew = Event()
        self._database = Heartbeat(limit_s=FRESH_S)
        self._state = "starting"
        self.heartbeat = Heartbeat(limit_s=60)

    def ready(self) -> Checks:
        """Whether it leads or stands by, with a database that answered lately."""
        return {"state": self._state, "database": self._database.check(), "loop": self.heartbeat.check()}

    def renew(self) -> None:
        """Log in anew at the next quiet moment: the mounted password has changed."""
        self._renew.set()

    def run(self, stop: Event) -> None:
        """Lead or stand by until told to stop.

        Raises:
            Unfit: it must not; nothing was done.
        """
        LEADER.labels(self._role).set(0)
        while not stop.is_set():
            self.heartbeat.beat()
            self._renew.clear()
            try:
                with Connection.connect(logins=self._logins) as connection:
                    self._serve(connection, lambda: stop.is_set() or self._renew.is_set())
            except Unfit:
                raise
            except (psycopg.Error, TradingError) as error:
                self._state = f"{type(error).__name__}; see the log"
                log.warning("begins again", extra={"error": type(error).__name__, "detail": str(error)[:300]})
                stop.wait(STANDBY_S)
            finally:
                LEADER.labels(self._role).set(0)

    def _serve(self, connection: Connection, done: Callable[[], bool]) -> None:
        """Wait for leadership, then lead, over one connection."""
        is_admitted = False
        while not done():
            self.heartbeat.beat()
            if not is_current(connection):
                self._state = "the schema is older than this version; run trading migrate"
                time.sleep(STANDBY_S)
                continue
            if not is_admitted:
                self._admit(connection)
                is_admitted = True
            token = acquire(connection, self._role, self._holder)
            if token is None:
                self._report(OK)
                time.sleep(STANDBY_S)
                continue
            log.info("leading", extra={"token": token.number, "holder": self._holder})
            LEADER.labels(self._role).set(1)
            self._lead(Reign(connection, token, done, self._report))
            return

    def _report(self, state: str) -> None:
        """It works or stands by, and the database has just answered."""
        self._state = state
        self.heartbeat.beat()
        self._database.beat()
