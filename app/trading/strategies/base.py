"""What a strategy is."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from trading.marketdata.bars import Bar


class Direction(IntEnum):
    """Which side of the market a strategy wants to be on, in one symbol."""

    FLAT = 0
    LONG = 1


class Strategy(Protocol):
    """A pure function from closed bars to a direction.

    It cannot look ahead: it is given the bars up to now and nothing else, and what it wants is traded at the next bar.
    It keeps nothing between calls, so a restarted engine decides as the old one would have.

    Attributes:
        name: stable; names the account that it trades in and prefixes its order ids.
        window: how many closed bars it needs; it is not asked before they are there.
    """

    @property
    def name(self) -> str: ...

    @property
    def window(self) -> int: ...

    def direction(self, bars: Sequence[Bar]) -> Direction | None:
        """What it wants after the newest of its `window` bars (one symbol, oldest first); None: leave it as it is."""
        ...
