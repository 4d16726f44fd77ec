"""Pairs: trades the spread of two cointegrated shares back to its mean.

Whether two shares are cointegrated is a question of research, not of trading: `trading backtest pairs` tests it with
statsmodels and prints the hedge ratio, which is a parameter here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import log, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from trading.domain.orders import ZERO, Product
from trading.marketdata.history import Market
from trading.strategies.base import Parameters, Target

if TYPE_CHECKING:
    from trading.backtest.columns import Columns
    from trading.strategies.arrays import Wants

NOISE = 1e-6  # of the spread's deviation: below it, floats do not tell a spread that moves from one that does not
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
        leg, other = self._legs(-1 if score > 0 else 1)
        return {own.first: Target(leg, detail), own.second: Target(other, detail)}

    def _legs(self, sign: int) -> tuple[Decimal, Decimal]:
        """The shares of both, long of the spread or short of it."""
        ratio = Decimal(str(self.parameters.hedge_ratio))
        leg = self.parameters.share / max(ratio, Decimal(1)) * sign
        return leg, -leg * ratio

    def wants(self, columns: "Columns") -> "Mapping[str, Wants]":
        """See `Vectorised.wants`: the spread over each pair of windows that end at the same step."""
        import numpy as np  # here: a backtest needs arrays, an engine does not

        from trading.strategies.arrays import ASK, CHUNK, SILENT, Wants, near, pick

        own, known = self.parameters, columns.columns
        if not {own.first, own.second} <= known.keys():
            return {}
        pair = known[own.first], known[own.second]
        _, *places = np.intersect1d(pair[0].steps, pair[1].steps, assume_unique=True, return_indices=True)
        whole = np.minimum(*places) >= own.lookback - 1
        ends = [place[whole] for place in places]
        logs, back = [np.log(column.closes) for column in pair], np.arange(own.lookback) - own.lookback + 1
        score, flat = np.zeros(len(ends[0])), np.zeros(len(ends[0]), bool)
        size = max(1, CHUNK // own.lookback)
        for begin in range(0, len(score), size):
            rows = slice(begin, begin + size)
            first, second = (log[end[rows, None] + back] for log, end in zip(logs, ends, strict=True))
            spread = first - own.hedge_ratio * second
            deviation = spread.std(axis=1)
            flat[rows] = deviation <= NOISE
            score[rows] = (spread[:, -1] - spread.mean(axis=1)) / np.where(flat[rows], 1.0, deviation)
        away = abs(score)
        unsure = flat | np.any([near(away, edge, 1 + edge, NOISE) for edge in (own.leave, own.entry, own.stop)], axis=0)
        closed = (away <= own.leave) | (away >= own.stop)
        said = pick(len(score), (unsure, ASK), (closed, 0), (away < own.entry, SILENT), (score < 0, 1), (score > 0, 2))
        legs, found = zip(self._legs(1), self._legs(-1), strict=True), {}
        for column, end, shares in zip(pair, ends, legs, strict=True):
            codes = np.full(len(column.steps), SILENT, np.int8)
            codes[end] = said
            found[column.symbol] = Wants((ZERO, *shares), codes)
        return found
