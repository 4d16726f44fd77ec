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
    from trading.backtest.columns import Column, Floats

UNSURE = 1e-9  # relative; floats that are closer to each other are compared exactly


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

    def signals(self, column: "Column") -> "Floats":
        """See `trading.backtest.moments.Vectorised`: the averages as sums with fixed weights over the window."""
        import numpy as np  # here: a backtest needs it, an engine does not

        closes, own = column.closes, self.parameters
        shares = np.full(len(closes), np.nan)
        if len(closes) < self.window:
            return shares
        fast, slow = (np.convolve(closes, self._weights(span)[::-1], "valid") for span in (own.fast, own.slow))
        apart, band = fast - slow, slow * float(own.band)
        speaks = np.abs(apart) > band
        shares[self.window - 1 :] = np.where(speaks, np.where(apart > 0, float(own.share), 0.0), np.nan)
        for index in np.flatnonzero(np.abs(np.abs(apart) - band) <= slow * UNSURE) + self.window - 1:
            target = self.target([column.price(place) for place in range(index - self.window + 1, index + 1)])
            shares[index] = np.nan if target is None else float(target.share)
        return shares

    def _weights(self, span: int) -> list[float]:
        """What each close of a window counts in the average, oldest first."""
        window = self.window
        alpha = 2 / (span + 1)
        begin = [(1 - alpha) ** (window - span) / span] * span
        return begin + [alpha * (1 - alpha) ** (window - 1 - place) for place in range(span, window)]


def ema(values: Sequence[Decimal], span: int) -> Decimal:
    """Exponential moving average with alpha = 2 / (span + 1), begun at the mean of the first `span` values."""
    average = sum(values[:span], Decimal(0)) / span
    alpha = Decimal(2) / (span + 1)
    for value in values[span:]:
        average += alpha * (value - average)
    return average
