"""Backtests as jobs and commands: what they take, what they give, what they refuse."""

import json
import math
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.test_backtest import Fixed
from tests.app.test_strategies import DAY, MINUTE, market
from trading.backtest import jobs, tearsheet
from trading.backtest.columns import Columns, load
from trading.backtest.data import open_data
from trading.backtest.pairs import find
from trading.backtest.run import BacktestError, Outcome, Setup, run
from trading.backtest.spec import parse
from trading.backtest.statistics import returns, statistics
from trading.backtest.train import samples, train
from trading.cli import main
from trading.domain.errors import TradingError
from trading.marketdata.bars import Bar, Step
from trading.portfolio.equity import EquityPoint
from trading.strategies.registry import build

EMA = {"strategies": [{"kind": "ema", "name": "ema-crossover"}], "seed": 7}
# A changed digest is a change of what is traded: look at the first differing order before renewing it.
GOLDEN = {
    "arch:nasdaq": (5031, 128, "f423e630eea8a46cc31d0ef384451ee90c3ee45dbe6e9af8ce3ea364b6c13ce7"),
    "arch:sp500": (5031, 150, "4bf1a0f45400d89048d3eb0374f07314a2269a26490b3149478da72880cfeae0"),
}


@pytest.mark.parametrize("data", GOLDEN)
def test_golden_order_lists_on_real_bars(data: str) -> None:
    bars, orders, digest = GOLDEN[data]
    told: list[float] = []
    found = jobs.run(EMA | {"data": data, "seed": 1}, told.append)
    assert (found["bars"], found["run"]["statistics"]["orders"], found["run"]["digest"]) == (bars, orders, digest)
    assert len(found["run"]["equity"]) <= jobs.MOST_POINTS + 1
    assert told
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "/etc/passwd"}, "data=/etc/passwd: not one of synthetic, arch:nasdaq, arch:sp500; files are for the"),
        ({"data": "synthetic"}, "steps=None: the synthetic market is endless; say 1 to 100000"),
        ({"steps": 10**9}, "steps=1000000000: the synthetic market is endless"),
        ({"strategies": []}, "strategies: Tuple should have at least 1 item"),
        ({"strategies": [{"kind": "nope"}]}, "kind=nope: is not known"),
        ({"strategies": [{"kind": "ema", "parameters": {"fast": -1}}]}, "fast=-1: input should be greater"),
        ({"capital": "NaN"}, "capital: Input should be a finite number"),
        ({"colour": 1}, "colour: Extra inputs are not permitted"),
        ({"sweep": {"fast": []}}, "sweep.fast: List should have at least 1 item"),
        ({"sweep": {"fast": [1] * 40, "slow": [50] * 40}}, "spec: Value error, sweep: has 1600 combinations"),
        ({"sweep": {"fast": [5, 99]}}, "fast=99: must be below slow=30"),
        ({"walk_forward": {"folds": 2}}, "spec: Value error, walk_forward: has nothing to choose from"),
        ({"steps": 3, "sweep": {"fast": [5]}, "walk_forward": {"folds": 9}}, "walk_forward: 3 steps are too few"),
    ],
)
def test_wrong_jobs_are_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TradingError) as refused:
        jobs.run(EMA | change)
    assert str(refused.value).startswith(message)


def test_parts_of_a_sweep_come_to_the_whole_in_any_order() -> None:
    spec = parse(EMA | {"data": "arch:sp500", "sweep": {"fast": [5, 10], "slow": [20, 30]}, "processes": 1})
    columns = open_data("arch:sp500", 1, 600)
    parts = [json.loads(json.dumps(jobs.part(spec, columns, (index, 5)))) for index in (4, 0, 2, 1, 3)]
    assert jobs.merged(parts) == jobs.play(spec, columns)
    for wrong in (parts[1:], [*parts, parts[0]], [parts[0] | {"feed_id": "other"}, *parts[1:]]):
        with pytest.raises(BacktestError, match="are not all there, or of different bars; run it again"):
            jobs.merged(wrong)


@pytest.mark.parametrize("shard", ["1", "4/4", "-1/4", "a/b", "0/0"])
def test_wrong_shard_is_refused(shard: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["backtest", "sweep", "--strategy", "ema", "--vary", "fast=5", f"--shard={shard}"])
    assert f"{shard}: must be I/N with I from 0 to N - 1, such as 0/4" in capsys.readouterr().err


