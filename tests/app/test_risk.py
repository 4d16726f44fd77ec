"""Every deny code, at its edge on both sides."""

import dataclasses
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.test_domain import ACK, AT, STOP, fill, request
from toolchain.kit.paths import ROOT
from trading.costs.table import nse_equity
from trading.domain.events import Initialized, OrderEvent, Submitted
from trading.domain.instruments import Instrument
from trading.domain.lifecycle import fold
from trading.domain.orders import Mode, Order, OrderType, Product, Side, Terms
from trading.risk.checks import CHECKS, Context, Limits, check, check_change, growth, reduces
from trading.risk.codes import TEXTS, DenyCode
from trading.risk.killswitch import TradingState
from trading.risk.rate import OrderRate
from trading.risk.table import page

LIMITS = Limits(max_exposure=Decimal(5_000_000), max_strategy_exposure=Decimal(4_000_000))
CONTEXT = Context(
    instrument=Instrument(
        symbol="RELIANCE",
        exchange="NSE",
        tick_size=Decimal("0.05"),
        lot_size=5,
        freeze_quantity=9_000,
        lower_band_percent=Decimal(10),
        upper_band_percent=Decimal(10),
    ),
    reference_price=Decimal(100),
    rates=nse_equity().rates(date(2026, 3, 2), Product.CNC, Side.BUY),
)
PROTECTED: dict[str, object] = {"market_protection_percent": Decimal(3)}


def limit(price: str | int, **more: object) -> dict[str, object]:
    return {"order_type": OrderType.LIMIT, "limit_price": Decimal(price), "market_protection_percent": None, **more}


def stop(trigger: str | int, **more: object) -> dict[str, object]:
    return STOP | {"trigger_price": Decimal(trigger), **more}


SELL = {"side": Side.SELL}
MIS = {"product": Product.MIS}
EMA = {"strategy_id": "ema"}
CHEAP = {"reference_price": Decimal(1)}
YESTERDAY = {"previous_close": Decimal("95.02")}
REDUCING = {"trading_state": TradingState.REDUCING}


