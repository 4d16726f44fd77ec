"""EMA trend: long while the fast average is above the slow one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from trading.domain.orders import ZERO, Product
from trading.marketdata.history import Market
from trading.strategies.base import Parameters, Share, Target

if TYPE_CHECKING:
    from trading.backtest.columns import Column, Columns
    from trading.strategies.arrays import Codes, Wants


class EmaParameters(Parameters):
    """See `EmaTrend`; 10 and 30 are the customary spans."""

    fast: Annotated[int, Field(ge=1, le=500, description="span of the fast average, bars")] = 10
    slow: Annotated[int, Field(ge=2, le=1000, description="span of the slow average, bars")] = 30
    band: Annotated[
        Decimal, Field(ge=0, le=Decimal("0.1"), description="distance that counts, as a share of the slow average")
    ] = Decimal("0.001")
    share: Share = Decimal("0.02")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast={self.fast}: must be below slow={self.slow}")
        return self


@dataclass(frozen=True, slots=True)
class EmaTrend:
    """Long-flat trend following on the closes of each symbol by itself; see `Strategy`.

    It wants nothing while the averages are within the band, so that noise is not traded.
    """

    name: str
    parameters: EmaParameters
    kind = "ema"
    product = Product.CNC

    @property
    def window(self) -> int:
        """Four slow spans: what is older would weigh less than 0.1 %."""
        return 4 * self.parameters.slow

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`."""
        found = {}
        for symbol in market.symbols:
            bars = market.bars(symbol)
            target = self.target([bar.close for bar in bars]) if bars else None
            if target:
                found[symbol] = target
        return found

    def target(self, closes: Sequence[Decimal]) -> Target | None:
        """What it wants after the newest of `window` closes; None within the band."""
        fast, slow = ema(closes, self.parameters.fast), ema(closes, self.parameters.slow)
        if abs(fast - slow) <= slow * self.parameters.band:
            return None
        share = self.parameters.share if fast > slow else ZERO
        return Target(share, {"fast": f"{fast:.4f}", "slow": f"{slow:.4f}"})

    def wants(self, columns: "Columns") -> "Mapping[str, Wants]":
        """See `Vectorised.wants`: the averages as sums with fixed weights over the window."""
        from trading.strategies.arrays import each  # here: a backtest needs arrays, an engine does not

        return each(columns, (self.parameters.share, ZERO), self._codes)

    def _codes(self, column: "Column") -> "Codes":
        from trading.strategies.arrays import ASK, average, near, pick

        own = self.parameters
        fast, slow = (average(column.closes, span, 2 / (span + 1), self.window) for span in (own.fast, own.slow))
        apart, band = fast - slow, slow * float(own.band)
        return pick(len(column.steps), (near(abs(apart), band, slow), ASK), (apart > band, 0), (apart < -band, 1))


def ema(values: Sequence[Decimal], span: int) -> Decimal:
    """Exponential moving average with alpha = 2 / (span + 1), begun at the mean of the first `span` values."""
    average = sum(values[:span], Decimal(0)) / span
    alpha = Decimal(2) / (span + 1)
    for value in values[span:]:
        average += alpha * (value - average)
    return average