def test_sweep_gives_the_same_whatever_the_number_of_processes() -> None:
    spec = EMA | {"data": "arch:sp500", "steps": 1200, "sweep": {"fast": [5, 10], "slow": [20, 30]}}
    told: list[float] = []
    one = jobs.run(spec | {"processes": 1}, told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]
    assert jobs.run(spec | {"processes": 2}) == one
    sharpes = [entry["statistics"]["sharpe"] for entry in one["runs"]]
    assert sharpes == sorted(sharpes, reverse=True)
    alone = jobs.run(EMA | {"data": "arch:sp500", "steps": 1200})
    default = next(entry for entry in one["runs"] if entry["parameters"] == {"fast": 10, "slow": 30})
    assert default["digest"] == alone["run"]["digest"]


@pytest.mark.parametrize("anchored", [True, False])
def test_walk_forward_chooses_by_the_past_alone(anchored: bool) -> None:
    """Other bars in the last fold change what comes out of it, and neither the choice for it nor any fold before."""
    raw = EMA | {"sweep": {"fast": [3, 8], "slow": [15, 25]}, "processes": 1}
    spec = parse(raw | {"walk_forward": {"folds": 3, "anchored": anchored}})
    past, other = market(1, 100, sessions=6), market(2, 100, sessions=6)
    one, two = (jobs.play(spec, load(Fixed(steps)))["walk_forward"] for steps in (past, past[:450] + other[450:]))
    assert [fold["begin"] for fold in one] == [past[n].at.isoformat() for n in (150, 300, 450)]
    assert one[:2] == two[:2]
    assert {k: v for k, v in one[2].items() if k != "out_of_sample"} == {
        k: v for k, v in two[2].items() if k != "out_of_sample"
    }
    assert one[2]["out_of_sample"] != two[2]["out_of_sample"]


def outcome(*equity: int) -> Outcome:
    points = [EquityPoint(DAY + n * timedelta(days=1), Decimal(value)) for n, value in enumerate(equity)]
    return Outcome(
        feed_id="x",
        capital=Decimal(equity[0]),
        bars=1,
        steps=1,
        equity=points,
        orders=[],
        trades=[],
        statuses={},
        denials={},
        by_arrays=False,
    )


def test_statistics_by_hand() -> None:
    found = statistics(outcome(100, 110, 99, 99))
    assert found.total_return == pytest.approx(-0.01)
    assert found.max_drawdown == pytest.approx(0.1)
    assert found.annual_return == pytest.approx(0.99**84 - 1)
    moves = [0.1, -0.1, 0.0]
    assert found.volatility == pytest.approx(float(np.std(moves)) * math.sqrt(252))
    assert found.sharpe == pytest.approx(0.0, abs=1e-9)
    assert statistics(outcome(100, 100)).sharpe is None
    assert returns(outcome(100, -5, 10).equity) == [-1.05]


def test_monthly_returns_and_depths() -> None:
    points = [EquityPoint(DAY.replace(month=month, day=day), Decimal(value)) for month, day, value in MONTHS]
    assert tearsheet.monthly(points) == {
        (2026, 1): pytest.approx(0.2),
        (2026, 2): pytest.approx(-0.25),
        (2026, 3): pytest.approx(0.1),
    }
    assert tearsheet.depths(points) == pytest.approx([0, 0, 0, -0.25, -0.175])


MONTHS = ((1, 5, 100), (1, 6, 110), (1, 31, 120), (2, 10, 90), (3, 1, 99))


def test_run_writes_everything_and_twice_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["backtest", "run", "--strategy", "ema-crossover", "--steps", "400", "--seed", "7"]
    main([*command, "--out", str(tmp_path / "one")])
    said = json.loads(capsys.readouterr().out)
    main([*command, "--step-by-step", "--out", str(tmp_path / "two")])
    names = {"equity.csv", "orders.txt", "report.html", "result.json", "trades.csv"}
    for name in names:
        one, two = ((tmp_path / folder / name).read_text() for folder in ("one", "two"))
        assert one == two or name == "result.json", name
    assert {path.name for path in (tmp_path / "one").iterdir()} == names
    html = (tmp_path / "one" / "report.html").read_text()
    assert html.count("<svg") == 1
    assert "Synthetic market data" in html
    assert "<script" not in html
    assert said["digest"] in html
    orders = (tmp_path / "one" / "orders.txt").read_text().splitlines()
    assert len(orders) == said["statistics"]["orders"] > 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategy", "nope"], "error: kind=nope: is not known"),
        (["--strategy", "ema", "--set", "fast"], "error: --set=fast: must be NAME=VALUE, such as fast=10"),
        (["--strategy", "ema", "--set", "fast=x"], "error: fast=x: input should be a valid integer"),
        (["--strategy", "ema", "--data", "gone.csv"], "error: data=gone.csv: no such file; name one, or take one of"),
        (["--strategy", "vwap", "--data", "arch:sp500"], "error: strategy=vwap: trades intraday"),
        (["--strategy", "ema", "--capital", "5"], "error: capital: Input should be greater than or equal to 1000"),
    ],
)
def test_wrong_command_says_one_line_and_writes_nothing(arguments: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["backtest", "run", *arguments, "--out", str(tmp_path / "out")])
    assert str(stopped.value).startswith(message)
    assert not (tmp_path / "out").exists()


