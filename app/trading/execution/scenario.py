"""How a simulated venue misbehaves: chances that are a hash of a seed and of facts, so that they repeat exactly."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

PERCENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What can go wrong at the venue and on the way to it; nothing by default.

    Attributes:
        seed: of every chance.
        participation_percent: least and most of a bar's volume that is left to all our orders in it together.
        latency: market time before which an order that the venue has taken meets no bar; bars count as they begin, so
            that on minute bars two minutes miss one bar.
        reject_percent: orders that the venue refuses.
        outage_percent: moments at which the venue is away: orders get no answer, questions none, and nothing trades.
        lost_percent: orders that never arrived, of those that are asked for later.
        duplicate_percent: reports that are told twice.

    Raises:
        ValueError: a percentage is not 0 to 100, or the latency is negative.
    """

    seed: int = 1
    participation_percent: tuple[int, int] = (5, 15)
    latency: timedelta = timedelta(0)
    reject_percent: int = 0
    outage_percent: int = 0
    lost_percent: int = 0
    duplicate_percent: int = 0

    def __post_init__(self) -> None:
        low, high = self.participation_percent
        percentages = (low, high, self.reject_percent, self.outage_percent, self.lost_percent, self.duplicate_percent)
        if not all(0 <= value <= PERCENT for value in percentages) or low > high:
            raise ValueError(f"percentages {percentages}: must be 0 to 100, participation from low to high")
        if self.latency < timedelta(0):
            raise ValueError(f"latency={self.latency}: must not be negative")

    def happens(self, percent: int, *facts: object) -> bool:
        """Whether a chance of so many percent comes true for these facts."""
        return percent > 0 and self.number(PERCENT, *facts) < percent

    def number(self, below: int, *facts: object) -> int:
        """A whole number from 0 on below a bound."""
        return int(digest(self.seed, *facts), 16) % below


def digest(*facts: object) -> str:
    """A name for facts, the same in every process."""
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()[:24]
