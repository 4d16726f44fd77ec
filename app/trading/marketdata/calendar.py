"""When the exchange trades: sessions of the cash segment as pure functions over days and aware times.

Every weekday has a regular session unless the data file names the day: holidays, and special sessions (muhurat, budget
on a weekend) with times of their own. A new list of holidays is a new file, named by the day it was as it says.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from importlib import resources

from trading.domain.errors import TradingError
from trading.marketdata.bars import IST

AS_OF = "2026-05-20"
PRE_OPEN, OPEN, CLOSE = time(9), time(9, 15), time(15, 30)
ORDER_COLLECTION = timedelta(minutes=8)  # of the pre-open session; what follows is matching
DAY = timedelta(days=1)


class CalendarError(TradingError):
    """A day or time that the calendar cannot answer for."""

    code = "CALENDAR"


class Phase(StrEnum):
    """What the exchange does: collects orders before the open, trades, or neither."""

    PRE_OPEN = "PRE_OPEN"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One day's trading, times in IST. Trading includes `open` and excludes `close`.

    Attributes:
        name: of a special session; None for a regular one.
    """

    day: date
    pre_open: datetime
    open: datetime
    close: datetime
    name: str | None = None

    def phase(self, at: datetime) -> Phase:
        """What the exchange does at a time, as far as this session goes."""
        if self.open <= at < self.close:
            return Phase.OPEN
        return Phase.PRE_OPEN if self.pre_open <= at < self.pre_open + ORDER_COLLECTION else Phase.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The sessions of the years from `first` to `last`, both included.

    Attributes:
        holidays: names by day.
        special: sessions that are not the regular one of a weekday.
        square_off_before_close: when open intraday (MIS) positions are closed; 15:20 on a regular day.
    """

    first: date
    last: date
    holidays: Mapping[date, str] = field(default_factory=dict)
    special: Mapping[date, Session] = field(default_factory=dict)
    square_off_before_close: timedelta = timedelta(minutes=10)

    def session(self, day: date) -> Session | None:
        """The session of a day, None when there is none.

        Raises:
            CalendarError: the day is outside the years of the calendar.
        """
        if not self.first <= day <= self.last:
            raise CalendarError(f"day={day}: the calendar covers {self.first} to {self.last}; add the year's holidays")
        if day in self.special:
            return self.special[day]
        if day.weekday() >= 5 or day in self.holidays:
            return None
        return regular_session(day)

    def phase(self, at: datetime) -> Phase:
        """What the exchange does at a time."""
        session = self.session(_ist(at).date())
        return session.phase(at) if session else Phase.CLOSED

    def is_open(self, at: datetime) -> bool:
        """Whether the exchange trades at a time."""
        return self.phase(at) is Phase.OPEN

    def next_session(self, at: datetime) -> Session:
        """The session that opens first after a time."""
        day = _ist(at).date()
        while True:
            session = self.session(day)
            if session and at < session.open:
                return session
            day += DAY

    def sessions(self, first: date, last: date) -> Iterator[Session]:
        """The sessions from one day to another, both included."""
        day = first
        while day <= last:
            if session := self.session(day):
                yield session
            day += DAY

    def square_off(self, session: Session) -> datetime:
        """When open intraday positions of the session are closed."""
        return session.close - self.square_off_before_close


@cache
def nse_calendar() -> Calendar:
    """The calendar that is shipped, as of `AS_OF`."""
    path = resources.files("trading.marketdata") / "data" / f"nse_calendar_{AS_OF}.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    days = {date.fromisoformat(row["day"]): row for row in rows}
    return Calendar(
        first=date(min(days).year, 1, 1),
        last=date(max(days).year, 12, 31),
        holidays={day: row["name"] for day, row in days.items() if row["kind"] == "holiday"},
        special={day: _special(day, row) for day, row in days.items() if row["kind"] == "special"},
    )


def regular_session(day: date) -> Session:
    """What a day's session is when nothing is said about it."""
    return _session(day, PRE_OPEN, OPEN, CLOSE)


def _special(day: date, row: Mapping[str, str]) -> Session:
    pre_open, open_, close = (time.fromisoformat(row[name]) for name in ("pre_open", "open", "close"))
    return _session(day, pre_open, open_, close, row["name"])


def _session(day: date, pre_open: time, open_: time, close: time, name: str | None = None) -> Session:
    return Session(
        day=day,
        pre_open=datetime.combine(day, pre_open, IST),
        open=datetime.combine(day, open_, IST),
        close=datetime.combine(day, close, IST),
        name=name,
    )


def _ist(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise CalendarError(f"time={at.isoformat()}: has no time zone; give it one")
    return at.astimezone(IST)
