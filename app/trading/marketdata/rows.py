"""What makes a row of a user's file a bar: pure, strict, and exact about what is wrong."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from trading.domain.errors import TradingError
from trading.domain.prices import is_on_tick, parse_decimal
from trading.marketdata.bars import IST, Bar

COLUMNS = ("symbol", "timestamp", "open", "high", "low", "close", "volume")
TICK = Decimal("0.01")
SYMBOL = re.compile(r"[A-Z0-9&-]{1,20}")


class MarketDataError(TradingError):
    """A file that cannot be played; says where, what, why, and what to do."""

    code = "MARKET_DATA"


class BadCell(Exception):
    """A cell that breaks a rule; `kind` is the rule in a word, the column where that says it."""

    def __init__(self, column: str, value: object, rule: str, kind: str = "") -> None:
        self.column, self.value, self.rule = column, value, rule
        self.kind = kind or column
        super().__init__(rule)


def parse_row(row: Mapping[str, object]) -> Bar:
    """The bar in a row of text or typed values.

    Times without an offset are IST; a date alone is a daily bar.

    Raises:
        BadCell: the first rule that the row breaks.
    """
    symbol = str(row["symbol"])
    if not SYMBOL.fullmatch(symbol):
        raise BadCell("symbol", symbol, "must be 1 to 20 of A-Z 0-9 & -")
    at = _timestamp(row["timestamp"])
    open_, high, low, close = (_price(name, row[name]) for name in ("open", "high", "low", "close"))
    if high < max(open_, low, close):
        raise BadCell("high", high, "must not be below open, low or close of its row")
    if low > min(open_, close):
        raise BadCell("low", low, "must not be above open or close of its row")
    return Bar(symbol, at, open_, high, low, close, _volume(row["volume"]))


def _timestamp(value: object) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise BadCell("timestamp", value, "must be ISO 8601, such as 2026-01-05T09:15:00+05:30") from error
    if not isinstance(value, datetime):
        raise BadCell("timestamp", value, "must be ISO 8601, such as 2026-01-05T09:15:00+05:30")
    return value.replace(tzinfo=IST) if value.tzinfo is None else value.astimezone(IST)


def _price(column: str, value: object) -> Decimal:
    try:
        price = parse_decimal(str(value))
    except ValueError as error:
        raise BadCell(column, value, f"must be a price in rupees ({error})") from error
    if price <= 0:
        raise BadCell(column, value, "must be above 0")
    if not is_on_tick(price, TICK):
        raise BadCell(column, value, f"must be a multiple of {TICK}; round it")
    return price


def _volume(value: object) -> int:
    try:
        volume = parse_decimal(str(value))
    except ValueError as error:
        raise BadCell("volume", value, f"must be a number of shares ({error})") from error
    if volume < 0 or volume != volume.to_integral_value():
        raise BadCell("volume", value, "must be a whole number, 0 or more")
    return int(volume)
