"""The strategy and what is made of its wish, by table."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.test_domain import AT
from trading.domain.instruments import Instrument
from trading.domain.orders import Side
from trading.execution.sizing import order_for
from trading.marketdata.bars import Bar, Step
from trading.marketdata.history import History
from trading.strategies.base import Direction
from trading.strategies.ema import EmaCrossover, ema

SMALL = EmaCrossover(fast=2, slow=3, band=Decimal("0.001"))


def bars(closes: list[int]) -> list[Bar]:
    return [Bar("X", AT + timedelta(minutes=n), *(Decimal(close),) * 4, volume=100) for n, close in enumerate(closes)]


@pytest.mark.parametrize(
    ("values", "span", "expected"),
    [([5, 5, 5, 5], 3, "5"), ([1, 2, 3], 3, "2"), ([1, 2, 3, 6], 3, "4"), ([1, 2, 3, 6, 2], 3, "3"), ([3, 9], 1, "9")],
)
def test_ema(values: list[int], span: int, expected: str) -> None:
    assert ema([Decimal(v) for v in values], span) == Decimal(expected)


@pytest.mark.parametrize(
    ("closes", "direction"),
    [
        ([100] * 12, None),
        ([*range(100, 112)], Direction.LONG),
        ([*range(112, 100, -1)], Direction.FLAT),
        ([1000] * 11 + [1006], None),
        ([1000] * 11 + [1007], Direction.LONG),
        ([1000] * 11 + [995], None),
        ([1000] * 11 + [993], Direction.FLAT),
        ([*range(100, 110), 60, 61], Direction.FLAT),
    ],
)
def test_crossover(closes: list[int], direction: Direction | None) -> None:
    assert SMALL.direction(bars(closes)) is direction


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="fast=30, slow=10: must be 1 <= fast < slow"):
        EmaCrossover(fast=30, slow=10)


@given(st.lists(st.integers(50, 150), min_size=20, max_size=40), st.lists(st.integers(1, 1000), max_size=5))
def test_strategy_sees_no_future(past: list[int], future: list[int]) -> None:
    """What it decided on the past stays decided, whatever comes."""

    def decisions(closes: list[int]) -> list[Direction | None]:
        history = History(SMALL.window)
        found: list[Direction | None] = []
        for number, bar in enumerate(bars(closes), start=1):
            history.push(Step(number, bar.at, (bar,)))
            window = history.last("X", SMALL.window)
            found += [SMALL.direction(window)] if window else []
        return found

    known = decisions(past)
    assert decisions(past + future)[: len(known)] == known


@pytest.mark.parametrize(
    ("direction", "holding", "price", "lot", "expected"),
    [
        (Direction.LONG, 0, "100", 1, (Side.BUY, 1000)),
        (Direction.LONG, 0, "2901.05", 1, (Side.BUY, 34)),
        (Direction.LONG, 0, "100", 300, (Side.BUY, 900)),
        (Direction.LONG, 0, "100001", 1, None),
        (Direction.LONG, 7, "100", 1, None),
        (Direction.FLAT, 7, "100", 1, (Side.SELL, 7)),
        (Direction.FLAT, 0, "100", 1, None),
        (None, 7, "100", 1, None),
    ],
)
def test_sizing(direction: Direction, holding: int, price: str, lot: int, expected: tuple[Side, int] | None) -> None:
    instrument = Instrument(symbol="X", exchange="NSE", tick_size=Decimal("0.05"), lot_size=lot)
    assert order_for(direction, holding, Decimal(price), instrument) == expected
