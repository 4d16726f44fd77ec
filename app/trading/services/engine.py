"""The engine: one leads and trades, the others stand by; everything it knows it can read back from PostgreSQL."""

import logging
import time
from collections.abc import Callable
from threading import Event

import psycopg
from prometheus_client import Gauge

from trading.cache.client import Cache
from trading.domain.errors import TradingError
from trading.services.health import OK, Checks, Heartbeat
from trading.services.session import Session
from trading.storage.connection import Connection, Logins
from trading.storage.leadership import acquire
from trading.storage.migrate import is_current

log = logging.getLogger(__name__)
LEADER = Gauge("trading_engine_leader", "1 while this engine leads, 0 while it stands by")
STANDBY_S = 1.0
FRESH_S = 15.0


class Engine:
    """See the module.

    One database session holds the lock and does all the writing: when it is gone, so are both. Whatever goes wrong,
    the engine drops what it has in memory and begins again from the database.

    Args:
        holder: who this is, for people (the pod's name).
    """

    def __init__(self, logins: Logins, cache: Cache, *, seed: int, holder: str) -> None:
        self._logins = logins
        self._cache = cache
        self._seed = seed
        self._holder = holder
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
        """Lead or stand by until told to stop."""
        while not stop.is_set():
            self.heartbeat.beat()
            self._renew.clear()
            try:
                with Connection.connect(logins=self._logins) as connection:
                    self._serve(connection, lambda: stop.is_set() or self._renew.is_set())
            except (psycopg.Error, TradingError) as error:
                self._state = f"{type(error).__name__}; see the log"
                log.warning("engine begins again", extra={"error": type(error).__name__, "detail": str(error)[:300]})
                stop.wait(STANDBY_S)
            finally:
                LEADER.set(0)

    def _serve(self, connection: Connection, done: Callable[[], bool]) -> None:
        """Wait for leadership, then lead, over one connection."""
        while not done():
            self.heartbeat.beat()
            if not is_current(connection):
                self._state = "the schema is older than this version; run trading migrate"
                time.sleep(STANDBY_S)
                continue
            token = acquire(connection, self._holder)
            if token is None:
                self._alive()
                time.sleep(STANDBY_S)
                continue
            log.info("leading", extra={"token": token, "holder": self._holder})
            LEADER.set(1)
            Session(connection, token, self._cache, seed=self._seed, alive=self._alive).run(done)
            return

    def _alive(self) -> None:
        """It trades or stands by, and the database has just answered."""
        self._state = OK
        self.heartbeat.beat()
        self._database.beat()