def trending(minutes: int) -> Columns:
    """Two symbols whose moves last ten bars, so that there is something to learn."""
    rng = np.random.default_rng(1)
    steps = []
    prices = {"AAA": 20_000, "BBB": 40_000}
    drift = dict.fromkeys(prices, 0)
    for number in range(minutes):
        bars = []
        for symbol in prices:
            if number % 40 == 0:
                drift[symbol] = int(rng.integers(-12, 13))
            before = prices[symbol]
            prices[symbol] = max(1000, before + drift[symbol] + int(rng.integers(-9, 10)))
            begin, end = Decimal(before) / 20, Decimal(prices[symbol]) / 20
            four = (begin, max(begin, end), min(begin, end), end)
            bars.append(Bar(symbol, DAY + number * MINUTE, *four, volume=int(rng.integers(1, 999))))
        steps.append(Step(number + 1, DAY + number * MINUTE, tuple(bars)))
    return load(Fixed(steps))


def test_trained_model_has_learnt_and_trades_only_on_later_bars() -> None:
    columns = trending(3000)
    model = train(columns.part(1, 2500), horizon=5, folds=3)
    assert train(columns.part(1, 2500), horizon=5, folds=3) == model
    assert all(fold.accuracy > fold.base_rate + 0.05 for fold in model.folds)
    assert model.trained_until == columns.times[2499]
    strategy = build(
        "classifier",
        "ml",
        {"model": model.model_dump(mode="json"), "drift_bars": 100, "drift_every": 10, "max_drift": 10},
    )
    assert strategy.window < 500
    assert not run(columns.part(1, 2500), Setup(strategies=[strategy])).orders
    assert run(columns.part(2501, 3000), Setup(strategies=[strategy])).orders


def test_answer_is_the_move_over_the_horizon_and_no_two_overlap() -> None:
    columns = trending(2000)
    del columns.columns["BBB"]  # type: ignore[attr-defined]
    rows = samples(columns, 7)
    close = columns.columns["AAA"].close
    assert set(np.diff(rows.steps)) == {7}
    assert [bool(close[step + 6] > close[step - 1]) for step in rows.steps] == rows.up.tolist()


@pytest.mark.parametrize(
    ("horizon", "folds", "message"),
    [(0, 3, "horizon=0, folds=3: must be"), (5, 60, "must be 1 to 1000"), (900, 3, "data: makes")],
)
def test_training_that_cannot_work_is_refused(horizon: int, folds: int, message: str) -> None:
    with pytest.raises(BacktestError, match=message):
        train(trending(400), horizon=horizon, folds=folds)


def test_train_command_writes_what_the_strategy_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.json"
    main(["backtest", "train", "--steps", "750", "--folds", "2", "--out", str(path)])
    said = json.loads(capsys.readouterr().out)
    assert len(said["folds"]) == 2
    main(["backtest", "run", "--strategy", "classifier", "--set", f"model=@{path}", "--steps", "100", "--seed", "2"])
    assert json.loads(capsys.readouterr().out)["statistics"]["orders"] == 0


def test_pairs_finds_the_one_that_was_made() -> None:
    rng = np.random.default_rng(3)
    walk = np.exp(np.cumsum(rng.normal(0, 0.002, 600))) * 500
    made = {
        "AAA": walk,
        "BBB": walk**1.5 / 20 * np.exp(rng.normal(0, 0.001, 600)),
        "CCC": np.exp(np.cumsum(rng.normal(0, 0.002, 600))) * 300,
    }
    steps = [
        Step(
            n + 1,
            DAY + n * MINUTE,
            tuple(Bar(s, DAY + n * MINUTE, *(Decimal(f"{v[n]:.2f}"),) * 4, volume=1) for s, v in made.items()),
        )
        for n in range(600)
    ]
    first = find(load(Fixed(steps)), 0.01)[0]
    assert {first["parameters"]["first"], first["parameters"]["second"]} == {"AAA", "BBB"}
    ratio = first["parameters"]["hedge_ratio"]
    assert min(abs(ratio - 1.5), abs(ratio - 1 / 1.5)) < 0.05
    assert first["tested"] == 3
    build("pairs", "found", first["parameters"])
    with pytest.raises(BacktestError, match="has 1 symbols; give 2 to 60"):
        find(open_data("arch:sp500", 1, 200), 0.05)
