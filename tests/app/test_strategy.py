"""The strategy and what is made of its wish, by table."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.app.test_domain import AT
from trading.domain.instruments import Instrument
from trading.domain.orders import Product, Side
from trading.execution.sizing import order_for
from trading.marketdata.bars import Bar
from trading.strategies.ema import EmaParameters, EmaTrend, ema
from trading.strategies.registry import DEFAULTS, StrategyError, build, kinds

SMALL = EmaTrend("small", EmaParameters(fast=2, slow=3))
LONG, FLAT = Decimal("0.02"), Decimal(0)


def bars(closes: list[int]) -> list[Bar]:
    return [Bar("X", AT + timedelta(minutes=n), *(Decimal(close),) * 4, volume=100) for n, close in enumerate(closes)]


@pytest.mark.parametrize(
    ("values", "span", "expected"),
    [([5, 5, 5, 5], 3, "5"), ([1, 2, 3], 3, "2"), ([1, 2, 3, 6], 3, "4"), ([1, 2, 3, 6, 2], 3, "3"), ([3, 9], 1, "9")],
)
def test_ema(values: list[int], span: int, expected: str) -> None:
    assert ema([Decimal(v) for v in values], span) == Decimal(expected)


@pytest.mark.parametrize(
    ("closes", "share"),
    [
        ([100] * 12, None),
        ([*range(100, 112)], LONG),
        ([*range(112, 100, -1)], FLAT),
        ([1000] * 11 + [1006], None),
        ([1000] * 11 + [1007], LONG),
        ([1000] * 11 + [995], None),
        ([1000] * 11 + [993], FLAT),
        ([*range(100, 110), 60, 61], FLAT),
    ],
)
def test_crossover(closes: list[int], share: Decimal | None) -> None:
    target = SMALL.target([bar.close for bar in bars(closes)])
    assert (target.share if target else None) == share


@pytest.mark.parametrize(
    ("share", "holding", "price", "lot", "expected"),
    [
        (LONG, 0, "100", 1, (Side.BUY, 1000)),
        (LONG, 0, "2901.05", 1, (Side.BUY, 34)),
        (LONG, 0, "100", 300, (Side.BUY, 900)),
        (LONG, 0, "100001", 1, None),
        (LONG, 1, "100001", 1, None),
        (FLAT, 7, "100", 1, (Side.SELL, 7)),
        (FLAT, 0, "100", 1, None),
        # The drift of prices is not traded, up to twice and down to half.
        (LONG, 500, "100", 1, None),
        (LONG, 499, "100", 1, (Side.BUY, 501)),
        (LONG, 2000, "100", 1, None),
        (LONG, 2001, "100", 1, (Side.SELL, 1001)),
        # Delivery is never short.
        (-LONG, 0, "100", 1, None),
        (-LONG, 7, "100", 1, (Side.SELL, 7)),
    ],
)
def test_sizing(share: Decimal, holding: int, price: str, lot: int, expected: tuple[Side, int] | None) -> None:
    instrument = Instrument(symbol="X", exchange="NSE", tick_size=Decimal("0.05"), lot_size=lot)
    assert order_for(share, holding, Decimal(price), instrument, Product.CNC) == expected


@pytest.mark.parametrize(
    ("share", "holding", "expected"),
    [
        (-LONG, 0, (Side.SELL, 1000)),
        (-LONG, 7, (Side.SELL, 1007)),
        (LONG, -1000, (Side.BUY, 2000)),
        (FLAT, -7, (Side.BUY, 7)),
        (-LONG, -1000, None),
    ],
)
def test_intraday_may_be_short(share: Decimal, holding: int, expected: tuple[Side, int] | None) -> None:
    instrument = Instrument(symbol="X", exchange="NSE", tick_size=Decimal("0.05"))
    assert order_for(share, holding, Decimal(100), instrument, Product.MIS) == expected


@pytest.mark.parametrize(
    ("kind", "name", "parameters", "message"),
    [
        ("emma", "a", {}, "kind=emma: is not known; take one of ema"),
        ("ema", "A b", {}, "name=A b: must be 1 to 40 of a-z 0-9 -, a letter first; rename it"),
        ("ema", "a", {"fast": 30, "slow": 10}, "fast=30: must be below slow=10; change one of them"),
        ("ema", "a", {"fast": 0}, "fast=0: input should be greater than or equal to 1; the default is 10"),
        ("ema", "a", {"speed": 1}, "speed=1: ema has no such parameter; it has fast, slow, band, share"),
        ("ema", "a", {"band": "NaN"}, "band=NaN: input should be a finite number; the default is 0.001"),
    ],
)
def test_wrong_parameters_are_refused_in_one_line(
    kind: str, name: str, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(StrategyError) as refused:
        build(kind, name, parameters)
    assert str(refused.value).startswith(message)


def test_all_wrong_parameters_are_told_at_once() -> None:
    with pytest.raises(StrategyError) as refused:
        build("ema", "a", {"fast": 0, "slow": 0, "share": 2})
    assert [line.split("=")[0] for line in str(refused.value).splitlines()] == ["fast", "slow", "share"]


def test_defaults_can_be_built_and_only_one_trades() -> None:
    assert [instance.name for instance in DEFAULTS if instance.enabled] == ["ema-crossover"]
    assert {instance.kind for instance in DEFAULTS} <= kinds().keys()
    for instance in DEFAULTS:
        assert build(instance.kind, instance.name, instance.parameters).kind == instance.kind
