"""Market data in Redis: a bounded stream of steps for the engine, and the last quotes for everybody.

Beside the steps there is a stream of one entry that says that orders wait, so that whoever reads steps hears of both at
once. It is worth nothing but time: the orders themselves are in PostgreSQL.
"""

import json
from collections.abc import Mapping
from decimal import ROUND_UP
from typing import NamedTuple

from redis.exceptions import ResponseError, WatchError

from trading.cache.client import Redis
from trading.domain.instruments import Instrument
from trading.domain.prices import BASIS_POINT, to_tick
from trading.marketdata.bars import Bar, Step
from trading.marketdata.codec import decode, encode

QUOTES = "trading:quotes"
WAITING = "trading:orders-waiting"
MAX_STEPS = 2000  # about 8 MB with 50 symbols
KEEP_S = 7 * 86_400  # a stream that nobody plays any more goes away
HALF_SPREAD = 2 * BASIS_POINT


def bars_key(feed_id: str) -> str:
    """The stream of a feed; the entry ids are `<step number>-0`, so a step cannot be there twice."""
    return f"trading:bars:{feed_id}"


def last_step(redis: Redis, feed_id: str) -> int:
    """The newest step in the stream, 0 when there is none."""
    entries = redis.xrevrange(bars_key(feed_id), count=1)
    return int(entries[0][0].split("-")[0]) if entries else 0


def publish(redis: Redis, feed_id: str, step: Step, quotes: Mapping[str, str], *, begins: bool) -> bool:
    """Add a step and its quotes at once; False, with nothing added, when the stream is not where the step belongs.

    Args:
        begins: whether the stream begins with this step. Otherwise it must be there: one that was lost since it was
            asked for its newest step would begin with a hole.
    """
    key = bars_key(feed_id)
    with redis.pipeline(transaction=True) as pipe:
        pipe.watch(key)
        if bool(pipe.exists(key)) is begins:
            return False
        pipe.multi()
        pipe.xadd(key, encode(step), id=f"{step.number}-0", maxlen=MAX_STEPS, approximate=True)
        pipe.expire(key, KEEP_S)
        pipe.hset(QUOTES, mapping=quotes)
        try:
            pipe.execute()
        except WatchError:
            return False
        except ResponseError as error:
            if "equal or smaller" in str(error):
                return False
            raise
    return True


def say_orders_wait(redis: Redis) -> None:
    """Wake whoever reads steps and asks for `WAITING` too."""
    redis.xadd(WAITING, {"": ""}, maxlen=1, approximate=False)


class News(NamedTuple):
    """What has come since the last look: steps, oldest first, and the newest place in the stream of `WAITING`."""

    steps: list[Step]
    waiting: str | None


def read_news(redis: Redis, feed_id: str, after: int, waiting: str | None, *, count: int, wait_ms: int) -> News:
    """The next steps after number `after`, at most `count`; waits for the first news, empty if none comes.

    Args:
        waiting: place in the stream of `WAITING` from which on to listen for orders; None for steps only.
    """
    steps = bars_key(feed_id)
    streams = {steps: f"{after}-0"} | ({} if waiting is None else {WAITING: waiting})
    found = dict(redis.xread(streams, count=count, block=wait_ms))
    told = found.get(WAITING)
    return News(
        [decode(int(entry_id.split("-")[0]), fields) for entry_id, fields in found.get(steps, ())],
        told[-1][0] if told else waiting,
    )


def quote(bar: Bar, instrument: Instrument, source: str) -> str:
    """The last quote that a bar leaves, as the JSON text that is kept: prices are text, `source` says where from."""
    half = max(instrument.tick_size, to_tick(bar.close * HALF_SPREAD, instrument.tick_size, ROUND_UP))
    return json.dumps(
        {
            "symbol": bar.symbol,
            "exchange": instrument.exchange,
            "last": format(bar.close, "f"),
            "bid": format(max(bar.close - half, instrument.tick_size), "f"),
            "ask": format(bar.close + half, "f"),
            "volume": bar.volume,
            "at": bar.at.isoformat(),
            "source": source,
        },
        separators=(",", ":"),
    )


def read_quotes(redis: Redis) -> dict[str, str]:
    """All last quotes as JSON texts by symbol; empty when the feed has not written any."""
    return redis.hgetall(QUOTES)
