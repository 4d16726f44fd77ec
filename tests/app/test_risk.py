"""Every deny code, at its edge on both sides."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.app.test_domain import request
from trading.domain.instruments import Instrument
from trading.domain.orders import OrderType, Product, Side
from trading.risk.checks import CHECKS, Context, Limits, check

LIMITS = Limits()
CONTEXT = Context(
    instrument=Instrument(symbol="RELIANCE", exchange="NSE", tick_size=Decimal("0.05"), lot_size=5),
    reference_price=Decimal(100),
    position=0,
    open_buy=0,
    open_sell=0,
    orders_last_second=0,
    duplicates=0,
)
LIMIT = {"order_type": OrderType.LIMIT}
SELL = {"side": Side.SELL}


@pytest.mark.parametrize(
    ("order", "world", "code"),
    [
        ({}, {}, None),
        ({}, {"instrument": None}, "RISK_SYMBOL: symbol=RELIANCE is not listed"),
        ({}, {"orders_last_second": 9}, None),
        ({}, {"orders_last_second": 10}, "RISK_RATE: orders_last_second=10 max=10"),
        ({}, {"duplicates": 1}, "RISK_DUPLICATE: equal_orders=1 window_s=0.1"),
        ({"quantity": 10_000}, {"reference_price": Decimal(1)}, None),
        ({"quantity": 10_005}, {"reference_price": Decimal(1)}, "RISK_QTY: qty=10005 max=10000"),
        ({"quantity": 7}, {}, "RISK_LOT: qty=7 lot=5"),
        (LIMIT | {"limit_price": Decimal("99.95")}, {}, None),
        (LIMIT | {"limit_price": Decimal("99.96")}, {}, "RISK_TICK: price=99.96 tick=0.05"),
        ({}, {"reference_price": None}, "RISK_NO_PRICE: symbol=RELIANCE has not traded yet"),
        ({"quantity": 10_000}, {}, None),
        (
            {"quantity": 10_000},
            {"reference_price": Decimal("100.05")},
            "RISK_NOTIONAL: notional=1000500.00 max=1000000",
        ),
        (LIMIT | {"quantity": 10_000, "limit_price": Decimal(101)}, {}, "RISK_NOTIONAL: notional=1010000 max=1000000"),
        (SELL, {"position": 10}, None),
        (SELL, {"position": 10, "open_sell": 5}, "RISK_HOLDING: sell_qty=10 free=5 product=CNC"),
        (SELL, {}, "RISK_HOLDING: sell_qty=10 free=0 product=CNC"),
        (SELL | {"product": Product.MIS}, {}, None),
        ({}, {"position": 24_990}, None),
        ({}, {"position": 24_995}, "RISK_POSITION: value=2500500 max=2500000"),
        ({}, {"position": 20_000, "open_buy": 4_995}, "RISK_POSITION: value=2500500 max=2500000"),
        ({}, {"position": -30_000}, None),
        (SELL | {"product": Product.MIS}, {"position": -24_995}, "RISK_POSITION: value=2500500 max=2500000"),
    ],
)
def test_check(order: dict[str, object], world: dict[str, object], code: str | None) -> None:
    denial = check(request(**order), replace(CONTEXT, **world), LIMITS)  # type: ignore[arg-type]
    assert (str(denial) if denial else None) == code


def test_every_check_is_in_the_table() -> None:
    table = test_check.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert len({code.split(":")[0] for _, _, code in table if code}) == len(CHECKS)
