"""VWAP reversion: against moves far away from the session's volume-weighted average price, back to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from trading.domain.orders import ZERO, Product
from trading.marketdata.bars import Bar
from trading.marketdata.history import Market
from trading.strategies.base import Parameters, Share, Target
from trading.strategies.session import session_bars

if TYPE_CHECKING:
    from trading.backtest.columns import Column, Columns
    from trading.strategies.arrays import Clock, Codes, Wants

NOISE = 1e-6  # part of a session's whole variation below which what is left of it is not trusted


class VwapParameters(Parameters):
    """See `VwapReversion`."""

    entry: Annotated[float, Field(gt=0, le=10, description="distance that is traded, in deviations")] = 2.0
    leave: Annotated[float, Field(ge=0, le=10, description="distance at which it is closed, in deviations")] = 0.25
    least_bars: Annotated[int, Field(ge=2, le=375, description="bars of the session before the first trade")] = 30
    session_bars: Annotated[int, Field(ge=10, le=375, description="bars of a whole session; 375 of a minute")] = 375
    share: Share = Decimal("0.02")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.leave >= self.entry:
            raise ValueError(f"leave={self.leave}: must be below entry={self.entry}")
        return self


@dataclass(frozen=True, slots=True)
class VwapReversion:
    """Intraday, long below and short above, each symbol by itself; see `Strategy`. It is flat before the close.

    The deviation is that of the typical prices from the average, weighted by volume like it.
    """

    name: str
    parameters: VwapParameters
    kind = "vwap"
    product = Product.MIS

    @property
    def window(self) -> int:
        """A whole session, so that all of today is in it at any time of the day."""
        return self.parameters.session_bars

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`."""
        found = {}
        for symbol in market.symbols:
            bars = market.bars(symbol)
            target = self._target(session_bars(bars)) if bars else None
            if target:
                found[symbol] = target
        return found

    def wants(self, columns: "Columns") -> "Mapping[str, Wants]":
        """See `Vectorised.wants`."""
        from trading.strategies.arrays import Clock, each  # here: a backtest needs arrays, an engine does not

        clock, share = Clock.of(columns.times), self.parameters.share
        return each(columns, (ZERO, share, -share), lambda column: self._codes(column, clock))

    def _codes(self, column: "Column", clock: "Clock") -> "Codes":
        import numpy as np

        from trading.strategies.arrays import ASK, SILENT, near, pick

        own, count = self.parameters, len(column.steps)
        price, volume = (column.high + column.low + column.close) / 300, column.volume.astype(float)
        distance, speaks, flat = np.full(count, np.nan), np.zeros(count, bool), np.zeros(count, bool)
        for day in clock.sessions(column):
            places = np.arange(day.start, day.stop)
            begin = np.maximum(places - self.window + 1, day.start) - day.start
            apart, weights = price[day] - price[day.start], volume[day]  # small numbers, so that sums stay exact
            powers = np.cumsum([weights, weights * apart, weights * apart**2], axis=1)
            before = np.where(begin > 0, powers[:, begin - 1], 0.0)
            traded, first, second = powers - before
            can = (places >= self.window - 1) & (places - day.start - begin + 1 >= own.least_bars) & (traded > 0)
            mean, square = (np.divide(sums, traded, out=np.zeros(len(sums)), where=can) for sums in (first, second))
            variance = square - mean**2
            # Where sums have cancelled each other out, floats say nothing.
            clear = can & (variance > NOISE * np.maximum.accumulate(apart**2))
            last = column.closes[day] - price[day.start] - mean
            distance[day], speaks[day], flat[day] = last / np.sqrt(np.where(clear, variance, 1.0)), can, ~clear
        away = abs(distance)
        unsure = flat | near(away, own.leave, 1 + own.leave, NOISE) | near(away, own.entry, own.entry, NOISE)
        cases = (away <= own.leave, 0), (distance <= -own.entry, 1), (distance >= own.entry, 2)
        return pick(count, (~speaks, SILENT), (unsure, ASK), *cases)

    def _target(self, today: Sequence[Bar]) -> Target | None:
        own, traded = self.parameters, sum(bar.volume for bar in today)
        if len(today) < own.least_bars or not traded:
            return None
        average, deviation = vwap(today)
        if not deviation:
            return None
        distance = (float(today[-1].close) - average) / deviation
        detail = {"vwap": f"{average:.4f}", "distance": f"{distance:.3f}"}
        if abs(distance) <= own.leave:
            return Target(ZERO, detail)
        if abs(distance) < own.entry:
            return None
        return Target(-own.share if distance > 0 else own.share, detail)


def vwap(bars: Sequence[Bar]) -> tuple[float, float]:
    """Volume-weighted mean and standard deviation of the typical prices (high + low + close) / 3, rupees."""
    weighted = [(float(bar.high + bar.low + bar.close) / 3, bar.volume) for bar in bars]
    traded = sum(volume for _, volume in weighted)
    mean = sum(price * volume for price, volume in weighted) / traded
    return mean, sqrt(sum(volume * (price - mean) ** 2 for price, volume in weighted) / traded)
