"""A client of the API outside the pods: signed requests at a steady pace, reads and orders, and what became of each."""

import itertools
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import httpx

from trading.security.client import Signed

RATE = 50
THREADS = 8
ORDER_EVERY = 10
"""One request in so many places an order; the engine's own limit is 10 orders a second in all accounts."""
READS = ("/v1/positions", "/v1/orders?limit=5", "/v1/quotes")
TIMEOUT_S = 15.0
REFUSED = (401, 403)
NO_ANSWER = 0


@dataclass
class Answers:
    """What came back, by status; 0 for no answer."""

    by_status: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many requests were sent."""
        return sum(self.by_status.values())

    @property
    def refused(self) -> int:
        """Those that were refused for who sent them, which a rotation must never do."""
        return sum(self.by_status[status] for status in REFUSED)

    @property
    def errors(self) -> int:
        """Those that failed otherwise: a store was away for a moment."""
        return sum(count for status, count in self.by_status.items() if status >= 500 or status == NO_ANSWER)


@contextmanager
def requesting(api: str, key: str, symbol: str) -> Iterator[Answers]:
    """Send requests to the API while the body runs; the answers are whole when it has ended.

    Args:
        api: its base URL.
        key: the deployment's own key, as it is before the rotation: callers outside learn of a new one late.
        symbol: what the orders buy and sell by turns.
    """
    answers, stop = Answers(), Event()
    numbers, begin = itertools.count(), time.monotonic()
    own: list[Counter[int]] = [Counter() for _ in range(THREADS)]

    def work(count: Counter[int]) -> None:
        while not stop.is_set():
            number = next(numbers)
            stop.wait(max(0.0, begin + number / RATE - time.monotonic()))
            count[send(client, number, symbol)] += 1

    threads = [Thread(target=work, args=(count,), daemon=True) for count in own]
    with client_of(api, key) as client:
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            stop.set()
            for thread in threads:
                thread.join(TIMEOUT_S)
            answers.by_status = sum(own, Counter())


def client_of(api: str, key: str) -> httpx.Client:
    """A client that signs what it sends, for several threads."""
    return httpx.Client(base_url=api, auth=Signed(key), timeout=TIMEOUT_S)


def send(client: httpx.Client, number: int, symbol: str) -> int:
    """One request; returns the status of its answer."""
    try:
        if number % ORDER_EVERY:
            return client.get(READS[number % len(READS)]).status_code
        side = "SELL" if number // ORDER_EVERY % 2 else "BUY"
        order = {"client_order_id": f"drill-{uuid.uuid4().hex[:12]}", "symbol": symbol, "side": side, "quantity": 1}
        return client.post("/v1/orders", json=order | {"type": "MARKET"}).status_code
    except httpx.HTTPError:
        return NO_ANSWER


def a_symbol(api: str, key: str) -> str:
    """What can be traded now."""
    with client_of(api, key) as client:
        return str(client.get("/v1/quotes").raise_for_status().json()["quotes"][0]["symbol"])
