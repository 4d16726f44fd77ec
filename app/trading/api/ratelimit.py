"""How many requests a caller may send: counted in Redis over all processes, in a window that slides.

Two counters of fixed windows are weighted by how much of the earlier one still lies within the last minute. A refused
request does not count, so that who sends too much gets the allowed rate and not nothing.

Without Redis each process counts by itself and lets as many through: the limit protects the platform from a client
that runs away, which is worth less than an order that waits for Redis. What protects the market is the order rate of
the risk check, counted in PostgreSQL. For the same reason a cancel is never refused, nor a change of the kill switch.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from threading import Lock
from typing import NamedTuple

from flask import Response, current_app, g, request
from prometheus_client import Counter

from trading.api.access import principal
from trading.api.problems import refuse
from trading.cache.client import Cache, CacheUnavailable, Redis

NAME = "trading.ratelimit"
WINDOW_S = 60
ASK_AGAIN_S = 5.0  # how long Redis is left alone after it has failed
POLICY = "requests"
FREE = frozenset({"v1.orders.cancel_order", "v1.orders.cancel_orders", "v1.risk.set_state"})
REFUSED = Counter("trading_http_rate_limited_total", "Requests refused because their caller had sent too many")


class Verdict(NamedTuple):
    """Whether a request may go on, how many may follow, and seconds until it is worth to come back."""

    is_allowed: bool
    remaining: int
    reset_s: int


class RateLimiter:
    """Counts requests by caller.

    Args:
        limit: requests of one caller within a minute.
        clock: seconds; differs from the other processes' only as much as wall clocks do.
    """

    def __init__(self, cache: Cache, limit: int, clock: Callable[[], float] = time.time) -> None:
        self.limit = limit
        self._cache = cache
        self._clock = clock
        self._lock = Lock()
        self._local: dict[tuple[str, int], int] = {}
        self._ask_at = 0.0

    def take(self, who: str) -> Verdict:
        """Count a request of a caller, unless it is refused."""
        now = self._clock()
        window = int(now // WINDOW_S)
        left = 1 - now % WINDOW_S / WINDOW_S  # of the window before, as far as it is within the last minute
        if now >= self._ask_at:
            try:
                return self._cache.run(lambda redis: self._count(redis, who, window, left), deadline_s=0)
            except CacheUnavailable:
                self._ask_at = now + ASK_AGAIN_S
        with self._lock:
            self._local = {key: count for key, count in self._local.items() if key[1] >= window - 1}
            before, present = self._local.get((who, window - 1), 0), self._local.get((who, window), 0) + 1
            verdict = self._verdict(before, present, left)
            if verdict.is_allowed:
                self._local[who, window] = present
            return verdict

    def _count(self, redis: Redis, who: str, window: int, left: float) -> Verdict:
        before, present = (f"trading:rate:{who}:{number}" for number in (window - 1, window))
        with redis.pipeline(transaction=False) as pipe:
            pipe.get(before)
            pipe.incr(present)
            pipe.expire(present, 2 * WINDOW_S)
            earlier, count, _ = pipe.execute()
        verdict = self._verdict(int(earlier or 0), int(count), left)
        if not verdict.is_allowed:
            redis.decr(present)
        return verdict

    def _verdict(self, before: int, present: int, left: float) -> Verdict:
        used = before * left + present
        return Verdict(used <= self.limit, max(0, int(self.limit - used)), max(1, round(WINDOW_S * left)))


def limit() -> None:
    """Count the present request, or end it with 429; after its caller is known."""
    if request.endpoint in FREE:
        return
    limiter: RateLimiter = current_app.extensions[NAME]
    g.rate = limiter.take(principal().name)
    if not g.rate.is_allowed:
        REFUSED.inc()
        refuse(HTTPStatus.TOO_MANY_REQUESTS, "RATE_LIMITED", f"at most {limiter.limit} requests within a minute")


def tell(response: Response) -> Response:
    """Say in the headers of a response what is left."""
    verdict: Verdict | None = g.get("rate")
    if verdict:
        limiter: RateLimiter = current_app.extensions[NAME]
        response.headers["RateLimit-Policy"] = f'"{POLICY}";q={limiter.limit};w={WINDOW_S}'
        response.headers["RateLimit"] = f'"{POLICY}";r={verdict.remaining};t={verdict.reset_s}'
        if not verdict.is_allowed:
            response.headers["Retry-After"] = str(verdict.reset_s)
    return response
