"""What a strategy wants over all bars at once, and the moments at which that can lead to an order."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trading.backtest.columns import Column, Columns, Floats
from trading.domain.orders import Product
from trading.execution.desk import FLAT_FROM
from trading.execution.sizing import DRIFT
from trading.marketdata.bars import Step
from trading.marketdata.history import History, Market
from trading.strategies.base import Strategy, Target

NEAR = 1e-6  # relative; what small floats cannot tell apart counts as a moment, and is then decided exactly
NEVER = np.iinfo(np.int64).max


@runtime_checkable
class Vectorised(Protocol):
    """A strategy that looks at each symbol by itself and can say at once what it wants after every bar."""

    def signals(self, column: Column) -> Floats:
        """The share after each bar of a column, NaN where the symbol would be left out.

        It is what `targets` says, bar by bar; where a float cannot tell, it must be asked.
        """
        ...


class StepMarket(Market):
    """A market without bars, for what knows its step."""

    __slots__ = ("number",)

    def __init__(self, step: Step) -> None:
        super().__init__(step.at, [bar.symbol for bar in step.bars], {}, 1)
        self.number = step.number


class StepHistory(History):
    """Keeps no bar and shows which step it is."""

    def __init__(self) -> None:
        super().__init__(1)

    def push(self, step: Step) -> None:
        """Nothing is kept."""

    def market(self, step: Step, window: int) -> Market:
        """See `StepMarket`."""
        return StepMarket(step)


class ArrayStrategy:
    """A `Strategy` that reads from arrays what another one wants."""

    def __init__(self, strategy: Strategy, columns: Columns, wants: Mapping[str, Floats]) -> None:
        self.name, self.kind = strategy.name, strategy.kind
        self.window, self.product = strategy.window, strategy.product
        self._columns = columns.columns
        self._wants = wants

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`."""
        found: dict[str, Target] = {}
        if isinstance(market, StepMarket):
            for symbol in market.symbols:
                share = self._wants[symbol][self._columns[symbol].place(market.number)]
                if share == share:  # not NaN
                    found[symbol] = Target(Decimal(repr(float(share))))
        return found


class Moments:
    """Finds the next step at which a symbol can be traded, from what is wanted and what is held.

    It may name a step too many, never one too few: what is traded there is decided exactly, by the desk.
    """

    def __init__(self, columns: Columns, symbol: str, wants: Floats, capital: Decimal) -> None:
        column = columns.columns[symbol]
        lot = columns.instruments[symbol].lot_size
        speaks = ~np.isnan(wants)
        asked = np.abs(wants) * float(capital)  # rupees
        self._column = column
        part = column.closes / np.where(speaks & (asked > 0), asked, np.nan)  # of what is asked for, a share's
        # Small types: there is one of each for every bar, and a moment too many does no harm.
        self._low = np.nan_to_num(part, nan=np.inf).astype(np.float32)
        self._high = np.nan_to_num(part, nan=-np.inf).astype(np.float32)
        self._from_flat = np.flatnonzero(asked >= column.closes * lot * (1 - NEAR)).astype(np.int32)
        self._from_long = np.flatnonzero(wants <= 0).astype(np.int32)
        self._from_short = np.flatnonzero(wants >= 0).astype(np.int32)

    def next(self, step: int, held: int) -> int:
        """The first step after `step` at which a holding of so many shares may be changed, or `NEVER`."""
        begin = self._column.place(step) + 1 if step else 0
        if not held:
            return self._step(_after(self._from_flat, begin))
        turn = _after(self._from_long if held > 0 else self._from_short, begin)
        # Value over what is asked for, between the inverse of the drift and the drift, is left as it is.
        size = np.float32(abs(held))
        low, high = self._low[begin:turn] * size, self._high[begin:turn] * size
        if low.size and (low.min() < (1 + NEAR) / DRIFT or high.max() > DRIFT * (1 - NEAR)):
            off = (low < (1 + NEAR) / DRIFT) | (high > DRIFT * (1 - NEAR))
            return self._step(begin + int(off.argmax()))
        return self._step(turn)

    def _step(self, index: int) -> int:
        return int(self._column.steps[index]) if index < len(self._column.steps) else int(NEVER)


def arrays_of(strategy: Strategy, columns: Columns) -> Mapping[str, Floats] | None:
    """What a strategy wants, by symbol and bar, as the desk would hear it; None when it cannot say it in arrays."""
    if not isinstance(strategy, Vectorised):
        return None
    intraday = strategy.product is Product.MIS
    late = np.array([at.time() >= FLAT_FROM for at in columns.times]) if intraday else np.zeros(0, bool)
    wants = {}
    for symbol, column in columns.columns.items():
        shares = strategy.signals(column)
        wants[symbol] = np.where(late[column.steps - 1], 0.0, shares) if intraday else np.maximum(shares, 0.0)
    return wants


def _after(places: NDArray[np.int32], begin: int) -> int:
    """The first of ascending places from `begin` on; `NEVER` when there is none."""
    index = int(np.searchsorted(places, np.int32(begin)))  # of the array's own type, or all of it is converted
    return int(places[index]) if index < len(places) else int(NEVER)
