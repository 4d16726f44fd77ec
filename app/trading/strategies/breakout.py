"""Opening-range breakout: follows the first move out of the day's first minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from trading.domain.orders import Product
from trading.marketdata.bars import Bar
from trading.marketdata.history import Market
from trading.strategies.base import Parameters, Share, Target
from trading.strategies.session import OPEN, session_bars, since_open

if TYPE_CHECKING:
    from trading.backtest.columns import Column, Columns
    from trading.strategies.arrays import Clock, Codes, Wants

MINUTE = timedelta(minutes=1)


class BreakoutParameters(Parameters):
    """See `OpeningRangeBreakout`."""

    range_minutes: Annotated[int, Field(ge=1, le=180, description="minutes from 09:15 that form the range")] = 15
    buffer: Annotated[
        Decimal, Field(ge=0, le=Decimal("0.05"), description="distance beyond the range that counts, as a share of it")
    ] = Decimal("0.0005")
    session_bars: Annotated[int, Field(ge=10, le=375, description="bars of a whole session; 375 of a minute")] = 375
    share: Share = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class OpeningRangeBreakout:
    """Intraday, long above the range and short below it, each symbol by itself; see `Strategy`.

    Within the range a position stays, so that the other side of the range is its stop. It is flat before the close.
    """

    name: str
    parameters: BreakoutParameters
    kind = "breakout"
    product = Product.MIS

    @property
    def window(self) -> int:
        """A whole session, so that the range is in it at any time of the day."""
        return self.parameters.session_bars

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`."""
        if since_open(market.at) < self._range:
            return {}
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
        return each(columns, (share, -share), lambda column: self._codes(column, clock))

    def _codes(self, column: "Column", clock: "Clock") -> "Codes":
        import numpy as np

        from trading.strategies.arrays import ASK, SILENT, near, pick

        count, own = len(column.steps), self.parameters
        high, low = np.full(count, np.nan), np.full(count, np.nan)
        minutes = clock.minutes[column.steps - 1] - OPEN / MINUTE
        for day in clock.sessions(column):
            end = day.start + int(np.searchsorted(minutes[day], own.range_minutes))  # of the opening bars
            places = np.arange(max(end, self.window - 1), day.stop)
            begin = np.maximum(places - self.window + 1, day.start) - day.start  # of the window's part of the day
            places, begin = places[begin < end - day.start], begin[begin < end - day.start]
            opening = slice(day.start, end)
            high[places] = np.maximum.accumulate(column.high[opening][::-1])[::-1][begin]
            low[places] = np.minimum.accumulate(column.low[opening][::-1])[::-1][begin]
        close, buffer = column.close.astype(float), float(own.buffer)
        above, below = high * (1 + buffer), low * (1 - buffer)
        unsure = near(close, above, close) | near(close, below, close)
        return pick(count, (np.isnan(high), SILENT), (unsure, ASK), (close > above, 0), (close < below, 1))

    @property
    def _range(self) -> timedelta:
        return timedelta(minutes=self.parameters.range_minutes)

    def _target(self, today: Sequence[Bar]) -> Target | None:
        opening = [bar for bar in today if since_open(bar.at) < self._range]
        if not opening:
            return None
        own, close = self.parameters, today[-1].close
        high, low = max(bar.high for bar in opening), min(bar.low for bar in opening)
        detail = {"close": str(close), "high": str(high), "low": str(low)}
        if close > high * (1 + own.buffer):
            return Target(own.share, detail)
        return Target(-own.share, detail) if close < low * (1 - own.buffer) else None
