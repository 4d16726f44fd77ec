"""Bars of a whole source as arrays: what a backtest plays, in steps like a feed or by symbol."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.domain.instruments import Instrument
from trading.marketdata.bars import IST, Bar, Step
from trading.marketdata.rows import MarketDataError
from trading.marketdata.source import Source

PAISA = Decimal("0.01")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """One symbol's bars, oldest first.

    Attributes:
        steps: number of the step of each bar, ascending.
        open, high, low, close: paise a share.
        volume: shares.
    """

    symbol: str
    steps: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    _first: int = field(init=False, repr=False)  # step of the first bar when there is one at each step from there on

    def __post_init__(self) -> None:
        whole = len(self.steps) and self.steps[-1] - self.steps[0] + 1 == len(self.steps)
        object.__setattr__(self, "_first", int(self.steps[0]) if whole else 0)

    def place(self, step: int) -> int:
        """The index of the newest bar up to a step; -1 before the first."""
        if self._first:
            return max(-1, min(step - self._first, len(self.steps) - 1))
        return int(np.searchsorted(self.steps, step, side="right")) - 1

    def bar(self, index: int, at: datetime) -> Bar:
        """A bar with exact prices."""
        return Bar(
            self.symbol,
            at,
            PAISA * self.open.item(index),
            PAISA * self.high.item(index),
            PAISA * self.low.item(index),
            PAISA * self.close.item(index),
            self.volume.item(index),
        )

    def price(self, index: int) -> Decimal:
        """A bar's close in rupees."""
        return PAISA * self.close.item(index)

    @property
    def closes(self) -> Floats:
        """The closes in rupees; each is the float that is nearest to the exact price."""
        return self.close / 100.0


@dataclass(frozen=True, slots=True)
class Columns:
    """All bars of a source.

    Attributes:
        times: of the steps, in IST; the first one's number is 1.
    """

    feed_id: str
    kind: str
    instruments: Mapping[str, Instrument]
    times: Sequence[datetime]
    columns: Mapping[str, Column]

    @property
    def bars(self) -> int:
        """How many there are."""
        return sum(len(column.steps) for column in self.columns.values())

    def step(self, number: int, symbols: Sequence[str]) -> Step:
        """A step with the bars of some symbols, given in order; those without a bar in it are left out."""
        at, bars = self.times[number - 1], []
        for symbol in symbols:
            column = self.columns[symbol]
            index = column.place(number)
            if index >= 0 and column.steps[index] == number:
                bars.append(column.bar(index, at))
        return Step(number, at, tuple(bars))

    def first(self, steps: int) -> "Columns":
        """As if the source had ended after so many steps."""
        part = self.part(1, min(steps, len(self.times)))
        columns = {symbol: column for symbol, column in part.columns.items() if len(column.steps)}
        return replace(part, feed_id=self.feed_id, columns=columns)

    def part(self, first: int, last: int) -> "Columns":
        """The steps from one number to another, both included, numbered from 1."""
        columns = {}
        for symbol, column in self.columns.items():
            begin, end = np.searchsorted(column.steps, [first, last + 1])
            cut = slice(int(begin), int(end))
            columns[symbol] = Column(
                symbol,
                column.steps[cut] - (first - 1),
                *(array[cut] for array in (column.open, column.high, column.low, column.close, column.volume)),
            )
        return Columns(
            f"{self.feed_id}-{first}-{last}", self.kind, self.instruments, self.times[first - 1 : last], columns
        )


def load(source: Source, steps: int | None = None) -> Columns:
    """All steps of a source, or so many from its first.

    Raises:
        MarketDataError: it gives none, or a price that is not in whole paise.
    """
    times: list[datetime] = []
    rows: dict[str, list[tuple[int, ...]]] = {}
    for step in source.steps(1) if steps is None else islice(source.steps(1), steps):
        times.append(step.at.astimezone(IST))
        for bar in step.bars:
            four = (_paise(bar, price) for price in (bar.open, bar.high, bar.low, bar.close))
            rows.setdefault(bar.symbol, []).append((step.number, *four, bar.volume))
    if not times:
        raise MarketDataError(f"{source.feed_id}: has no bars; ask for one step at least")
    listed = {instrument.symbol: instrument for instrument in source.instruments}
    columns = {symbol: _column(symbol, rows[symbol]) for symbol in sorted(rows)}
    return Columns(source.feed_id, source.kind, listed, times, columns)


def steps_of(columns: Columns) -> Iterator[Step]:
    """The steps with all their bars, as a feed gives them."""
    symbols = list(columns.columns)
    for number in range(1, len(columns.times) + 1):
        yield columns.step(number, symbols)


def _column(symbol: str, rows: list[tuple[int, ...]]) -> Column:
    table: NDArray[Any] = np.array(rows, dtype=np.int64).T.copy()
    return Column(symbol, *table)


def _paise(bar: Bar, price: Decimal) -> int:
    paise = price * 100
    if paise != paise.to_integral_value():
        raise MarketDataError(f"{bar.symbol} at {bar.at}: price {price} is not in whole paise; round it")
    return int(paise)
