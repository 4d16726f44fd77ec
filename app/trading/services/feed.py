"""The feed: plays a source into Redis, step by step, and goes on where it was."""

import logging
import time
from collections.abc import Iterator
from threading import Event

from prometheus_client import Counter, Gauge

from trading.cache.client import Cache, CacheUnavailable
from trading.cache.market import MAX_STEPS, last_step, publish, quote
from trading.domain.errors import TradingError
from trading.marketdata.bars import Step
from trading.marketdata.source import Source
from trading.services.health import OK, Checks, Heartbeat
from trading.storage.database import Database
from trading.storage.errors import CommitUnconfirmed, StorageUnavailable
from trading.storage.market import activate_feed, played_step

log = logging.getLogger(__name__)
STEP = Gauge("trading_feed_step", "Number of the last step published", ["source"])
WAITING = Gauge("trading_feed_waiting", "1 while the feed waits for an engine that is far behind")
BARS = Counter("trading_feed_bars_total", "Bars published", ["source"])

LEAD = 240  # steps played at once, as the history that strategies need, before the pace sets in
WAIT_S = 1.0


class Feed:
    """See the module.

    The position is in the stream itself: the next step is the one after its newest. A stream that is gone (Redis lost
    its data) is begun anew a little before what the engine has played, so that nothing is missing and nothing new.

    Args:
        speed: bars of each symbol a second.
    """

    def __init__(self, source: Source, database: Database, cache: Cache, speed: float) -> None:
        self._source = source
        self._database = database
        self._cache = cache
        self._interval_s = 1 / speed
        self._instruments = {i.symbol: i for i in source.instruments}
        self._at_once = LEAD
        self._steps: Iterator[Step] = iter(())
        self._number = 0  # of the step that `_steps` gives next
        self._played = 0  # by the engine, when last asked
        self._waits = False
        self._trouble = "starting"
        self.heartbeat = Heartbeat(limit_s=60)

    def ready(self) -> Checks:
        """Whether the last attempt to publish went through, and the loop goes round."""
        return {"publishing": self._trouble, "loop": self.heartbeat.check()}

    def run(self, stop: Event) -> None:
        """Play until told to stop; trouble with the stores is waited out."""
        due = time.monotonic()
        activated = False
        while not stop.is_set():
            self.heartbeat.beat()
            try:
                if not activated:
                    self._activate()
                    activated = True
                if self._wait_until(due, stop):
                    return
                number = self._next_number()
                if self._must_wait(number):
                    self._trouble = OK
                    stop.wait(WAIT_S)
                    continue
                step = self._step(number)
                if step is None:
                    log.info("the source has ended", extra={"feed": self._source.feed_id})
                    self._trouble = OK
                    self._idle(stop)
                    return
                if self._publish(step) and step.number > self._at_once:
                    due = max(due + self._interval_s, time.monotonic())
                self._trouble = OK
            except (CacheUnavailable, StorageUnavailable, CommitUnconfirmed) as error:
                self._note(error)
                stop.wait(WAIT_S)

    def _activate(self) -> None:
        source = self._source
        self._database.run(lambda c: activate_feed(c, source.feed_id, source.kind, source.instruments))
        log.info("feed activated", extra={"feed": source.feed_id, "symbols": len(self._instruments)})

    def _next_number(self) -> int:
        newest = self._cache.run(lambda redis: last_step(redis, self._source.feed_id), deadline_s=0)
        if newest:
            return newest + 1
        self._played = self._ask_played()
        self._at_once = max(LEAD, self._played)
        return max(1, self._played - LEAD + 1)

    def _must_wait(self, number: int) -> bool:
        """Whether the step would push out of the stream what an engine that starts now must read."""
        if number - self._played > MAX_STEPS - LEAD:
            self._played = self._ask_played()
        waits = number - self._played > MAX_STEPS - LEAD
        if waits and not self._waits:
            log.warning("waiting for the engine", extra={"step": number, "played": self._played})
        self._waits = waits
        WAITING.set(waits)
        return waits

    def _ask_played(self) -> int:
        return self._database.run(lambda c: played_step(c, self._source.feed_id))

    def _step(self, number: int) -> Step | None:
        """A step of the source; None when it has ended."""
        if number != self._number:
            self._steps, self._number = self._source.steps(number), number
        self._number += 1
        return next(self._steps, None)

    def _publish(self, step: Step) -> bool:
        quotes = {bar.symbol: quote(bar, self._instruments[bar.symbol], self._source.kind) for bar in step.bars}
        try:
            added = self._cache.run(lambda r: publish(r, self._source.feed_id, step, quotes), deadline_s=0)
        except CacheUnavailable:
            self._number = 0  # whether it is in the stream is not known: ask again
            raise
        if added:
            STEP.labels(self._source.kind).set(step.number)
            BARS.labels(self._source.kind).inc(len(step.bars))
        return added

    def _wait_until(self, due: float, stop: Event) -> bool:
        """Sleep in slices; whether to stop."""
        while (left := due - time.monotonic()) > 0:
            self.heartbeat.beat()
            if stop.wait(min(left, WAIT_S)):
                return True
        return stop.is_set()

    def _idle(self, stop: Event) -> None:
        while not stop.wait(WAIT_S):
            self.heartbeat.beat()

    def _note(self, error: TradingError) -> None:
        if self._trouble != error.code:
            log.warning("feed waits", extra={"code": error.code, "error": str(error)})
        self._trouble = error.code
