"""What a strategy wants over all bars at once, and the moments at which that can lead to an order."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.backtest.columns import Columns
from trading.domain.orders import ZERO, Product
from trading.execution.desk import FLAT_FROM
from trading.execution.sizing import DRIFT
from trading.marketdata.bars import Bar, Step
from trading.marketdata.history import History, Market
from trading.strategies.arrays import ASK, SILENT, Vectorised, Wants
from trading.strategies.base import Strategy, Target

NEAR = 1e-6  # relative; what small floats cannot tell apart counts as a moment, and is then decided exactly
NEVER = np.iinfo(np.int64).max


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

    def __init__(self, strategy: Strategy, columns: Columns, wants: Mapping[str, Wants]) -> None:
        self.name, self.kind = strategy.name, strategy.kind
        self.window, self.product = strategy.window, strategy.product
        self._columns = columns.columns
        self._wants = wants

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`."""
        found: dict[str, Target] = {}
        if isinstance(market, StepMarket):
            for symbol in market.symbols:
                want = self._wants.get(symbol)
                code = want.codes.item(self._columns[symbol].place(market.number)) if want else SILENT
                if want and code != SILENT:
                    found[symbol] = Target(want.shares[code])
        return found


class Moments:
    """Finds the next step at which a symbol can be traded, from what is wanted and what is held.

    It may name a step too many, never one too few: what is traded there is decided exactly, by the desk.
    """

    def __init__(self, columns: Columns, symbol: str, want: Wants, capital: Decimal) -> None:
        column = columns.columns[symbol]
        lot = columns.instruments[symbol].lot_size
        wants = np.array([*map(float, want.shares), np.nan])[want.codes]  # the last is that of `SILENT`
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


class ColumnMarket(Market):
    """The market after a step as some symbols show it, read from columns when it is asked for."""

    __slots__ = ("_columns", "_number")

    def __init__(self, columns: Columns, number: int, symbols: Sequence[str], window: int) -> None:
        super().__init__(columns.times[number - 1], symbols, {}, window)
        self._columns = columns
        self._number = number

    def bars(self, symbol: str) -> Sequence[Bar] | None:
        """See `Market.bars`."""
        column = self._columns.columns.get(symbol)
        end = column.place(self._number) + 1 if column else 0
        if column is None or end < self._window:
            return None
        times = self._columns.times
        return [column.bar(place, times[int(column.steps[place]) - 1]) for place in range(end - self._window, end)]


def arrays_of(strategy: Strategy, columns: Columns) -> Mapping[str, Wants] | None:
    """What a strategy wants, by symbol and bar, as the desk would hear it; None when it cannot say it in arrays."""
    if not isinstance(strategy, Vectorised):
        return None
    wants = dict(strategy.wants(columns))
    asked: dict[int, list[str]] = {}
    for symbol, want in wants.items():
        for number in columns.columns[symbol].steps[want.codes == ASK].tolist():
            asked.setdefault(number, []).append(symbol)
    for number, symbols in asked.items():
        targets = strategy.targets(ColumnMarket(columns, number, sorted(symbols), strategy.window))
        for symbol in symbols:
            want, place = wants[symbol], columns.columns[symbol].place(number)
            want.codes[place] = want.shares.index(targets[symbol].share) if symbol in targets else SILENT
    if strategy.product is Product.CNC:
        return wants
    late = np.array([at.time() >= FLAT_FROM for at in columns.times])
    return {symbol: _flat(want, late[columns.columns[symbol].steps - 1]) for symbol, want in wants.items()}


def _flat(want: Wants, late: NDArray[np.bool_]) -> Wants:
    """Nothing is held when the session ends."""
    shares = want.shares if ZERO in want.shares else (*want.shares, ZERO)
    return Wants(shares, np.where(late, shares.index(ZERO), want.codes).astype(np.int8))


def _after(places: NDArray[np.int32], begin: int) -> int:
    """The first of ascending places from `begin` on; `NEVER` when there is none."""
    index = int(np.searchsorted(places, np.int32(begin)))  # of the array's own type, or all of it is converted
    return int(places[index]) if index < len(places) else int(NEVER)
