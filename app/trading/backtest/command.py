"""`trading backtest`: run, sweep and walk forward over bars, train a classifier, look for pairs."""

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trading.backtest import jobs, tearsheet
from trading.backtest.columns import Columns
from trading.backtest.data import open_data
from trading.backtest.options import SYNTHETIC_STEPS
from trading.backtest.pairs import find
from trading.backtest.run import BacktestError, Outcome, silent
from trading.backtest.run import run as run_once
from trading.backtest.spec import BacktestSpec, parse
from trading.backtest.train import train
from trading.marketdata.source import SYNTHETIC
from trading.strategies.registry import DEFAULTS


def execute(args: argparse.Namespace) -> None:
    """Run the part that was asked for; the result goes to stdout as JSON, files to --out.

    Raises:
        TradingError: what was asked for is wrong; nothing was written then.
    """
    if args.part == "train":
        trained = train(_open(args), horizon=args.horizon, folds=args.folds)
        _write(args.out, json.dumps(trained.model_dump(mode="json"), indent=1) + "\n")
        _print(
            {"model": str(args.out), "rows": trained.rows, "folds": [f.model_dump(mode="json") for f in trained.folds]}
        )
    elif args.part == "pairs":
        _print(find(_open(args), args.most_p))
    else:
        _play(args)


def _play(args: argparse.Namespace) -> None:
    spec = asked(args)
    progress = _show if sys.stderr.isatty() else silent
    columns = _open(args)
    if args.part != "run":
        shard: tuple[int, int] | None = args.shard if args.part == "sweep" else None
        found = jobs.part(spec, columns, shard, progress) if shard else jobs.play(spec, columns, progress)
        if args.out:
            _write(args.out / "result.json", json.dumps(found, indent=1) + "\n")
        _print(found)
        return
    outcome = run_once(columns, spec.setup(), progress)
    if args.out:
        _files(args.out, spec, outcome, columns.kind, report=not args.no_report)
    _print(jobs.summary(outcome, curve=False))


def asked(args: argparse.Namespace) -> BacktestSpec:
    """What the arguments of a run, a sweep or a walk forward ask for.

    Raises:
        BacktestError: they break a rule.
        StrategyError: a strategy cannot be made.
    """
    return parse(_spec(args))


def _spec(args: argparse.Namespace) -> dict[str, Any]:
    default = next((i for i in DEFAULTS if i.name == args.strategy), None)
    one = {
        "kind": default.kind if default else args.strategy,
        "name": args.strategy,
        "parameters": {**(default.parameters if default else {}), **_pairs("--set", args.set, _value)},
    }
    spec: dict[str, Any] = {
        "strategies": [one],
        "data": args.data,
        "steps": args.steps,
        "seed": args.seed,
        "capital": args.capital,
    }
    if args.part == "run":
        return spec | {"by_arrays": not args.step_by_step}
    spec |= {"sweep": _pairs("--vary", args.vary, lambda t: t.split(",")), "processes": args.processes}
    if args.part == "walk-forward":
        spec["walk_forward"] = {"folds": args.folds, "anchored": not args.rolling}
    return spec


def _pairs(option: str, texts: Sequence[str], read: Any) -> dict[str, Any]:  # noqa: ANN401 - text to a JSON value
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or not value:
            raise BacktestError(f"{option}={text}: must be NAME=VALUE, such as fast=10")
        found[name] = read(value)
    return found


def _value(text: str) -> Any:  # noqa: ANN401 - a JSON value
    """A file of JSON after an `@`, such as a trained model; else the text, which the model of parameters reads."""
    if not text.startswith("@"):
        return text
    try:
        return json.loads(Path(text[1:]).read_text(encoding="utf-8"))
    except ValueError as error:
        raise BacktestError(f"--set={text}: is no JSON ({error}); name a file that was written as such") from None


def _open(args: argparse.Namespace) -> Columns:
    steps = args.steps or (SYNTHETIC_STEPS if args.data == SYNTHETIC else None)
    return open_data(args.data, args.seed, steps)


def _files(folder: Path, spec: BacktestSpec, outcome: Outcome, kind: str, *, report: bool) -> None:
    """Write a run's files; the tear sheet is made first, so that a missing library leaves nothing behind."""
    one = spec.strategies[0]
    strategy = one.build()
    facts: dict[str, object] = {
        "strategy": one.kind,
        **{name: value for name, value in one.parameters.items() if name != "model"},
        "window": f"{strategy.window} bars",
        "product": strategy.product,
        "data": outcome.feed_id,
        "bars": outcome.bars,
        "capital": spec.capital,
        "seed": spec.seed,
    }
    if report:
        title = f"Backtest of {strategy.name}"
        _write(folder / "report.html", tearsheet.page(title, outcome, facts, synthetic=kind == SYNTHETIC))
    _write(folder / "result.json", json.dumps(jobs.summary(outcome), indent=1) + "\n")
    _write(folder / "orders.txt", "".join(f"{line}\n" for line in outcome.orders))
    with (folder / "trades.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("at", "account", "symbol", "side", "quantity", "price", "charges", "profit"))
        writer.writerows((trade.at.isoformat(), *trade[1:]) for trade in outcome.trades)
    with (folder / "equity.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("at", "equity"))
        writer.writerows((point.at.isoformat(), point.equity) for point in outcome.equity)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _show(done: float) -> None:
    sys.stderr.write(f"\r{done:4.0%}{'' if done < 1 else chr(10)}")
    sys.stderr.flush()


def _print(found: Mapping[str, Any] | Sequence[Any]) -> None:
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")
