"""Quotes as server-sent events.

A stream keeps a thread of the server, so that a process has few of them and each ends by itself after some minutes;
clients of server-sent events connect again. It also ends when the process is told to stop, so that no client holds up
a rollout.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

from flask import Response
from prometheus_client import Gauge

from trading.api.problems import refuse
from trading.domain.errors import TradingError

P = ParamSpec("P")
R = TypeVar("R")
MEDIA_TYPE = "text/event-stream"
MAX_STREAMS = 4
EVERY_S = 0.5
QUIET_S = 15.0
LIFE_S = 300.0
RETRY_MS = 1000
OPEN = Gauge("trading_http_streams", "Streams of quotes that are open")

Quotes = Callable[[], Mapping[str, str]]


class Streams:
    """The streams of one process."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(MAX_STREAMS)
        self._is_over: Callable[[], bool] = lambda: False

    def until(self, is_over: Callable[[], bool]) -> None:
        """End every stream once this is true."""
        self._is_over = is_over

    def open(self, quotes: Quotes, wanted: frozenset[str] | None) -> Response:
        """A stream of what changes in `quotes()`, all of it first.

        Args:
            wanted: symbols; None for all.

        Raises:
            CacheUnavailable: there are no quotes to begin with.
        """
        first = quotes()
        if not self._free.acquire(blocking=False):
            refuse(
                HTTPStatus.TOO_MANY_REQUESTS, "STREAMS_EXHAUSTED", f"{MAX_STREAMS} streams are open; try again later"
            )
        OPEN.inc()
        response = Response(self._events(first, quotes, wanted), mimetype=MEDIA_TYPE)
        response.call_on_close(self._close)
        return response

    def _events(self, first: Mapping[str, str], quotes: Quotes, wanted: frozenset[str] | None) -> Iterator[str]:
        """The text of a stream; it ends with the process, after its time, or when the quotes cannot be read."""
        seen: dict[str, str] = {}
        found, begin, spoken = first, time.monotonic(), time.monotonic()
        yield f"retry: {RETRY_MS}\n\n"
        while True:
            changed = changes(seen, found, wanted)
            if changed or time.monotonic() - spoken >= QUIET_S:
                yield "".join(f"event: quote\ndata: {quote}\n\n" for quote in changed) or ": still here\n\n"
                spoken = time.monotonic()
            time.sleep(EVERY_S)
            if self._is_over() or time.monotonic() - begin >= LIFE_S:
                return
            try:
                found = quotes()
            except TradingError:
                return

    def _close(self) -> None:
        OPEN.dec()
        self._free.release()


def changes(seen: dict[str, str], found: Mapping[str, str], wanted: frozenset[str] | None) -> list[str]:
    """The quotes that differ from those seen, by symbol; they count as seen from now on."""
    fresh = [
        symbol for symbol in sorted(found) if (wanted is None or symbol in wanted) and seen.get(symbol) != found[symbol]
    ]
    seen.update((symbol, found[symbol]) for symbol in fresh)
    return [found[symbol] for symbol in fresh]


def streamed(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a view that answers with a stream, for the document."""
    view.is_stream = True  # type: ignore[attr-defined]
    return view
