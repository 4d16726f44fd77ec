"""The marketdata role: plays a source into Redis, step by step, from where it was, and keeps the bars in PostgreSQL."""

import logging
import time
from collections.abc import Iterator, Sequence
from itertools import islice

from prometheus_client import Counter, Gauge

from trading.cache.client import Cache, CacheUnavailable
from trading.cache.market import MAX_STEPS, last_step, publish, quote
from trading.marketdata.bars import Step
from trading.marketdata.source import Source, interval_of, left_out
from trading.services.health import OK
from trading.services.leader import Reign
from trading.storage.bars import save_bars, saved_step
from trading.storage.market import activate_feed, played_step
from trading.storage.strategies import StrategyRow, strategies
from trading.strategies.registry import DEFAULTS, Instance, window_of

log = logging.getLogger(__name__)
STEP = Gauge("trading_feed_step", "Number of the last step published", ["source"])
WAITING = Gauge("trading_feed_waiting", "1 while the feed waits for an execution that is far behind")
BARS = Counter("trading_feed_bars_total", "Bars published", ["source"])
KEPT = Gauge("trading_feed_kept_step", "Number of the last step whose bars are in PostgreSQL", ["source"])
QUARANTINED = Gauge(
    "trading_feed_quarantined_rows", "Rows of the source that were left out, by what is wrong", ["rule"]
)

HISTORY = 1000  # steps before the one played last that stay in the stream: what an engine reads to whom no bar is kept
WAIT_S = 1.0
KEEP_S, KEEP_STEPS = 10.0, 60  # bars are kept so often, at most so many steps in a transaction


class MarketData:
    """See the module.

    The position is in the stream itself: the next step is the one after its newest. A stream that is gone (Redis lost
    its data) is begun anew a little before what has been played, so that nothing is missing and nothing new.

    Args:
        speed: bars of each symbol a second.
    """

    def __init__(self, source: Source, cache: Cache, speed: float) -> None:
        self._source = source
        self._cache = cache
        self._interval_s = 1 / speed
        self._instruments = {i.symbol: i for i in source.instruments}
        self._needed = 0  # steps that are played at once, before the pace sets in
        self._at_once = 0
        self._steps: Iterator[Step] = iter(())
        self._begins = True  # whether the stream begins with the next step
        self._number = 0  # of the step that `_steps` gives next
        self._played = 0  # by execution, when last asked
        self._waits = False
        self._trouble = OK
        for rule, rows in left_out(source).items():
            QUARANTINED.labels(rule).set(rows)
            log.warning("rows of the source are left out", extra={"rule": rule, "rows": rows})

    def lead(self, reign: Reign) -> None:
        """Play until done; an absent Redis is waited out."""
        source = self._source
        activate_feed(reign.connection, source.feed_id, source.kind, source.instruments)
        self._needed = self._at_once = needed(strategies(reign.connection) or DEFAULTS)
        facts = {"feed": source.feed_id, "symbols": len(self._instruments), "at_once": self._needed}
        log.info("feed activated", extra=facts)
        keeper = _Keeper(source, saved_step(reign.connection, source.feed_id))
        due = time.monotonic()
        while not reign.done():
            try:
                self._wait_until(reign, due)
                number = self._next_number(reign)
                keeper.keep(reign, number - 1)
                if self._must_wait(reign, number):
                    self._report(reign, OK)
                    reign.pause(WAIT_S)
                    continue
                step = self._step(number)
                if step is None:
                    break
                if self._publish(step) and step.number > self._at_once:
                    due = max(due + self._interval_s, time.monotonic())
                self._report(reign, OK)
            except CacheUnavailable as error:
                self._report(reign, error.code)
                reign.pause(WAIT_S)
        self._number = 0
        if not reign.done():
            log.info("the source has ended", extra={"feed": source.feed_id})
            self._idle(reign, keeper, number - 1)

    def _next_number(self, reign: Reign) -> int:
        newest = self._cache.run(lambda redis: last_step(redis, self._source.feed_id), deadline_s=0)
        self._begins = not newest
        if newest:
            return newest + 1
        self._played = self._ask_played(reign)
        self._at_once = max(self._needed, self._played)
        return max(1, self._played - HISTORY + 1)

    def _must_wait(self, reign: Reign, number: int) -> bool:
        """Whether the step would push out of the stream what an engine that starts now must read."""
        if number - self._played > MAX_STEPS - HISTORY:
            self._played = self._ask_played(reign)
        waits = number - self._played > MAX_STEPS - HISTORY
        if waits and not self._waits:
            log.warning("waiting for execution", extra={"step": number, "played": self._played})
        self._waits = waits
        WAITING.set(waits)
        return waits

    def _ask_played(self, reign: Reign) -> int:
        return played_step(reign.connection, self._source.feed_id)

    def _step(self, number: int) -> Step | None:
        """A step of the source; None when it has ended."""
        if number != self._number:
            self._steps, self._number = self._source.steps(number), number
        self._number += 1
        return next(self._steps, None)

    def _publish(self, step: Step) -> bool:
        quotes = {bar.symbol: quote(bar, self._instruments[bar.symbol], self._source.kind) for bar in step.bars}
        try:
            added = self._cache.run(
                lambda r: publish(r, self._source.feed_id, step, quotes, begins=self._begins), deadline_s=0
            )
        except CacheUnavailable:
            self._number = 0  # whether it is in the stream is not known: ask again
            raise
        if added:
            STEP.labels(self._source.kind).set(step.number)
            BARS.labels(self._source.kind).inc(len(step.bars))
        return added

    def _wait_until(self, reign: Reign, due: float) -> None:
        while not reign.done() and (left := due - time.monotonic()) > 0:
            reign.pause(min(left, WAIT_S))
            reign.report(self._trouble)

    def _idle(self, reign: Reign, keeper: "_Keeper", last: int) -> None:
        while not reign.done():
            keeper.keep(reign, last)
            reign.alive()
            reign.pause(WAIT_S)

    def _report(self, reign: Reign, trouble: str) -> None:
        if trouble not in (OK, self._trouble):
            log.warning("feed waits", extra={"code": trouble})
        self._trouble = trouble
        reign.report(trouble)


def needed(known: Sequence[Instance | StrategyRow]) -> int:
    """Steps after which every strategy on record can trade, so that one that is enabled later need not wait."""
    return max(window_of(one.kind, one.name, one.parameters) or 0 for one in known)


class _Keeper:
    """Puts what has been published into the table of bars now and then, from the source itself: nothing is buffered."""

    def __init__(self, source: Source, saved: int) -> None:
        self._source = source
        self._saved = saved
        self._interval = interval_of(source)
        self._steps = source.steps(saved + 1)
        self._due = time.monotonic() + KEEP_S

    def keep(self, reign: Reign, published: int) -> None:
        """Keep the bars up to a step, when it is time."""
        wanted = min(published - self._saved, KEEP_STEPS)
        if wanted <= 0 or (wanted < KEEP_STEPS and time.monotonic() < self._due):
            return
        steps = list(islice(self._steps, wanted))
        with reign.writing():
            save_bars(reign.connection, self._source.feed_id, self._interval, steps)
        self._saved = steps[-1].number
        self._due = time.monotonic() + KEEP_S
        KEPT.labels(self._source.kind).set(self._saved)
