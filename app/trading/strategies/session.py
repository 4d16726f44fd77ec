"""The part of a window that belongs to today's session."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from trading.marketdata.bars import IST, Bar

OPEN = timedelta(hours=9, minutes=15)


def session_bars(bars: Sequence[Bar]) -> Sequence[Bar]:
    """The bars, oldest first, of the newest one's day in India."""
    today = day_of(bars[-1])
    for number in range(len(bars) - 1, -1, -1):
        if day_of(bars[number]) != today:
            return bars[number + 1 :]
    return bars


def day_of(bar: Bar) -> int:
    """A number of the bar's day in India."""
    return bar.at.astimezone(IST).toordinal()


def since_open(at: datetime) -> timedelta:
    """Time since 09:15 of its day in India; below 0 before."""
    here = at.astimezone(IST)
    return timedelta(hours=here.hour, minutes=here.minute, seconds=here.second) - OPEN
