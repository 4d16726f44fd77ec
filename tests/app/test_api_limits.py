"""How much a caller may ask for: requests a minute over Redis and without it, and streams of quotes."""

import json
import time
from itertools import count
from threading import Barrier, Thread

import httpx
import pytest

from tests.app.asking import ask
from tests.app.fix_api import KEY, Api
from tests.app.servers import eventually
from tests.app.stage import Stage
from trading.api import ratelimit
from trading.api.ratelimit import RateLimiter
from trading.api.stream import MAX_STREAMS, changes
from trading.cache.client import Cache
from trading.cache.market import QUOTES
from trading.security.credentials import MountedCredential

pytestmark = pytest.mark.cluster
QUOTE = {
    "symbol": "RELIANCE",
    "exchange": "NSE",
    "last": "100",
    "bid": "99.9",
    "ask": "100.1",
    "volume": 1,
    "at": "2026-01-05T09:15:00+05:30",
    "source": "file",
}


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_767_600_000.0  # the begin of a window

    def __call__(self) -> float:
        return self.now


def cache(stage: Stage) -> Cache:
    return Cache(stage.settings, MountedCredential(stage.credentials.folder, "redis-app"))


def allowed(limiter: RateLimiter, times: int, who: str = "asha") -> int:
    return sum(limiter.take(who).is_allowed for _ in range(times))


def test_processes_count_together_and_callers_apart(stage: Stage) -> None:
    clock = Clock()
    one, two = (RateLimiter(cache(stage), 10, clock) for _ in range(2))
    assert allowed(one, 6) + allowed(two, 6) == 10
    assert allowed(one, 3, "ravi") == 3


def test_window_slides(stage: Stage) -> None:
    """Ten at the end of a minute leave no room for ten more at the begin of the next."""
    clock = Clock()
    limiter = RateLimiter(cache(stage), 10, clock)
    assert allowed(limiter, 20) == 10
    clock.now += 60
    assert allowed(limiter, 5) == 0
    clock.now += 30
    assert allowed(limiter, 20) == 5
    clock.now += 120
    assert allowed(limiter, 20) == 10


def test_refused_requests_do_not_count(stage: Stage) -> None:
    clock = Clock()
    limiter = RateLimiter(cache(stage), 10, clock)
    assert allowed(limiter, 500) == 10
    assert [limiter.take("asha")[1:] for _ in range(2)] == [(0, 60)] * 2
    clock.now += 90
    assert allowed(limiter, 10) == 5


def test_without_redis_each_process_counts_by_itself_and_goes_on(stage: Stage) -> None:
    clock = Clock()
    limiter = RateLimiter(cache(stage), 10, clock)
    stage.redis.kill()
    assert allowed(limiter, 20) == 10
    clock.now += 90
    assert allowed(limiter, 20) == 5


def test_caller_who_asks_too_much_is_told_when_to_come_back(api: Api) -> None:
    api.client.application.extensions[ratelimit.NAME] = RateLimiter(cache(api.stage), 3)
    answers = [api.call("GET", "/risk/limits") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert answers[0].headers["RateLimit"].startswith('"requests";r=2;t=')
    body = api.refused(answers[3], 429, "RATE_LIMITED")
    assert body["detail"] == "at most 3 requests within a minute"
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    for method, path, body in (
        ("POST", "/orders/cancel", {}),
        ("PUT", "/risk/state", {"state": "HALTED", "reason": "too many requests"}),
    ):
        assert api.call(method, path, body).status_code < 300, "a way out is never narrow"


def quotes(stage: Stage, **changed: str) -> None:
    text = json.dumps(QUOTE | changed)
    stage.redis.master().hset(QUOTES, mapping={"RELIANCE": text, "INFY": text.replace("RELIANCE", "INFY")})


def test_quotes_in_pages_and_by_symbol(api: Api) -> None:
    quotes(api.stage)
    first = api.get("/quotes?limit=1")
    second = api.get(f"/quotes?limit=1&cursor={first['next_cursor']}")
    assert [quote["symbol"] for quote in first["quotes"] + second["quotes"]] == ["INFY", "RELIANCE"]
    assert second["next_cursor"] is None
    assert [quote["symbol"] for quote in api.get("/quotes?symbols=INFY,TCS")["quotes"]] == ["INFY"]


def test_stream_tells_what_changes_and_nothing_else() -> None:
    seen: dict[str, str] = {}
    assert changes(seen, {"B": "1", "A": "1"}, None) == ["1", "1"]
    assert changes(seen, {"B": "1", "A": "1"}, None) == []
    assert changes(seen, {"B": "2", "A": "1"}, None) == ["2"]
    assert changes({}, {"B": "2", "A": "1"}, frozenset("A")) == ["1"]


def test_stream_of_a_real_process_ends_with_it(stage: Stage) -> None:
    """As many clients as there may be; orders are served meanwhile, and a stop does not wait for them."""
    quotes(stage)
    role = stage.start("api")
    url = f"http://127.0.0.1:{role.port}/v1/quotes/stream?symbols=RELIANCE"
    heard: list[list[str]] = [[] for _ in range(MAX_STREAMS)]
    begun = Barrier(MAX_STREAMS + 1)

    def listen(number: int) -> None:
        with httpx.stream("GET", url, headers=KEY, timeout=20) as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            waited = count()
            for line in answer.iter_lines():
                heard[number].append(line)
                if line.startswith("data:") and next(waited) == 0:
                    begun.wait(timeout=20)

    clients = [Thread(target=listen, args=(number,), daemon=True) for number in range(MAX_STREAMS)]
    for client in clients:
        client.start()
    begun.wait(timeout=20)
    extra = ask("GET", url, KEY)
    assert (extra.status_code, extra.json()["code"]) == (429, "STREAMS_EXHAUSTED")
    assert ask("GET", f"http://127.0.0.1:{role.port}/v1/orders", KEY).status_code == 200
    quotes(stage, last="101")
    eventually(lambda: all(any('"101"' in line for line in lines) for lines in heard), 10, "the change is told")
    begin = time.monotonic()
    assert role.stop() == 0
    assert time.monotonic() - begin < 10
    for client in clients:
        client.join(timeout=10)
    for lines in heard:
        told = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data:")]
        assert [quote["last"] for quote in told] == ["100", "101"]
        assert {quote["symbol"] for quote in told} == {"RELIANCE"}
