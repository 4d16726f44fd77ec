"""The cache role: keeps warm in Redis what the API reads, after a start and after Redis has lost its data."""

import logging
import time
from threading import Event

from prometheus_client import Counter, Gauge

from trading.cache.client import Cache, CacheUnavailable
from trading.cache.warm import is_warm, refresh_bars, warm
from trading.services.health import OK, Checks, Heartbeat
from trading.storage.bars import last_bars
from trading.storage.connection import Connection
from trading.storage.database import Database
from trading.storage.errors import StorageUnavailable
from trading.storage.market import active_feed, instruments

log = logging.getLogger(__name__)
WARMED = Counter("trading_cache_warmed_total", "Times that Redis was found cold and warmed")
WARM_SECONDS = Gauge("trading_cache_warm_seconds", "How long the last warming took")

PERIOD_S = 2.0
REFRESH_S = 15.0
BARS = 60  # of each symbol


class CacheWarmer:
    """See the module. Any number may run: what they write is the same."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database = database
        self._cache = cache
        self._trouble = "starting"
        self._refresh_at = 0.0
        self.heartbeat = Heartbeat(limit_s=60)

    def ready(self) -> Checks:
        """Whether Redis was found or made warm lately."""
        return {"warm": self._trouble, "loop": self.heartbeat.check()}

    def run(self, stop: Event) -> None:
        """Keep Redis warm until told to stop; trouble with the stores is waited out."""
        while not stop.is_set():
            self.heartbeat.beat()
            try:
                self._database.run(self._look)
                self._trouble = OK
            except (CacheUnavailable, StorageUnavailable) as error:
                if self._trouble != error.code:
                    log.warning("cannot warm", extra={"code": error.code, "error": str(error)})
                self._trouble = error.code
            stop.wait(PERIOD_S)

    def _look(self, connection: Connection) -> None:
        feed = active_feed(connection)
        if feed is None:
            return
        feed_id, kind = feed
        if self._cache.run(lambda redis: is_warm(redis, feed_id), deadline_s=0):
            if time.monotonic() >= self._refresh_at:
                bars = last_bars(connection, feed_id, BARS)
                self._cache.run(lambda redis: refresh_bars(redis, bars), deadline_s=0)
                self._refresh_at = time.monotonic() + REFRESH_S
            return
        begin = time.monotonic()
        listed, bars = instruments(connection), last_bars(connection, feed_id, BARS)
        self._cache.run(lambda redis: warm(redis, feed_id, kind, listed, bars), deadline_s=0)
        WARMED.inc()
        WARM_SECONDS.set(time.monotonic() - begin)
        self._refresh_at = time.monotonic() + REFRESH_S
        log.info("warmed", extra={"feed": feed_id, "instruments": len(listed), "bars": len(bars)})
