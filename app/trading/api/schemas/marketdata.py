"""Bodies and parameters of market data."""

from datetime import date
from typing import Self

from pydantic import Field

from trading.api.schemas.base import AskedAt, At, Model, Page, PageQuery, Percent, Price, example
from trading.domain.instruments import Instrument
from trading.marketdata.bars import Bar

SYMBOL = {
    "symbol": "RELIANCE",
    "exchange": "NSE",
    "tick_size": "0.10",
    "lot_size": 1,
    "isin": "INE002A01018",
    "series": "EQ",
    "freeze_quantity": None,
    "lower_band_percent": "10",
    "upper_band_percent": "10",
}
QUOTE = {
    "symbol": "RELIANCE",
    "exchange": "NSE",
    "last": "2901.10",
    "bid": "2900.50",
    "ask": "2901.70",
    "volume": 18_250,
    "at": "2026-01-05T09:20:00+05:30",
    "source": "synthetic",
}


class SymbolOut(Model):
    """A listed equity; rupees, shares, percent of the previous close. What is null is not known."""

    model_config = example(**SYMBOL)

    symbol: str
    exchange: str
    tick_size: Price
    lot_size: int
    isin: str | None
    series: str
    freeze_quantity: int | None = Field(
        description="The most shares that the exchange takes in one order; null: not known, so not enforced."
    )
    lower_band_percent: Percent | None
    upper_band_percent: Percent | None

    @classmethod
    def of(cls, row: Instrument) -> Self:
        """The body for an instrument."""
        return cls(
            symbol=row.symbol,
            exchange=row.exchange,
            tick_size=row.tick_size,
            lot_size=row.lot_size,
            isin=row.isin,
            series=row.series,
            freeze_quantity=row.freeze_quantity,
            lower_band_percent=row.lower_band_percent,
            upper_band_percent=row.upper_band_percent,
        )


class SymbolList(Page):
    """A page of the listed symbols, by name."""

    model_config = example(symbols=[SYMBOL], next_cursor=None)

    symbols: list[SymbolOut]


class SymbolQuery(PageQuery):
    """Which symbols to list."""

    prefix: str | None = Field(default=None, pattern=r"^[A-Z0-9&-]{1,20}$", examples=["REL"])


class QuoteOut(Model):
    """The last quote of a symbol. `source` is `synthetic` for made-up data, `file` for a user's file."""

    model_config = example(**QUOTE)

    symbol: str
    exchange: str
    last: Price
    bid: Price
    ask: Price
    volume: int
    at: At
    source: str


class QuoteList(Page):
    """A page of the last quotes, by symbol."""

    model_config = example(quotes=[QUOTE], next_cursor=None)

    quotes: list[QuoteOut]


class SymbolsQuery(Model):
    """Which symbols."""

    symbols: str | None = Field(
        default=None,
        pattern=r"^[A-Z0-9&-]{1,20}(,[A-Z0-9&-]{1,20}){0,99}$",
        description="At most 100, separated by commas; all when left out.",
        examples=["RELIANCE,INFY"],
    )

    def wanted(self) -> frozenset[str] | None:
        """The symbols; None for all."""
        return None if self.symbols is None else frozenset(self.symbols.split(","))


class QuoteQuery(PageQuery, SymbolsQuery):
    """Which quotes to list."""


class BarOut(Model):
    """Trading of one interval that is over."""

    at: At = Field(description="Begin of the interval.")
    open: Price
    high: Price
    low: Price
    close: Price
    volume: int

    @classmethod
    def of(cls, bar: Bar) -> Self:
        """The body for a bar."""
        return cls(at=bar.at, open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume)


class BarList(Page):
    """A page of a symbol's bars, newest first."""

    model_config = example(
        symbol="RELIANCE",
        interval="1m",
        bars=[
            {
                "at": "2026-01-05T09:20:00+05:30",
                "open": "2900.00",
                "high": "2903.40",
                "low": "2899.10",
                "close": "2901.10",
                "volume": 18_250,
            }
        ],
        next_cursor=None,
    )

    symbol: str
    interval: str
    bars: list[BarOut]


class BarQuery(PageQuery):
    """Which bars to list."""

    interval: str = Field(default="1m", pattern=r"^[0-9]{1,3}[mhd]$", examples=["1m"])
    since: AskedAt | None = Field(default=None, description="Not before this market time.")
    until: AskedAt | None = Field(default=None, description="Before this market time.")


class ConstituentOut(Model):
    """A member of an index."""

    symbol: str
    isin: str | None
    sector: str


class ConstituentList(Page):
    """The members of an index by the list of `as_of`, by symbol."""

    model_config = example(
        index="NIFTY50",
        as_of="2025-09-30",
        constituents=[{"symbol": "RELIANCE", "isin": "INE002A01018", "sector": "energy"}],
        next_cursor=None,
    )

    index: str
    as_of: date
    constituents: list[ConstituentOut]


class ConstituentQuery(PageQuery):
    """As of which day."""

    on: date | None = Field(default=None, description="The list in force on a day; the newest when left out.")