@pytest.mark.parametrize(
    ("order", "world", "code"),
    [
        ({}, {}, None),
        ({}, {"trading_state": TradingState.HALTED}, "RISK_HALTED: state=HALTED"),
        (SELL, {"trading_state": TradingState.HALTED, "position": 10}, "RISK_HALTED: state=HALTED"),
        ({}, REDUCING, "RISK_REDUCING: state=REDUCING side=BUY position=0"),
        (SELL, REDUCING | {"position": 10}, None),
        (SELL, REDUCING | {"position": 10, "open_sell": 5}, "RISK_REDUCING: state=REDUCING side=SELL position=10"),
        (MIS, REDUCING | {"position": -10}, None),
        ({}, {"is_session_open": False}, "RISK_SESSION: session=closed"),
        ({"mode": Mode.LIVE}, {}, "RISK_ALGO: mode=LIVE strategy=None algo_id=None"),
        ({"mode": Mode.LIVE, "algo_id": "A1"}, {}, None),
        ({}, {"instrument": None}, "RISK_SYMBOL: symbol=RELIANCE is not listed"),
        ({}, {"orders_last_second": 9}, None),
        ({}, {"orders_last_second": 10}, "RISK_RATE: orders_last_second=10 max=10"),
        ({}, {"duplicates": 1}, "RISK_DUPLICATE: equal_orders=1 window_s=0.1"),
        ({"quantity": 9_000}, CHEAP, None),
        ({"quantity": 9_005}, CHEAP, "RISK_FREEZE: qty=9005 freeze=9000"),
        ({"quantity": 10_005}, CHEAP, "RISK_QTY: qty=10005 max=10000"),
        ({"quantity": 7}, {}, "RISK_LOT: qty=7 lot=5"),
        (limit("99.95"), {}, None),
        (limit("99.96"), {}, "RISK_TICK: price=99.96 tick=0.05"),
        (stop("99.96"), {}, "RISK_TICK: price=99.96 tick=0.05"),
        ({"market_protection_percent": None}, {}, "RISK_PROTECTION: market_protection_percent=None max=5"),
        ({"market_protection_percent": Decimal(5)}, {}, None),
        ({"market_protection_percent": Decimal("5.1")}, {}, "RISK_PROTECTION: market_protection_percent=5.1 max=5"),
        (stop(101, market_protection_percent=None), {}, "RISK_PROTECTION: market_protection_percent=None max=5"),
        ({}, {"reference_price": None}, "RISK_NO_PRICE: symbol=RELIANCE has not traded yet"),
        # Ten percent of 95.02 in whole ticks within: 85.55 to 104.50.
        (limit("104.50"), YESTERDAY, None),
        (limit("104.55"), YESTERDAY, "RISK_BAND: price=104.55 lower=85.55 upper=104.50"),
        (limit("85.50"), YESTERDAY, "RISK_BAND: price=85.50 lower=85.55 upper=104.50"),
        (stop("104.55"), YESTERDAY, "RISK_BAND: price=104.55 lower=85.55 upper=104.50"),
        (limit(110), {}, None),
        (limit("110.05"), {}, "RISK_DEVIATION: price=110.05 last=100 max_percent=10"),
        (limit("89.95"), {}, "RISK_DEVIATION: price=89.95 last=100 max_percent=10"),
        (limit(111, quantity=9_000), {"reference_price": Decimal(111)}, None),
        (
            limit("111.10", quantity=9_005),
            {"reference_price": Decimal(111), "instrument": None},
            "RISK_SYMBOL: symbol=RELIANCE is not listed",
        ),
        ({"quantity": 9_000}, {"reference_price": Decimal("107.80")}, None),
        (
            {"quantity": 9_000},
            {"reference_price": Decimal("107.90")},
            "RISK_NOTIONAL: notional=1000233.000 max=1000000",
        ),
        (SELL, {"position": 10}, None),
        (SELL, {"position": 10, "open_sell": 5}, "RISK_HOLDING: sell_qty=10 free=5 product=CNC"),
        (SELL, {}, "RISK_HOLDING: sell_qty=10 free=0 product=CNC"),
        (SELL | MIS, {}, None),
        (limit(100), {"position": 24_990}, None),
        (limit(100), {"position": 24_995}, "RISK_POSITION: value=2500500 max=2500000"),
        (limit(100), {"position": 20_000, "open_buy": 4_995}, "RISK_POSITION: value=2500500 max=2500000"),
        (limit(100), {"position": -30_000}, None),
        (SELL | MIS, {"position": -24_995}, "RISK_POSITION: value=2500500 max=2500000"),
        (limit(100), {"exposure": Decimal(4_999_000)}, None),
        (limit(100), {"exposure": Decimal(4_999_001)}, "RISK_EXPOSURE: value=5000001 max=5000000"),
        (SELL, {"exposure": Decimal(4_999_001), "position": 10}, None),
        (limit(100, **EMA), {"strategy_exposure": Decimal(3_999_000)}, None),
        (limit(100, **EMA), {"strategy_exposure": Decimal(3_999_001)}, "RISK_STRATEGY: value=4000001 max=4000000"),
        (limit(100), {"strategy_exposure": Decimal(3_999_001)}, None),
        # 1000 and its charges: STT 1, stamp 0.15, exchange 0.0307, SEBI 0.001, GST 0.005706.
        (limit(100), {"buying_power": Decimal("1001.187406")}, None),
        (limit(100), {"buying_power": Decimal("1001.187405")}, "RISK_CASH: needed=1001.19 left=1001.19"),
        # The protected price is what may have to be paid.
        ({}, {"buying_power": Decimal(1030)}, "RISK_CASH: needed=1031.22 left=1030.00"),
        (SELL, {"buying_power": Decimal(-5), "position": 10}, None),
        (limit(100), {"rates": None, "buying_power": Decimal(1000)}, None),
    ],
)
def test_check(order: dict[str, object], world: dict[str, Any], code: str | None) -> None:
    denial = check(request(**PROTECTED | order), CONTEXT._replace(**world), LIMITS)
    assert (str(denial) if denial else None) == code


