"""Every kind of strategy: no look-ahead, no memory, its warm-up, and what it wants by table."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.kit.paths import ROOT
from trading.domain.orders import Product
from trading.marketdata.bars import IST, Bar, Step
from trading.marketdata.history import History
from trading.strategies.base import Strategy, Target
from trading.strategies.classifier import Classifier
from trading.strategies.features import NAMES
from trading.strategies.model import Model, sealed, stability
from trading.strategies.registry import OURS, StrategyError, build, kinds
from trading.strategies.reversion import rsi
from trading.strategies.table import page

DAY = datetime(2026, 1, 5, 9, 15, tzinfo=IST)
MINUTE = timedelta(minutes=1)
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")


def model(**changes: object) -> Model:
    """A model that follows the last move."""
    steps = (1000, 1000, 1000, 2000, 2, 10, 4)  # of each feature's edges, as parts of one
    edges = [[n / step for n in (range(1, 10) if step in (2000, 10) else range(-4, 5))] for step in steps]
    values: dict[str, object] = {
        "horizon": 5,
        "trained_from": DAY - timedelta(days=60),
        "trained_until": DAY - timedelta(days=1),
        "data": "made by hand",
        "rows": 100,
        "means": [0.0] * len(NAMES),
        "scales": [0.001] * len(NAMES),
        "weights": [1.0, *[0.0] * (len(NAMES) - 1)],
        "intercept": 0.0,
        "edges": edges,
    }
    return sealed(values | changes)


# Short windows, so that a test's few bars are enough; a kind without a line here runs with its defaults.
SMALL: Mapping[str, dict[str, Any]] = {
    "ema": {"fast": 2, "slow": 4},
    "reversion": {"period": 5, "rsi_period": 2, "width": 0.5, "oversold": 45},
    "breakout": {"range_minutes": 3, "session_bars": 20},
    "momentum": {"lookback": 8, "skip": 1, "buy": 1, "keep": 2, "share": "0.1"},
    "pairs": {"first": "AAA", "second": "BBB", "lookback": 10, "entry": 0.8, "leave": 0.2},
    "vwap": {"entry": 0.5, "leave": 0.1, "least_bars": 3, "session_bars": 20},
    "classifier": {"model": model().model_dump(mode="json"), "drift_bars": 20, "drift_every": 1, "max_drift": 10},
}


def market(seed: int, minutes: int, sessions: int = 2) -> list[Step]:
    """Bars of four symbols that walk at random, some missing, in sessions of so many minutes."""
    rng = random.Random(seed)
    ticks, steps = dict.fromkeys(SYMBOLS, 20_000), []
    for number in range(minutes * sessions):
        day, minute = divmod(number, minutes)
        at = DAY + timedelta(days=day) + minute * MINUTE
        bars = []
        for symbol in SYMBOLS:
            begin, ticks[symbol] = ticks[symbol], max(100, ticks[symbol] + rng.randint(-60, 60))
            four = [Decimal(t) / 20 for t in (begin, max(begin, ticks[symbol]) + 2, min(begin, ticks[symbol]) - 2)]
            bar = Bar(symbol, at, four[0], four[1], four[2], Decimal(ticks[symbol]) / 20, rng.randint(0, 9000))
            bars += [bar] if rng.random() < 0.97 else []
        steps.append(Step(number + 1, at, tuple(bars)))
    return steps


def wanted(strategy: Strategy, steps: Sequence[Step]) -> list[Mapping[str, Target]]:
    history = History(strategy.window)
    found: list[Mapping[str, Target]] = []
    for step in steps:
        history.push(step)
        found.append(dict(strategy.targets(history.market(step, strategy.window))))
    return found


@pytest.mark.parametrize("kind", kinds())
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(25, 75))
def test_no_strategy_sees_the_future_or_remembers(kind: str, seed: int, cut: int) -> None:
    """What it wanted stays when other bars follow, and is the same for an engine that begins with its window only."""
    strategy = build(kind, "some", SMALL.get(kind, {}))
    past, other = market(seed, 40), market(seed + 1, 40)
    known = wanted(strategy, past)
    assert wanted(strategy, past[:cut] + other[cut:])[:cut] == known[:cut]
    whole = [step for step in past[:cut] if len(step.bars) == len(SYMBOLS)]
    late = whole[-strategy.window :]
    if len(late) == strategy.window:
        assert wanted(strategy, late)[-1] == wanted(strategy, whole)[-1]


@pytest.mark.parametrize("kind", SMALL)
def test_every_strategy_waits_for_its_window_then_speaks(kind: str) -> None:
    strategy = build(kind, "some", SMALL[kind])
    steps = [step for step in market(3, 200) if len(step.bars) == len(SYMBOLS)]
    found = wanted(strategy, steps)
    assert not any(found[: strategy.window - 1])
    assert {target.share for targets in found for target in targets.values()} >= {Decimal(0)} or kind == "breakout"
    shares = [target.share for targets in found for target in targets.values()]
    assert any(shares)
    assert all(-1 <= share <= 1 for share in shares)
    assert strategy.product is Product.MIS or min(shares) >= 0


def test_every_kind_of_ours_is_tried_here() -> None:
    assert {kind.name for kind in OURS} == SMALL.keys()


def closes(values: Sequence[float], symbol: str = "AAA", begin: datetime = DAY) -> list[Bar]:
    prices = [Decimal(str(value)) for value in values]
    return [Bar(symbol, begin + n * MINUTE, p, p, p, p, 100) for n, p in enumerate(prices)]


def last(kind: str, parameters: dict[str, object], *columns: Sequence[Bar]) -> dict[str, Decimal]:
    """The shares that a strategy wants after columns of bars that are as long as each other."""
    strategy = build(kind, "some", parameters)
    steps = [Step(n, bars[0].at, tuple(bars)) for n, bars in enumerate(zip(*columns, strict=True), start=1)]
    return {symbol: target.share for symbol, target in wanted(strategy, steps)[-1].items()}


SHARE = Decimal("0.02")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([100] * 9, {"AAA": Decimal(0)}),
        ([100, 101, 100, 101, 100, 101, 100, 101, 90], {"AAA": SHARE}),
        ([100, 101, 100, 101, 100, 101, 100, 101, 100], {}),
        ([100, 101, 100, 101, 100, 101, 100, 101, 110], {"AAA": Decimal(0)}),
    ],
)
def test_reversion(values: list[float], expected: dict[str, Decimal]) -> None:
    assert last("reversion", {"period": 5, "rsi_period": 2, "width": 1.5}, closes(values)) == expected


def test_reversion_buys_no_fall_that_is_not_weak_enough() -> None:
    fallen = closes([100, 101, 100, 101, 100, 101, 100, 101, 90])
    assert last("reversion", {"period": 5, "rsi_period": 2, "width": 1.5, "oversold": 1}, fallen) == {}


def test_rsi() -> None:
    assert rsi([1, 2, 3], 2) == 100
    assert rsi([3, 2, 1], 2) == 0
    assert rsi([5, 5, 5], 2) == 50
    assert rsi([10, 11, 10, 12], 2) == pytest.approx(100 * 1.25 / 1.5)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([100, 102, 98, 100, 101, 100, 99, 100, 101, 103], {"AAA": SHARE}),
        ([100, 102, 98, 100, 101, 100, 99, 100, 101, 97], {"AAA": -SHARE}),
        ([100, 102, 98, 100, 101, 100, 99, 100, 101, 102], {}),
        ([100, 102, 98, 100, 101, 100, 99, 100, 101, "102.04"], {}),
    ],
)
def test_breakout(values: list[float], expected: dict[str, Decimal]) -> None:
    assert last("breakout", {"range_minutes": 3, "session_bars": 10}, closes(values)) == expected


def test_breakout_knows_the_range_of_today_only() -> None:
    yesterday = closes([200] * 8, begin=DAY - timedelta(days=1))
    parameters: dict[str, object] = {"range_minutes": 2, "session_bars": 10}
    assert last("breakout", parameters, yesterday + closes([100, 100])) == {}
    assert last("breakout", parameters, yesterday + closes([100, 100, 101])) == {"AAA": SHARE}


def test_vwap_trades_against_the_distance_and_closes_at_the_average() -> None:
    parameters: dict[str, object] = {"least_bars": 5, "session_bars": 10}
    level = [100, 101, 100, 99, 100, 101, 100, 99, 100]
    assert last("vwap", parameters, closes([*level, 110])) == {"AAA": -SHARE}
    assert last("vwap", parameters, closes([*level, 90])) == {"AAA": SHARE}
    assert last("vwap", parameters, closes([*level, 100])) == {"AAA": Decimal(0)}
    assert last("vwap", parameters, closes([*level, 101])) == {}
    assert last("vwap", parameters, closes([100] * 10)) == {}


def test_momentum_buys_the_first_keeps_the_next_and_sells_the_rest() -> None:
    columns = [closes([100 + n * slope for n in range(9)], name) for slope, name in enumerate(SYMBOLS)]
    parameters: dict[str, object] = {"lookback": 8, "skip": 1, "buy": 1, "keep": 2}
    assert last("momentum", parameters, *columns) == {"DDD": Decimal("0.25"), "BBB": 0, "AAA": 0}
    assert last("momentum", parameters | {"keep": 4}, *columns) == {}


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        (110, {"AAA": Decimal("-0.05"), "BBB": Decimal("0.10")}),
        (90, {"AAA": Decimal("0.05"), "BBB": Decimal("-0.10")}),
        (100, {"AAA": Decimal(0), "BBB": Decimal(0)}),
        (101, {}),
    ],
)
def test_pairs(newest: int, expected: dict[str, Decimal]) -> None:
    first, second = closes([100, 101, 99, 100, 101, 99, 100, 101, 99, newest]), closes([50] * 10, "BBB")
    parameters: dict[str, object] = {"first": "AAA", "second": "BBB", "lookback": 10, "hedge_ratio": 2}
    assert last("pairs", parameters, first, second) == expected


def test_pairs_that_have_come_apart_are_closed() -> None:
    first, second = closes([100, 101] * 10 + [200]), closes([50] * 21, "BBB")
    parameters: dict[str, object] = {"first": "AAA", "second": "BBB", "lookback": 21}
    assert last("pairs", parameters, first, second) == {"AAA": 0, "BBB": 0}


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("reversion", {"width": 0}, "width=0: input should be greater than 0"),
        ("breakout", {"range_minutes": 500}, "range_minutes=500: input should be less than or equal to 180"),
        ("momentum", {"lookback": 10, "skip": 10}, "skip=10: must be below lookback=10"),
        ("momentum", {"buy": 9, "keep": 3}, "keep=3: must not be below buy=9"),
        ("pairs", {"entry": 5}, "entry=5.0: must be above leave=0.5 and below stop=4.0"),
        ("pairs", {"first": "TCS", "second": "TCS"}, "second=TCS: must be another symbol than first"),
        ("vwap", {"leave": 3}, "leave=3.0: must be below entry=2.0"),
        ("classifier", {"leave": 0.6}, "leave=0.6: must be below threshold=0.55"),
    ],
)
def test_wrong_parameters_are_refused(kind: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(StrategyError) as refused:
        build(kind, "some", parameters)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"intercept": 1.0}, "its digest is not that of its content"),
        ({"digest": ""}, "has no digest"),
        ({"features": ["return_1"]}, "made for other features"),
        ({"features_version": 2}, "made for other features"),
        ({"weights": [1.0]}, "has not one mean, scale, weight and row of edges"),
        ({"scales": [0.0] * len(NAMES)}, "a scale is not above 0"),
        ({"schema_version": 2}, "input should be 1"),
        ({"code": "import os"}, "classifier has no such parameter"),
        ({"intercept": float("nan")}, "input should be a finite number"),
    ],
)
def test_model_that_does_not_match_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(StrategyError, match=r"^model") as refused:
        build("classifier", "some", {"model": model().model_dump(mode="json") | change})
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "settings_", "refusal"),
    [
        ({}, {}, None),
        ({"trained_until": DAY - timedelta(days=31)}, {}, "the model is 31.0 days old, the most is 30.0"),
        ({"trained_until": DAY + timedelta(days=1)}, {}, "the model has seen these bars in training"),
        ({}, {"max_age_days": 0.5}, "the model is 1.0 days old"),
        (None, {}, "there is no model"),
    ],
)
def test_classifier_refuses_a_stale_model(
    changes: dict[str, object] | None, settings_: dict[str, object], refusal: str | None
) -> None:
    given_model = None if changes is None else model(**changes).model_dump(mode="json")
    parameters = SMALL["classifier"] | {"model": given_model} | settings_
    strategy = build("classifier", "some", parameters)
    assert isinstance(strategy, Classifier)
    steps = market(3, 60, sessions=1)
    history = History(strategy.window)
    for step in steps:
        history.push(step)
    now = history.market(steps[-1], strategy.window)
    said = strategy.refusal(now)
    assert (said is None) if refusal is None else (said is not None and said.startswith(refusal))
    assert any(wanted(strategy, steps)) is (refusal is None)


def test_classifier_stops_when_the_features_have_drifted() -> None:
    steps = market(3, 60, sessions=1)
    calm = build("classifier", "some", SMALL["classifier"])
    strict = build("classifier", "some", SMALL["classifier"] | {"max_drift": 0.01})
    assert any(wanted(calm, steps))
    assert not any(wanted(strict, steps))


def test_stability_index() -> None:
    edges = [1.0, 2.0, 3.0]
    assert stability(edges, [0, 1.5, 2.5, 4]) == pytest.approx(0)
    assert stability(edges, [0, 0, 2.5, 4]) == pytest.approx(0.25 * 0.6931 + (1e-4 - 0.25) * -7.824, rel=1e-3)
    assert stability(edges, [9] * 50) > 5


def test_document_is_current() -> None:
    path = ROOT / "docs" / "engine" / "strategies.md"
    assert path.read_text() == page(), "renew it: python -m trading.strategies.table > docs/engine/strategies.md"
