"""A step as one compact text and back, for the stream."""

import json
from datetime import datetime
from decimal import Decimal

from trading.marketdata.bars import Bar, Step


def encode(step: Step) -> dict[str, str]:
    """The fields of a stream entry; prices stay text, so no float ever touches them."""
    rows = [[b.symbol, *(format(p, "f") for p in (b.open, b.high, b.low, b.close)), b.volume] for b in step.bars]
    return {"at": step.at.isoformat(), "bars": json.dumps(rows, separators=(",", ":"))}


def decode(number: int, fields: dict[str, str]) -> Step:
    """The inverse of `encode`."""
    at = datetime.fromisoformat(fields["at"])
    return Step(number, at, tuple(_bar(at, row) for row in json.loads(fields["bars"])))


def _bar(at: datetime, row: tuple[str, str, str, str, str, int]) -> Bar:
    symbol, open_, high, low, close, volume = row
    return Bar(symbol, at, Decimal(open_), Decimal(high), Decimal(low), Decimal(close), volume)
