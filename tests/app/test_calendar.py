"""When the exchange trades: regular days, holidays, special sessions, and times in other zones."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.marketdata.bars import IST
from trading.marketdata.calendar import CalendarError, Phase, nse_calendar

CALENDAR = nse_calendar()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


@pytest.mark.parametrize(
    ("time", "phase"),
    [
        ("2026-01-05T08:59:59", Phase.CLOSED),
        ("2026-01-05T09:00", Phase.PRE_OPEN),
        ("2026-01-05T09:07:59", Phase.PRE_OPEN),
        ("2026-01-05T09:08", Phase.CLOSED),
        ("2026-01-05T09:15", Phase.OPEN),
        ("2026-01-05T15:29:59", Phase.OPEN),
        ("2026-01-05T15:30", Phase.CLOSED),
        ("2026-01-04T11:00", Phase.CLOSED),
        ("2026-01-26T11:00", Phase.CLOSED),
        ("2026-02-01T11:00", Phase.OPEN),
        ("2025-10-21T11:00", Phase.CLOSED),
        ("2025-10-21T13:30", Phase.PRE_OPEN),
        ("2025-10-21T13:45", Phase.OPEN),
        ("2025-10-21T14:45", Phase.CLOSED),
    ],
)
def test_phase(time: str, phase: Phase) -> None:
    assert CALENDAR.phase(at(time)) is phase
    assert CALENDAR.phase(at(time).astimezone(UTC)) is phase
    assert CALENDAR.is_open(at(time)) is (phase is Phase.OPEN)


@pytest.mark.parametrize(
    ("time", "opens"),
    [
        ("2026-01-05T09:00", "2026-01-05T09:15"),
        ("2026-01-05T09:15", "2026-01-06T09:15"),
        ("2026-01-14T16:00", "2026-01-16T09:15"),
        ("2026-01-30T16:00", "2026-02-01T09:15"),
        ("2026-04-02T16:00", "2026-04-06T09:15"),
        ("2025-10-20T16:00", "2025-10-21T13:45"),
        ("2025-10-21T14:00", "2025-10-23T09:15"),
    ],
)
def test_next_session(time: str, opens: str) -> None:
    assert CALENDAR.next_session(at(time)).open == at(opens)


@pytest.mark.parametrize(("year", "count"), [(2025, 249), (2026, 246)])
def test_sessions_of_a_year(year: int, count: int) -> None:
    sessions = list(CALENDAR.sessions(date(year, 1, 1), date(year, 12, 31)))
    assert len(sessions) == count
    assert [s.day for s in sessions] == sorted({s.day for s in sessions})
    assert not any(s.day in CALENDAR.holidays for s in sessions)


def test_intraday_positions_are_closed_ten_minutes_before_the_close() -> None:
    regular, muhurat = (CALENDAR.session(date(2025, 10, day)) for day in (20, 21))
    assert regular
    assert muhurat
    assert CALENDAR.square_off(regular) == at("2025-10-20T15:20")
    assert CALENDAR.square_off(muhurat) == at("2025-10-21T14:35")
    earlier = replace(CALENDAR, square_off_before_close=timedelta(minutes=15))
    assert earlier.square_off(regular) == at("2025-10-20T15:15")


def test_what_the_calendar_does_not_know_is_an_error() -> None:
    with pytest.raises(CalendarError, match="day=2027-01-01: the calendar covers 2025-01-01 to 2026-12-31"):
        CALENDAR.session(date(2027, 1, 1))
    with pytest.raises(CalendarError, match="has no time zone"):
        CALENDAR.phase(datetime(2026, 1, 5, 10))


@settings(deadline=None)
@given(st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 20)))
def test_next_session_is_the_first_that_opens_later(naive: datetime) -> None:
    time = naive.replace(tzinfo=IST)
    found = CALENDAR.next_session(time)
    assert found.open > time
    assert all(s.open <= time for s in CALENDAR.sessions(time.date(), found.day - timedelta(days=1)))
    assert CALENDAR.is_open(found.open)
    assert found.pre_open < found.open < CALENDAR.square_off(found) < found.close
