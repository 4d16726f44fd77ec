"""EMA crossover: long while the fast average is above the slow one."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.domain.prices import BASIS_POINT
from trading.marketdata.bars import Bar
from trading.strategies.base import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class EmaCrossover:
    """Long-flat trend following on the closes of one symbol.

    Attributes:
        fast, slow: spans in bars; the customary 10 and 30.
        band: how far apart the averages must be to count, as a share of the slow one, so that noise is not traded.
    """

    fast: int = 10
    slow: int = 30
    band: Decimal = 10 * BASIS_POINT

    def __post_init__(self) -> None:
        if not 1 <= self.fast < self.slow:
            raise ValueError(f"fast={self.fast}, slow={self.slow}: must be 1 <= fast < slow")

    @property
    def name(self) -> str:
        """See `Strategy.name`."""
        return "ema-crossover"

    @property
    def window(self) -> int:
        """Four slow spans: what is older would weigh less than 0.1 %."""
        return 4 * self.slow

    def direction(self, bars: Sequence[Bar]) -> Direction | None:
        """See `Strategy.direction`; None within the band."""
        closes = [bar.close for bar in bars]
        slow = ema(closes, self.slow)
        apart = ema(closes, self.fast) - slow
        if abs(apart) <= slow * self.band:
            return None
        return Direction.LONG if apart > 0 else Direction.FLAT


def ema(values: Sequence[Decimal], span: int) -> Decimal:
    """Exponential moving average with alpha = 2 / (span + 1), begun at the mean of the first `span` values."""
    average = sum(values[:span], Decimal(0)) / span
    alpha = Decimal(2) / (span + 1)
    for value in values[span:]:
        average += alpha * (value - average)
    return average
