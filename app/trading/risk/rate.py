"""How many orders a client has placed of late, all strategies together, as a pure state.

The rule that this serves counts orders in any second, so the state is a sliding window and no token bucket: a bucket of
ten that refills ten a second lets twenty through within one second.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class OrderRate:
    """Times of the orders of the last second, oldest first."""

    times: tuple[datetime, ...] = ()

    def count(self, now: datetime) -> int:
        """Orders within the second that ends now."""
        return sum(now - time < SECOND for time in self.times)

    def after(self, now: datetime) -> "OrderRate":
        """With an order placed now; older ones than a second are forgotten."""
        return OrderRate((*(time for time in self.times if now - time < SECOND), now))
