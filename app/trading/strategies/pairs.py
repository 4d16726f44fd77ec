"""Pairs: trades the spread of two cointegrated shares back to its mean.

Whether two shares are cointegrated is a question of research, not of trading: `trading backtest pairs` tests it with
statsmodels and prints the hedge ratio, which is a parameter here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import log, sqrt
from statistics import fmean
from typing import Annotated, Self

from pydantic import Field, model_validator

from trading.domain.orders import ZERO, Product
from trading.marketdata.history import Market
from trading.strategies.base import Parameters, Target

Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9&-]{1,20}$")]


class PairsParameters(Parameters):
    """See `CointegratedPairs`. The spread is ln(first) - hedge_ratio * ln(second)."""

    first: Annotated[Symbol, Field(description="symbol that the spread is long of")] = "HDFCBANK"
    second: Annotated[Symbol, Field(description="symbol that the spread is short of")] = "ICICIBANK"
    hedge_ratio: Annotated[float, Field(gt=0, le=10, description="slope of the cointegrating regression of logs")] = 1.0
    lookback: Annotated[int, Field(ge=10, le=1000, description="bars of the spread's mean and deviation")] = 240
    entry: Annotated[float, Field(gt=0, le=10, description="z-score that is traded")] = 2.0
    leave: Annotated[float, Field(ge=0, le=10, description="z-score at which it is closed")] = 0.5
    stop: Annotated[float, Field(gt=0, le=20, description="z-score from which on the pair is taken for broken")] = 4.0
    share: Annotated[Decimal, Field(gt=0, le=1, description="of the capital, in the larger leg")] = Decimal("0.1")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if not self.leave < self.entry < self.stop:
            raise ValueError(f"entry={self.entry}: must be above leave={self.leave} and below stop={self.stop}")
        if self.first == self.second:
            raise ValueError(f"second={self.second}: must be another symbol than first")
        return self


@dataclass(frozen=True, slots=True)
class CointegratedPairs:
    """Intraday, one leg long and one short by the hedge ratio; see `Strategy`. It is flat before the close."""

    name: str
    parameters: PairsParameters
    kind = "pairs"
    product = Product.MIS

    @property
    def window(self) -> int:
        """The look-back."""
        return self.parameters.lookback

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`; nothing when the two do not trade at the same moment."""
        own = self.parameters
        first, second = market.bars(own.first), market.bars(own.second)
        if not first or not second or not {own.first, own.second} <= set(market.symbols):
            return {}
        spread = [
            log(float(a.close)) - own.hedge_ratio * log(float(b.close)) for a, b in zip(first, second, strict=True)
        ]
        mean = fmean(spread)
        deviation = sqrt(fmean((value - mean) ** 2 for value in spread))
        if not deviation:
            return {}
        score = (spread[-1] - mean) / deviation
        detail = {"z": f"{score:.3f}"}
        if abs(score) <= own.leave or abs(score) >= own.stop:
            return {own.first: Target(ZERO, detail), own.second: Target(ZERO, detail)}
        if abs(score) < own.entry:
            return {}
        ratio = Decimal(str(own.hedge_ratio))
        leg = own.share / max(ratio, Decimal(1)) * (-1 if score > 0 else 1)
        return {own.first: Target(leg, detail), own.second: Target(-leg * ratio, detail)}
