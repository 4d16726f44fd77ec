"""What the API reads often and PostgreSQL has as well: put back into Redis after a start and after a loss of its data.

Quotes that the marketdata role has written meanwhile are newer, and stay.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby

from trading.cache.client import Redis
from trading.cache.market import QUOTES, quote
from trading.domain.instruments import Instrument
from trading.marketdata.bars import Bar

MARK = "trading:warm"  # gone with everything else when Redis loses its data
INSTRUMENTS = "trading:instruments"
LAST_BARS = "trading:lastbars"


def is_warm(redis: Redis, feed_id: str) -> bool:
    """Whether what was put there for a feed is still there."""
    return redis.get(MARK) == feed_id


def warm(redis: Redis, feed_id: str, source: str, instruments: Mapping[str, Instrument], bars: Sequence[Bar]) -> None:
    """Put quotes, instruments and last bars there, all at once.

    Args:
        source: kind of the feed, as quotes show it.
        bars: by symbol, oldest first.
    """
    by_symbol = {symbol: list(group) for symbol, group in groupby(bars, key=lambda bar: bar.symbol)}
    with redis.pipeline(transaction=True) as pipe:
        for symbol, group in by_symbol.items():
            pipe.hsetnx(QUOTES, symbol, quote(group[-1], instruments[symbol], source))
        pipe.delete(INSTRUMENTS)
        pipe.delete(LAST_BARS)
        if instruments:
            pipe.hset(INSTRUMENTS, mapping={symbol: _listed(one) for symbol, one in instruments.items()})
        if by_symbol:
            pipe.hset(LAST_BARS, mapping={symbol: _rows(group) for symbol, group in by_symbol.items()})
        pipe.set(MARK, feed_id)
        pipe.execute()


def refresh_bars(redis: Redis, bars: Sequence[Bar]) -> None:
    """Put newer last bars there."""
    rows = {symbol: _rows(list(group)) for symbol, group in groupby(bars, key=lambda bar: bar.symbol)}
    if rows:
        with redis.pipeline(transaction=True) as pipe:
            pipe.hset(LAST_BARS, mapping=rows)
            pipe.execute()


def read_instruments(redis: Redis) -> Mapping[str, str]:
    """Instruments as JSON texts by symbol; empty while Redis is cold."""
    return redis.hgetall(INSTRUMENTS)


def read_last_bars(redis: Redis, symbol: str) -> str | None:
    """The last bars of a symbol as JSON text, rows of at, open, high, low, close, volume; None while Redis is cold."""
    return redis.hget(LAST_BARS, symbol)


def _listed(one: Instrument) -> str:
    return json.dumps(
        {
            "symbol": one.symbol,
            "exchange": one.exchange,
            "tick_size": format(one.tick_size, "f"),
            "lot_size": one.lot_size,
            "isin": one.isin,
            "series": one.series,
            "freeze_quantity": one.freeze_quantity,
        },
        separators=(",", ":"),
    )


def _rows(bars: Sequence[Bar]) -> str:
    rows = [
        [bar.at.isoformat(), *(format(p, "f") for p in (bar.open, bar.high, bar.low, bar.close)), bar.volume]
        for bar in bars
    ]
    return json.dumps(rows, separators=(",", ":"))
