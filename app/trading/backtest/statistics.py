"""What a run was worth, in the customary figures. Ratios are floats: they are looked at, nothing is traded on them."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import fmean, pstdev

from trading.backtest.run import Outcome
from trading.domain.orders import ZERO
from trading.portfolio.equity import EquityPoint, drawdown

SESSIONS_A_YEAR = 252  # the customary number for annual figures; the exchange has a few less


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Figures of one run; fractions of one, not percent.

    Attributes:
        annual_return: compound.
        volatility: annual, of the returns from session to session.
        sharpe, sortino: annual, against an interest of 0; None where nothing moved.
        max_drawdown: deepest fall of equity from its peak, at ends of sessions.
        charges, turnover: rupees.
        win_rate: part of the fills that closed something which did so with a profit before charges; None without any.
        profit_factor: profits by losses of these; None without a loss.
    """

    sessions: int
    orders: int
    fills: int
    total_return: float
    annual_return: float
    volatility: float
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    charges: float
    turnover: float
    win_rate: float | None
    profit_factor: float | None

    def to_json(self) -> dict[str, object]:
        """Its fields, rounded to six decimals."""
        return {name: round(v, 6) if isinstance(v, float) else v for name, v in asdict(self).items()}


def statistics(outcome: Outcome) -> Statistics:
    """The figures of a run."""
    moves = returns(outcome.equity)
    end = float(outcome.equity[-1].equity / outcome.capital)
    deviation = pstdev(moves) if moves else 0.0
    below = sqrt(fmean(min(move, 0.0) ** 2 for move in moves)) if moves else 0.0
    year = SESSIONS_A_YEAR**0.5
    profits = [float(t.profit) for t in outcome.trades if t.profit]
    losses = -sum(p for p in profits if p < 0)
    return Statistics(
        sessions=len(moves),
        orders=len(outcome.orders),
        fills=len(outcome.trades),
        total_return=end - 1,
        annual_return=(end ** (SESSIONS_A_YEAR / len(moves)) - 1) if moves and end > 0 else -1.0,
        volatility=deviation * year,
        sharpe=fmean(moves) / deviation * year if deviation else None,
        sortino=fmean(moves) / below * year if below else None,
        max_drawdown=float(drawdown(outcome.equity).worst),
        charges=float(sum((t.charges for t in outcome.trades), ZERO)),
        turnover=float(sum((t.price * t.quantity for t in outcome.trades), ZERO)),
        win_rate=sum(p > 0 for p in profits) / len(profits) if profits else None,
        profit_factor=sum(p for p in profits if p > 0) / losses if losses else None,
    )


def returns(equity: Sequence[EquityPoint]) -> list[float]:
    """Relative changes from point to point; none after equity is used up."""
    pairs = itertools.pairwise(equity)
    return [float(b.equity / a.equity) - 1 for a, b in pairs if a.equity > 0]
