"""VWAP reversion: against moves far away from the session's volume-weighted average price, back to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import Annotated, Self

from pydantic import Field, model_validator

from trading.domain.orders import ZERO, Product
from trading.marketdata.bars import Bar
from trading.marketdata.history import Market
from trading.strategies.base import Parameters, Share, Target
from trading.strategies.session import session_bars


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
