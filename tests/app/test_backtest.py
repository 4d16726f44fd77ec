"""The backtest: the orders of the live engine, by either way of playing, on real and on random bars."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.app.nasdaq import write
from tests.app.test_golden import GOLDEN_NASDAQ
from tests.app.test_strategies import DAY, SMALL, market
from trading.backtest.columns import Columns, load, steps_of
from trading.backtest.data import open_data
from trading.backtest.moments import arrays_of
from trading.backtest.run import BacktestError, Outcome, Setup, run
from trading.domain.instruments import Instrument
from trading.execution.scenario import Scenario
from trading.marketdata.bars import Bar, Step
from trading.marketdata.history import History
from trading.marketdata.rows import MarketDataError
from trading.marketdata.source import open_source
from trading.risk.checks import Limits
from trading.strategies.arrays import ASK, SILENT, Vectorised
from trading.strategies.registry import build


class Fixed:
    """A source of given steps."""

    feed_id, kind = "fixed", "file"

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps
        symbols = sorted({bar.symbol for step in steps for bar in step.bars})
        self.instruments = [Instrument(symbol=symbol, exchange="NSE", tick_size=Decimal("0.05")) for symbol in symbols]

    def steps(self, first: int) -> Iterator[Step]:
        return iter(self._steps[first - 1 :])


@pytest.fixture(scope="module")
def nasdaq(tmp_path_factory: pytest.TempPathFactory) -> Columns:
    path = tmp_path_factory.mktemp("bars") / "nasdaq.csv"
    write(path)
    return load(open_source(str(path), seed=7))


@pytest.fixture(scope="module")
def two_indices(nasdaq: Columns) -> Columns:
    """Real daily bars of two symbols."""
    other = open_data("arch:sp500", 1, None)
    assert [at.date() for at in other.times] == [at.date() for at in nasdaq.times]
    listed = {**nasdaq.instruments, **other.instruments}
    return replace(nasdaq, columns={**nasdaq.columns, **other.columns}, instruments=listed)


@pytest.mark.parametrize("by_arrays", [True, False])
def test_nasdaq_gives_the_orders_of_the_live_engine(nasdaq: Columns, by_arrays: bool) -> None:
    """The golden value is that of the desk as the engine runs it; see `test_golden`."""
    setup = Setup(strategies=[build("ema", "ema-crossover", {})], scenario=Scenario(seed=7), by_arrays=by_arrays)
    outcome = run(nasdaq, setup)
    assert (outcome.bars, outcome.by_arrays) == (5031, by_arrays)
    assert (len(outcome.orders), outcome.digest) == (128, GOLDEN_NASDAQ)
    assert len(outcome.equity) == 5032
    assert outcome.equity[-1].equity == Decimal("5136513.5984224488798")


def played(columns: Columns, kind: str, by_arrays: bool, scenario: Scenario, **parameters: object) -> Outcome:
    setup = Setup(
        strategies=[build(kind, "one", parameters)],
        scenario=scenario,
        limits=Limits(max_exposure=Decimal(250_000)),  # so that some orders are denied
        capital=Decimal(1_000_000),
        by_arrays=by_arrays,
    )
    return run(columns, setup)


BY_ARRAYS = [kind for kind in SMALL if kind != "classifier"]


@pytest.mark.parametrize("kind", BY_ARRAYS)
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    share=st.sampled_from(["0.1", "0.02", "0.25"]),
    trouble=st.booleans(),
    volume=st.sampled_from([9, 900, 90_000]),
)
def test_both_ways_of_playing_give_the_same_orders(
    kind: str, seed: int, share: str, trouble: bool, volume: int
) -> None:
    """With missing bars, partial fills, ended sessions, denials, a venue that misbehaves, and the drift of prices."""
    rng = random.Random(seed)
    steps = []
    for step in market(seed, 60, sessions=3):
        wild = Decimal(rng.choice([1, 1, 1, 1, 1, 1, 1, 3])) if seed % 3 == 0 else Decimal(1)
        bars = [
            Bar(b.symbol, b.at, b.open * wild, b.high * wild, b.low * wild, b.close * wild, b.volume % volume + 1)
            for b in step.bars
        ]
        steps.append(Step(step.number, step.at, tuple(bars)))
    chances: dict[str, int] = {"reject_percent": 10, "outage_percent": 10, "lost_percent": 10, "duplicate_percent": 10}
    scenario = Scenario(seed=seed, **chances if trouble else {})  # type: ignore[arg-type]
    same_both_ways(load(Fixed(steps)), kind, scenario, **SMALL[kind] | {"share": share})


@pytest.mark.parametrize("kind", [kind for kind in BY_ARRAYS if build(kind, "one", SMALL[kind]).product == "CNC"])
def test_both_ways_give_the_same_orders_on_real_bars(two_indices: Columns, kind: str) -> None:
    """Daily bars of the NASDAQ composite and of the S&P 500: twenty years with two crashes."""
    parameters = {"ema": {}, "reversion": {}, "momentum": {"buy": 1, "keep": 1, "lookback": 120}}[kind]
    assert same_both_ways(two_indices, kind, Scenario(seed=7), **parameters) > 20


@pytest.mark.parametrize("kind", [kind for kind in BY_ARRAYS if build(kind, "one", SMALL[kind]).product == "MIS"])
def test_both_ways_give_the_same_orders_within_sessions_of_real_prices(two_indices: Columns, kind: str) -> None:
    """The same bars as if they were minutes, 375 to a session: real prices for what trades intraday."""
    count = len(two_indices.times)
    times = [DAY + timedelta(days=n // 375, minutes=n % 375) for n in range(count)]
    parameters = {"breakout": {}, "vwap": {}, "pairs": {"first": "NASDAQ", "second": "SP500", "lookback": 60}}[kind]
    columns = replace(two_indices, times=times)
    assert same_both_ways(columns, kind, Scenario(seed=7), **parameters) > 5


def same_both_ways(columns: Columns, kind: str, scenario: Scenario, **parameters: object) -> int:
    """How many orders there are; fails where the two ways differ in anything."""
    one, other = (played(columns, kind, by_arrays, scenario, **parameters) for by_arrays in (False, True))
    assert (one.by_arrays, other.by_arrays) == (False, True)
    assert other.orders == one.orders
    assert other.equity == one.equity
    assert other.trades == one.trades
    assert (other.denials, other.statuses) == (one.denials, one.statuses)
    return len(one.orders)


@pytest.mark.parametrize("kind", BY_ARRAYS)
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_arrays_say_what_the_strategy_says(kind: str, seed: int, flat: bool) -> None:
    """Prices that do not move are where floats and exact numbers would differ most."""
    steps = market(seed, 60)
    if flat:
        steps = [
            Step(s.number, s.at, tuple(Bar(b.symbol, b.at, *(Decimal("101.15"),) * 4, volume=5) for b in s.bars))
            for s in steps
        ]
    columns = load(Fixed(steps))
    strategy = build(kind, "one", SMALL[kind])
    arrays = arrays_of(strategy, columns)
    assert arrays is not None
    history = History(strategy.window)
    for step in steps_of(columns):
        history.push(step)
        targets = strategy.targets(history.market(step, strategy.window))
        for symbol, want in arrays.items():
            if symbol in {bar.symbol for bar in step.bars}:
                code = want.codes[columns.columns[symbol].place(step.number)]
                said = None if code == SILENT else want.shares[code]
                assert said == (targets[symbol].share if symbol in targets else None)


def test_floats_that_cannot_tell_ask_seldom(two_indices: Columns) -> None:
    """The exact way is the slow one: on real prices it decides less than one bar in fifty."""
    for kind in BY_ARRAYS:
        strategy = build(kind, "one", {"pairs": {"first": "NASDAQ", "second": "SP500"}}.get(kind, {}))
        assert isinstance(strategy, Vectorised)
        for want in strategy.wants(two_indices).values():
            assert np.mean(want.codes == ASK) < 0.02, kind


def test_columns_give_back_the_steps_of_their_source() -> None:
    steps = [step for step in market(5, 30) if step.bars]
    steps = [Step(n, step.at, step.bars) for n, step in enumerate(steps, start=1)]
    columns = load(Fixed(steps))
    assert list(steps_of(columns)) == steps
    assert columns.bars == sum(len(step.bars) for step in steps)
    part = columns.part(11, 30)
    assert [step.bars for step in steps_of(part)] == [step.bars for step in steps[10:30]]
    assert [step.number for step in steps_of(part)] == list(range(1, 21))


@pytest.mark.parametrize("kind", [kind for kind in SMALL if kind != "ema"])
def test_every_strategy_trades_in_a_backtest_and_intraday_ones_end_the_day_flat(kind: str) -> None:
    columns = load(Fixed(market(4, 375)))
    outcome = run(columns, Setup(strategies=[build(kind, "one", SMALL[kind])]))
    assert outcome.statuses["FILLED"] > 5
    held: dict[str, int] = {}
    for trade in outcome.trades:
        held[trade.symbol] = held.get(trade.symbol, 0) + trade.quantity * trade.side.sign
    if build(kind, "one", SMALL[kind]).product == "MIS":
        assert not any(held.values())


def test_same_run_twice_is_the_same(nasdaq: Columns) -> None:
    setup = Setup(strategies=[build("reversion", "one", {}), build("ema", "two", {})], by_arrays=False)
    part = nasdaq.part(1, 800)
    one, other = run(part, setup), run(part, setup)
    assert one.orders
    assert (one.digest, one.equity) == (other.digest, other.equity)
    assert not one.by_arrays


def test_equity_is_what_the_trades_say(nasdaq: Columns) -> None:
    outcome = run(nasdaq, Setup(strategies=[build("ema", "one", {})]))
    cash = sum((-t.quantity * t.side.sign * t.price - t.charges for t in outcome.trades), Decimal(0))
    held = sum(t.quantity * t.side.sign for t in outcome.trades)
    close = nasdaq.columns["NASDAQ"].price(5030)
    assert outcome.equity[-1].equity == outcome.capital + cash + held * close
    assert all(t.charges > 0 for t in outcome.trades)


def test_wrong_setups_are_refused(nasdaq: Columns) -> None:
    ema = build("ema", "one", {})
    with pytest.raises(BacktestError, match="strategies: there is none"):
        run(nasdaq, Setup(strategies=[]))
    with pytest.raises(BacktestError, match="two have the same name"):
        run(nasdaq, Setup(strategies=[ema, ema]))
    with pytest.raises(BacktestError, match="strategy=vwap: trades intraday, bars are 1 day"):
        run(nasdaq, Setup(strategies=[build("vwap", "vwap", {})]))


def test_bars_that_arrays_cannot_hold_are_refused() -> None:
    at = market(1, 1, 1)[0].at
    odd = Step(1, at, (Bar("X", at, *(Decimal("1.005"),) * 4, volume=1),))
    with pytest.raises(MarketDataError, match="not in whole paise"):
        load(Fixed([odd]))
    with pytest.raises(MarketDataError, match="has no bars"):
        load(Fixed([]))


def test_progress_is_told_and_ends_near_one(nasdaq: Columns) -> None:
    told: list[float] = []
    run(nasdaq, Setup(strategies=[build("ema", "one", {})]), told.append)
    assert told == sorted(told)
    assert 20 < len(told) <= 101
    assert told[-1] > 0.98


def test_gap_of_days_ends_a_session_each() -> None:
    steps = market(2, 10, sessions=3)
    outcome = run(load(Fixed(steps)), Setup(strategies=[build("ema", "one", {})]))
    days = [point.at.date() for point in outcome.equity]
    assert days == [steps[0].at.date() + timedelta(days=n) for n in (0, 0, 1, 2)]
