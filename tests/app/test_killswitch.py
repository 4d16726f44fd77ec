"""The kill switch: tightens by itself, is loosened by people, and fails on the safe side."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.test_domain import AT
from trading.portfolio.equity import Drawdown, EquityPoint, drawdown
from trading.risk.killswitch import (
    STRICTNESS,
    Cause,
    Change,
    DrawdownLimits,
    KillSwitchError,
    Role,
    TradingState,
    reset,
    tighten,
    watch,
)

ACTIVE, REDUCING, HALTED = TradingState
LIMITS = DrawdownLimits()


def after(*equities: int) -> Drawdown:
    return drawdown(EquityPoint(AT + timedelta(minutes=n), Decimal(e)) for n, e in enumerate(equities))


@pytest.mark.parametrize(
    ("state", "equities", "to"),
    [
        (ACTIVE, (), None),
        (ACTIVE, (100, 100, 100), None),
        (ACTIVE, (100, 96), None),
        (ACTIVE, (100, 95), REDUCING),
        (ACTIVE, (100, 90), HALTED),
        (REDUCING, (100, 94), None),
        (REDUCING, (100, 90), HALTED),
        (HALTED, (100, 50), None),
        (ACTIVE, (100, 90, 99), None),
    ],
)
def test_drawdown_tightens(state: TradingState, equities: tuple[int, ...], to: TradingState | None) -> None:
    """hummingbot #1866: a switch that fired without a trade. Equity that does not move has no drawdown."""
    change = watch(state, lambda: after(*equities), LIMITS, "engine")
    assert (change.state if change else None) == to
    assert change is None or change.cause is Cause.DRAWDOWN


def test_drawdown_that_cannot_be_measured_halts() -> None:
    """hummingbot #2534: an exception inside the switch, and orders went on."""

    def broken() -> Drawdown:
        raise ConnectionError

    change = watch(ACTIVE, broken, LIMITS, "engine")
    assert change == Change(HALTED, Cause.ERROR, "the drawdown cannot be measured: ConnectionError", "engine")
    assert watch(HALTED, broken, LIMITS, "engine") is None


def test_reset_needs_a_reason_and_a_risk_manager() -> None:
    for role, reason, to, message in (
        (Role.TRADER, "all is well", ACTIVE, "role=TRADER: may not reset"),
        (Role.RISK_MANAGER, "  ", ACTIVE, "reason: is empty"),
        (Role.RISK_MANAGER, "all is well", HALTED, "state=HALTED: is not looser than HALTED"),
    ):
        with pytest.raises(KillSwitchError, match=message):
            reset(HALTED, to, reason=reason, actor="ann", role=role)
    change = reset(HALTED, REDUCING, reason="feed repaired", actor="ann", role=Role.RISK_MANAGER)
    assert change == Change(REDUCING, Cause.RESET, "feed repaired", "ann")


def test_after_a_reset_drawdown_is_measured_anew() -> None:
    assert watch(ACTIVE, lambda: after(90), LIMITS, "engine") is None


@given(st.sampled_from(TradingState), st.sampled_from(TradingState))
def test_nothing_but_a_reset_loosens(state: TradingState, to: TradingState) -> None:
    change = tighten(state, to, Cause.OPERATOR, "a reason", "ann")
    assert (change is None) == (STRICTNESS[to] <= STRICTNESS[state])


@pytest.mark.parametrize(("reduce_at", "halt_at"), [("0", "0.1"), ("0.2", "0.1"), ("-0.1", "0.1")])
def test_limits_in_the_wrong_order_are_refused(reduce_at: str, halt_at: str) -> None:
    with pytest.raises(ValueError, match=f"reduce_at={reduce_at}, halt_at={halt_at}: must be"):
        DrawdownLimits(reduce_at=Decimal(reduce_at), halt_at=Decimal(halt_at))
