"""Mean reversion: buys what has fallen out of its Bollinger band with a low RSI, sells it back at the mean."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from trading.domain.orders import ZERO, Product
from trading.marketdata.history import Market
from trading.strategies.base import Parameters, Share, Target

if TYPE_CHECKING:
    from trading.backtest.columns import Column, Columns
    from trading.strategies.arrays import Codes, Wants

FLAT_RSI = 50.0  # where nothing moved, neither side is stronger


class ReversionParameters(Parameters):
    """See `BollingerReversion`; 20, 2 and 14, 30 are the customary values of Bollinger and Wilder."""

    period: Annotated[int, Field(ge=2, le=500, description="bars of mean and deviation")] = 20
    width: Annotated[float, Field(gt=0, le=10, description="half the band, in standard deviations")] = 2.0
    rsi_period: Annotated[int, Field(ge=2, le=100, description="bars of Wilder's average in the RSI")] = 14
    oversold: Annotated[float, Field(gt=0, lt=50, description="RSI below which a fall counts")] = 30.0
    share: Share = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class BollingerReversion:
    """Long-flat, each symbol by itself; see `Strategy`. Between band and mean a position stays as it is."""

    name: str
    parameters: ReversionParameters
    kind = "reversion"
    product = Product.CNC

    @property
    def window(self) -> int:
        """The band's period, or four of the RSI's, as Wilder's average forgets slowly."""
        return max(self.parameters.period, 4 * self.parameters.rsi_period + 1)

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`."""
        found = {}
        for symbol in market.symbols:
            bars = market.bars(symbol)
            target = self._target([float(bar.close) for bar in bars]) if bars else None
            if target:
                found[symbol] = target
        return found

    def wants(self, columns: "Columns") -> "Mapping[str, Wants]":
        """See `Vectorised.wants`."""
        from trading.strategies.arrays import each  # here: a backtest needs arrays, an engine does not

        return each(columns, (self.parameters.share, ZERO), self._codes)

    def _codes(self, column: "Column") -> "Codes":
        import numpy as np

        from trading.strategies.arrays import ASK, average, near, pick, rolling

        own, closes, window = self.parameters, column.closes, self.window
        last, recent = closes[window - 1 :], closes[window - own.period :]
        mean = rolling(recent, own.period, lambda rows: rows.mean(axis=1))
        lower = mean - own.width * rolling(recent, own.period, lambda rows: rows.std(axis=1))
        moves = np.diff(closes)
        up, down = (
            average(np.maximum(side, 0.0), own.rsi_period, 1 / own.rsi_period, window - 1) for side in (moves, -moves)
        )
        strength = np.divide(100 * up, up + down, out=np.full(len(up), FLAT_RSI), where=up + down > 0)
        low, weak = last < lower, strength < own.oversold
        unsure = near(last, mean, last) | near(last, lower, last) | (low & near(strength, own.oversold, 100.0))
        return pick(len(closes), (unsure, ASK), (last >= mean, 1), (low & weak, 0))

    def _target(self, closes: Sequence[float]) -> Target | None:
        own = self.parameters
        last, recent = closes[-1], closes[-own.period :]
        mean = fmean(recent)
        lower = mean - own.width * sqrt(fmean((close - mean) ** 2 for close in recent))
        if last >= mean:
            return Target(ZERO, {"close": f"{last:.4f}", "mean": f"{mean:.4f}"})
        strength = rsi(closes, own.rsi_period) if last < lower else FLAT_RSI
        if strength >= own.oversold:
            return None
        return Target(own.share, {"close": f"{last:.4f}", "lower": f"{lower:.4f}", "rsi": f"{strength:.2f}"})


def rsi(closes: Sequence[float], period: int) -> float:
    """Wilder's relative strength index of the newest close, 0 to 100, begun at the mean of the first moves."""
    moves = [b - a for a, b in itertools.pairwise(closes)]
    up = fmean(max(move, 0.0) for move in moves[:period])
    down = fmean(max(-move, 0.0) for move in moves[:period])
    for move in moves[period:]:
        up += (max(move, 0.0) - up) / period
        down += (max(-move, 0.0) - down) / period
    return 100 * up / (up + down) if up + down else FLAT_RSI
