"""The equity curve and its drawdown, as a fold over points in time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from trading.domain.orders import ZERO


class EquityPoint(NamedTuple):
    """What an account was worth at a moment, rupees: capital and profit after charges."""

    at: datetime
    equity: Decimal


@dataclass(frozen=True, slots=True)
class Drawdown:
    """How far equity has fallen from its highest point.

    Attributes:
        peak: highest equity so far, rupees; None before the first point.
        peak_at: when that was.
        depth: present fall from the peak as a fraction of it, 0 at a new peak.
        worst: the deepest so far.
        worst_at: when that was.
    """

    peak: Decimal | None = None
    peak_at: datetime | None = None
    depth: Decimal = ZERO
    worst: Decimal = ZERO
    worst_at: datetime | None = None

    def after(self, point: EquityPoint) -> "Drawdown":
        """With one more point. A fall from a peak of nothing, or less, counts as whole."""
        at, equity = point
        if self.peak is None or equity >= self.peak:
            return Drawdown(equity, at, ZERO, self.worst, self.worst_at)
        depth = (self.peak - equity) / self.peak if self.peak > 0 else Decimal(1)
        if depth > self.worst:
            return Drawdown(self.peak, self.peak_at, depth, depth, at)
        return Drawdown(self.peak, self.peak_at, depth, self.worst, self.worst_at)


def drawdown(points: Iterable[EquityPoint]) -> Drawdown:
    """The drawdown after all points, oldest first."""
    state = Drawdown()
    for point in points:
        state = state.after(point)
    return state
