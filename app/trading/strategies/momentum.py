"""Cross-sectional momentum: holds what has risen most, compared with all others."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from trading.domain.orders import ZERO, Product
from trading.marketdata.history import Market
from trading.strategies.base import Parameters, Target

if TYPE_CHECKING:
    from trading.backtest.columns import Columns
    from trading.strategies.arrays import Wants


class MomentumParameters(Parameters):
    """See `CrossSectionalMomentum`; on daily bars 252 and 21 are the customary twelve months without the last one."""

    lookback: Annotated[int, Field(ge=2, le=1000, description="bars over which the rise is measured")] = 240
    skip: Annotated[int, Field(ge=0, le=100, description="newest bars left out, as short moves revert")] = 20
    buy: Annotated[int, Field(ge=1, le=100, description="ranks that are bought")] = 5
    keep: Annotated[int, Field(ge=1, le=200, description="ranks down to which a holding is kept")] = 10
    share: Annotated[Decimal, Field(gt=0, le=1, description="of the capital, in all symbols together")] = Decimal("0.5")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.skip >= self.lookback:
            raise ValueError(f"skip={self.skip}: must be below lookback={self.lookback}")
        if self.keep < self.buy:
            raise ValueError(f"keep={self.keep}: must not be below buy={self.buy}")
        return self


@dataclass(frozen=True, slots=True)
class CrossSectionalMomentum:
    """Long-flat over all symbols; see `Strategy`.

    What stands between the ranks that are bought and those that are kept stays as it is: such a buffer is what keeps
    an index from trading back and forth, and it needs no memory of the last rebalancing.
    """

    name: str
    parameters: MomentumParameters
    kind = "momentum"
    product = Product.CNC

    @property
    def window(self) -> int:
        """The look-back and the bar before it."""
        return self.parameters.lookback + 1

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`; nothing while no more symbols than it keeps can be compared."""
        own = self.parameters
        rises = {}
        for symbol in market.symbols:
            bars = market.bars(symbol)
            if bars:
                rises[symbol] = float(bars[-1 - own.skip].close / bars[0].close) - 1
        if len(rises) <= own.keep:
            return {}
        ranked = sorted(rises, key=lambda symbol: (-rises[symbol], symbol))
        found = {}
        for rank, symbol in enumerate(ranked, start=1):
            detail = {"rank": rank, "of": len(ranked), "rise": f"{rises[symbol]:.5f}"}
            if rank <= own.buy:
                found[symbol] = Target(own.share / own.keep, detail)
            elif rank > own.keep:
                found[symbol] = Target(ZERO, detail)
        return found

    def wants(self, columns: "Columns") -> "Mapping[str, Wants]":
        """See `Vectorised.wants`: a table of rises, steps by symbols, ranked row by row."""
        import numpy as np  # here: a backtest needs arrays, an engine does not

        from trading.strategies.arrays import ASK, Wants, near, pick

        own, symbols = self.parameters, sorted(columns.columns)
        if len(symbols) <= own.keep:
            return {}
        rises = np.full((len(columns.times), len(symbols)), np.nan)
        for number, symbol in enumerate(symbols):
            column = columns.columns[symbol]
            if len(column.steps) > own.lookback:
                later, last = column.closes[own.lookback - own.skip :], column.steps[own.lookback :]
                rises[last - 1, number] = later[: len(last)] / column.closes[: len(last)] - 1
        order = np.argsort(-rises, axis=1, kind="stable")  # equals by symbol, and what cannot be compared last
        ranks = np.argsort(order, axis=1)
        ranked = np.take_along_axis(rises, order, axis=1)
        enough = ~np.isnan(ranked[:, own.keep])
        edges = [near(ranked[:, n - 1], ranked[:, n], 1 + abs(ranked[:, n])) for n in (own.buy, own.keep)]
        unsure, found = edges[0] | edges[1], {}
        for number, symbol in enumerate(symbols):
            at = columns.columns[symbol].steps - 1
            speaks, rank = enough[at] & ~np.isnan(rises[at, number]), ranks[at, number]
            cases = (speaks & (rank < own.buy), 0), (speaks & (rank >= own.keep), 1)
            found[symbol] = Wants((own.share / own.keep, ZERO), pick(len(at), (speaks & unsure[at], ASK), *cases))
        return found
