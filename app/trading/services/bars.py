"""Reads the stream in a thread of its own, so that a slow or absent Redis never holds up an order."""

import logging
from queue import Empty, Full, Queue
from threading import Event, Thread

from prometheus_client import Counter

from trading.cache.client import Cache, CacheUnavailable, Redis
from trading.cache.market import News, read_news
from trading.marketdata.bars import Step

log = logging.getLogger(__name__)
MISSED = Counter("trading_missed_steps_total", "Steps that were gone from the stream before they were read")
BATCH = 50
BLOCK_MS = 500
WAIT_S = 1.0
GATHER_S = 0.02  # the first order is heard of at once, those of the time after it together
BEGINNING = "0-0"


class BarReader:
    """Steps of a feed, in order, from after a number on.

    Args:
        hears_orders: whether `get` returns early when somebody says that orders wait.
    """

    def __init__(self, cache: Cache, feed_id: str, after: int, *, hears_orders: bool = False) -> None:
        self._cache = cache
        self._feed_id = feed_id
        self._after = after
        self._given = after
        self._waiting = BEGINNING if hears_orders else None
        self._queue: Queue[Step | None] = Queue(maxsize=2 * BATCH)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="bars", daemon=True)

    def __enter__(self) -> "BarReader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def get(self, timeout_s: float) -> Step | None:
        """The next step, or None when none comes in time, or when orders wait."""
        try:
            step = self._queue.get(timeout=timeout_s)
        except Empty:
            return None
        if step is None:
            return None
        if step.number > self._given + 1:  # signals may differ from then on
            MISSED.inc(step.number - self._given - 1)
            log.warning("steps are gone from the stream", extra={"after": self._given, "next": step.number})
        self._given = step.number
        return step

    def _run(self) -> None:
        away = False
        while not self._stop.is_set():
            try:
                news = self._cache.run(self._read, deadline_s=0)
            except CacheUnavailable:
                if not away:
                    log.warning("no bars: Redis is away; orders go on")
                away = True
                self._stop.wait(WAIT_S)
                continue
            away = False
            for step in news.steps:
                self._hand_over(step)
                self._after = step.number
            if news.waiting != self._waiting:
                self._waiting = news.waiting
                if self._queue.empty():  # else `get` returns anyway
                    self._hand_over(None)
                self._stop.wait(GATHER_S)

    def _read(self, redis: Redis) -> News:
        return read_news(redis, self._feed_id, self._after, self._waiting, count=BATCH, wait_ms=BLOCK_MS)

    def _hand_over(self, step: Step | None) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(step, timeout=WAIT_S)
            except Full:
                continue
            return
