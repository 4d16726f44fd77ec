"""What a strategy wants over all bars at once: the shares that it may say, and which of them after each bar.

Arrays reckon in floats. Where these lie too near a threshold to tell, a bar is left to `ASK`, and the strategy itself
is asked, so that both ways say the same to the last digit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from trading.backtest.columns import Column, Columns

SILENT, ASK = -1, -2  # what is said after a bar, if not a place among the shares
NEAR = 1e-9  # relative to what is compared
CHUNK = 2**20  # numbers of a rolling window at hand at once

Floats = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Codes = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Wants:
    """What is wanted of one symbol.

    Attributes:
        shares: that may be wanted, exact.
        codes: after each bar the place in `shares`, `SILENT` where the symbol would be left out, or `ASK`.
    """

    shares: Sequence[Decimal]
    codes: Codes


@runtime_checkable
class Vectorised(Protocol):
    """A `Strategy` that can say at once what it wants after every bar."""

    def wants(self, columns: "Columns") -> Mapping[str, Wants]:
        """What `targets` says, bar by bar, of each symbol of which it ever says anything."""
        ...


def each(columns: "Columns", shares: Sequence[Decimal], codes: Callable[["Column"], Codes]) -> dict[str, Wants]:
    """The wants of a strategy that looks at each symbol by itself."""
    return {symbol: Wants(shares, codes(column)) for symbol, column in columns.columns.items()}


def pick(bars: int, *cases: tuple[Bools, int]) -> Codes:
    """Codes of so many bars from cases, the first that holds counts; each is of the newest bars, however many."""
    codes = np.full(bars, SILENT, np.int8)
    newest = len(cases[0][0])
    codes[bars - newest :] = np.select([case for case, _ in cases], [code for _, code in cases], SILENT)
    return codes


def near(a: Reals, b: Reals | float, scale: Reals | float, part: float = NEAR) -> Bools:
    """Where two are too near each other to tell, against what they were reckoned from. What is no number is near."""
    is_near: Bools = ~(np.abs(a - b) > part * np.abs(scale))
    return is_near


def rolling(values: Floats, window: int, reckon: Callable[[Floats], Floats]) -> Floats:
    """A figure of each whole window of values, oldest first, reckoned over rows of windows."""
    if len(values) < window:
        return np.zeros(0)
    rows = np.lib.stride_tricks.sliding_window_view(values, window)
    size = max(1, CHUNK // window)
    return np.concatenate([reckon(rows[begin : begin + size]) for begin in range(0, len(rows), size)])


def average(values: Floats, begin: int, alpha: float, window: int) -> Floats:
    """The exponential average over each whole window, begun at the mean of its first `begin` values."""
    if len(values) < window:
        return np.zeros(0)
    weights = [(1 - alpha) ** (window - begin) / begin] * begin
    weights += [alpha * (1 - alpha) ** (window - 1 - place) for place in range(begin, window)]
    return np.convolve(values, weights[::-1], "valid")


@dataclass(frozen=True, slots=True)
class Clock:
    """Day number and minutes since midnight of each step, in India."""

    days: Ints
    minutes: Floats

    @classmethod
    def of(cls, times: Sequence[datetime]) -> "Clock":
        """That of the times of the steps."""
        days = np.fromiter((at.toordinal() for at in times), np.int64, len(times))
        return cls(days, np.fromiter((at.hour * 60 + at.minute + at.second / 60 for at in times), float, len(times)))

    def sessions(self, column: "Column") -> Iterator[slice]:
        """The places of a column's bars, day by day."""
        cuts = np.flatnonzero(np.diff(self.days[column.steps - 1])) + 1
        bounds = [0, *cuts.tolist(), len(column.steps)]
        return (slice(begin, end) for begin, end in pairwise(bounds))