def test_every_code_is_in_the_table() -> None:
    table = test_check.pytestmark[0].args[1]
    assert {code.split(":")[0] for _, _, code in table if code} == {*DenyCode} - {DenyCode.ERROR}


@pytest.mark.parametrize("number", range(len(CHECKS)))
def test_check_that_raises_denies(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """hummingbot #2534: an exception inside the switch, and orders went on."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    checks = [*CHECKS[:number], broken, *CHECKS[number + 1 :]]
    monkeypatch.setattr("trading.risk.checks.CHECKS", checks)
    assert str(check(request(**PROTECTED), CONTEXT, LIMITS)) == "RISK_ERROR: check=broken error=ZeroDivisionError"


def working(*events: OrderEvent, **changes: object) -> Order:
    return fold(request(**limit(100, **changes)), [Initialized(), Submitted(), ACK, *events])


@pytest.mark.parametrize(
    ("terms", "world", "code"),
    [
        (Terms(5, Decimal(100)), {"trading_state": TradingState.HALTED}, None),
        (Terms(10, Decimal(101)), {"trading_state": TradingState.HALTED}, "RISK_HALTED"),
        (Terms(14, Decimal(101)), {"buying_power": Decimal(1000)}, "RISK_CASH"),
        (Terms(14, Decimal(100)), {"buying_power": Decimal(2000)}, None),
        (Terms(16, Decimal(100)), {}, "RISK_LOT"),
        (Terms(9, Decimal("100.01")), {}, "RISK_TICK"),
    ],
)
def test_changed_terms_are_checked_like_an_order_for_what_is_left(
    terms: Terms, world: dict[str, Any], code: str | None
) -> None:
    denial = check_change(working(fill(4)), terms, CONTEXT._replace(**world), LIMITS)
    assert (denial.code if denial else None) == code


shares = st.integers(0, 500)


@given(st.integers(-500, 500), shares, shares, st.sampled_from(Side), st.integers(1, 500))
def test_reducing_order_never_makes_a_position_larger(
    position: int, open_buy: int, open_sell: int, side: Side, quantity: int
) -> None:
    """Whatever part of the open orders of its side is filled before it."""
    context = CONTEXT._replace(position=position, open_buy=open_buy, open_sell=open_sell)
    order = request(side=side, quantity=quantity)
    pending = open_buy if side is Side.BUY else open_sell
    if reduces(order, context):
        for filled in {0, pending // 2, pending}:
            before = position + side.sign * filled
            assert abs(before + side.sign * quantity) < abs(before)
        assert growth(order, context._replace(open_buy=0, open_sell=0)) == 0
    assert 0 <= growth(order, context) <= quantity


@given(st.lists(st.integers(0, 400), max_size=60))
def test_never_more_than_the_limit_in_any_second(gaps_ms: list[int]) -> None:
    """A bucket of ten that refills ten a second would let twenty through."""
    rate, now, placed = OrderRate(), AT, []
    for gap in gaps_ms:
        now += timedelta(milliseconds=gap)
        if rate.count(now) < LIMITS.max_orders_a_second:
            rate = rate.after(now)
            placed.append(now)
    for time in placed:
        assert sum(time <= other < time + timedelta(seconds=1) for other in placed) <= LIMITS.max_orders_a_second
    assert len(rate.times) <= LIMITS.max_orders_a_second


def test_limits_and_codes_are_all_documented() -> None:
    assert set(TEXTS) == set(DenyCode)
    text = page()
    assert all(code in text for code in DenyCode)
    assert all(f"`{field.name}`" in text for field in dataclasses.fields(Limits))
    assert (ROOT / "docs/engine/risk.md").read_text() == text, "run: python -m trading.risk.table > docs/engine/risk.md"
