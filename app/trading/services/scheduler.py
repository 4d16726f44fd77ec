"""The scheduler role: what has to happen at certain market times, and what is done by the way."""

import logging
import time
from datetime import datetime, timedelta

from prometheus_client import Counter, Gauge

from trading.marketdata.bars import IST
from trading.marketdata.calendar import Calendar
from trading.risk.checks import Limits
from trading.risk.killswitch import TradingState
from trading.services.backtests import Backtests
from trading.services.leader import Reign
from trading.services.squareoff import is_due, square_off
from trading.storage.equity import last_point_before, save_report
from trading.storage.market import Progress, active_progress
from trading.storage.partitions import HISTORIES, create, drop_old, months_wanted
from trading.storage.retention import BATCH, EXPIRED, delete_expired
from trading.storage.tradingstate import trading_state

log = logging.getLogger(__name__)
SQUARED = Counter("trading_square_off_orders_total", "Orders placed to close intraday positions")
REPORTS = Counter("trading_daily_reports_total", "Rows written at the end of market days")
EXPIRED_ROWS = Counter("trading_expired_rows_deleted_total", "Rows deleted because their time was over", ["table"])
MARKET_TIME = Gauge("trading_market_time_seconds", "Begin of the last bar played, as Unix time")

PERIOD_S = 0.5
UPKEEP_S = 60.0
DAY = timedelta(days=1)


class Scheduler:
    """See the module. What is due follows from market time and the database alone, so that nothing is forgotten."""

    def __init__(self, calendar: Calendar, backtests: Backtests, limits: Limits) -> None:
        self._calendar = calendar
        self._backtests = backtests
        self._limits = limits

    def lead(self, reign: Reign) -> None:
        """Do what is due until done."""
        upkeep_at, clean_at, reported = 0.0, 0.0, None
        try:
            while not reign.done():
                progress = active_progress(reign.connection)
                if progress and progress.at:
                    MARKET_TIME.set(progress.at.timestamp())
                    self._square_off(reign, progress, progress.at)
                    day = (progress.feed_id, progress.at.date())
                    if day != reported:
                        _report(reign, progress.feed_id, progress.at)
                        reported = day
                    if time.monotonic() >= upkeep_at:
                        upkeep_at = time.monotonic() + UPKEEP_S
                        _upkeep(reign, progress.at)
                if time.monotonic() >= clean_at and not clean(reign):
                    clean_at = time.monotonic() + UPKEEP_S
                self._backtests.step(reign)
                reign.alive()
                reign.pause(PERIOD_S)
            self._backtests.stop(reign)
        finally:
            self._backtests.kill()

    def _square_off(self, reign: Reign, progress: Progress, at: datetime) -> None:
        # Halted, every order would be denied; when it is reset in time, they are placed then.
        if not is_due(self._calendar, at) or trading_state(reign.connection) is TradingState.HALTED:
            return
        with reign.writing():
            placed = square_off(reign.connection, progress, self._limits)
        for order in placed:
            SQUARED.inc()
            log.info("square-off", extra={"order": str(order.order_id), "status": order.status})


def _report(reign: Reign, feed_id: str, at: datetime) -> None:
    """What accounts had come to on the market day before the present one."""
    midnight = at.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)
    point = last_point_before(reign.connection, midnight)
    if point is None:
        return
    begin = point.at.replace(hour=0, minute=0, second=0, microsecond=0)
    with reign.writing():
        rows = save_report(reign.connection, feed_id, begin, begin + DAY)
    if rows:
        REPORTS.inc(rows)
        log.info("day reported", extra={"day": begin.date().isoformat(), "accounts": rows})


def _upkeep(reign: Reign, at: datetime) -> None:
    """Partitions ahead of the market, and away with what is too old."""
    for history in HISTORIES:
        today = history.today(at)
        with reign.writing():
            made = [month.isoformat() for month in months_wanted(today) if create(reign.connection, history, month)]
            dropped = drop_old(reign.connection, history, today)
        if made or dropped:
            log.info("partitions", extra={"table": history.table, "made": made, "dropped": dropped})


def clean(reign: Reign, batch: int = BATCH) -> bool:
    """Delete what has expired, of each table a batch, so that nothing that is due waits; whether there may be more."""
    is_left = False
    for table in EXPIRED:
        with reign.writing():
            deleted = delete_expired(reign.connection, table, batch)
        if deleted:
            EXPIRED_ROWS.labels(table).inc(deleted)
            log.info("expired", extra={"table": table, "deleted": deleted})
        is_left |= deleted == batch
    return is_left
