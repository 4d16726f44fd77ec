"""The risk role: what every account is worth after a step, how far it has fallen, and the kill switch when too far."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from prometheus_client import Gauge

from trading.portfolio.equity import Drawdown, EquityPoint, drawdown
from trading.risk.killswitch import STRICTNESS, DrawdownLimits, watch
from trading.services.leader import Reign
from trading.storage.equity import AccountValue, account_values, peaks, save_points
from trading.storage.market import active_progress
from trading.storage.tradingstate import lock_state, record, trading_state

log = logging.getLogger(__name__)
EQUITY = Gauge("trading_risk_equity_rupees", "Cash and market value of an account", ["account"])
EXPOSURE = Gauge("trading_risk_exposure_rupees", "Market value of an account's positions", ["account", "kind"])
DRAWDOWN = Gauge("trading_risk_drawdown_ratio", "Fall of an account's equity since its peak", ["account"])
STATE = Gauge("trading_risk_state", "The kill switch: 0 ACTIVE, 1 REDUCING, 2 HALTED")

PERIOD_S = 1.0
ACTOR = "risk"


class RiskWatch:
    """See the module: every account is watched by itself, so that one with losses is not hidden by the others' cash."""

    def __init__(self, limits: DrawdownLimits) -> None:
        self._limits = limits

    def lead(self, reign: Reign) -> None:
        """Watch until done."""
        seen: tuple[str, int] | None = None
        while not reign.done():
            progress = active_progress(reign.connection)
            STATE.set(STRICTNESS[trading_state(reign.connection)])
            if progress and progress.at and (progress.feed_id, progress.step) != seen:
                self._look(reign, progress.at)
                seen = progress.feed_id, progress.step
            reign.alive()
            reign.pause(PERIOD_S)

    def _look(self, reign: Reign, at: datetime) -> None:
        connection = reign.connection
        values = account_values(connection)
        with reign.writing():
            save_points(connection, at, values)
            known = peaks(connection)
        _show(values, known)
        if watch(trading_state(connection), lambda: deepest(values, known, at), self._limits, ACTOR):
            with reign.writing():
                change = watch(lock_state(connection), lambda: deepest(values, known, at), self._limits, ACTOR)
                if change:
                    record(connection, change)
                    log.error("kill switch", extra={"state": change.state, "reason": change.reason})
                    STATE.set(STRICTNESS[change.state])


def fall(value: AccountValue, peak: Decimal, at: datetime) -> Drawdown:
    """How far an account has fallen from a peak."""
    return drawdown([EquityPoint(at, peak), EquityPoint(at, value.equity)])


def deepest(values: Sequence[AccountValue], known: Mapping[str, Decimal], at: datetime) -> Drawdown:
    """The deepest fall of any account; none when there are none.

    Raises:
        KeyError: an account has no peak.
    """
    falls = [fall(value, known[value.account], at) for value in values]
    return max(falls, key=lambda one: one.depth, default=Drawdown())


def _show(values: Sequence[AccountValue], known: Mapping[str, Decimal]) -> None:
    for value in values:
        EQUITY.labels(value.account).set(float(value.equity))
        EXPOSURE.labels(value.account, "gross").set(float(value.gross))
        EXPOSURE.labels(value.account, "net").set(float(value.net))
        peak = known.get(value.account, value.equity)
        DRAWDOWN.labels(value.account).set(float((peak - value.equity) / peak) if peak > 0 else 0)
