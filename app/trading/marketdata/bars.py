"""Bars and steps: the unit in which the market reaches everybody else."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

IST = ZoneInfo("Asia/Kolkata")


@dataclass(frozen=True, slots=True)
class Bar:
    """One symbol's trading in one interval.

    Attributes:
        at: begin of the interval, with a time zone.
        open, high, low, close: rupees a share.
        volume: shares.
    """

    symbol: str
    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


@dataclass(frozen=True, slots=True)
class Step:
    """The bars of all symbols that have one at the same moment, in symbol order.

    Attributes:
        number: position in its feed, from 1, without holes; the same number is the same step for ever.
    """

    number: int
    at: datetime
    bars: tuple[Bar, ...]
