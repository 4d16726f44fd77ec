"""A backtest as a job: JSON in, JSON out; what the scheduler runs and the API asks for."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from trading.backtest.columns import Columns
from trading.backtest.data import open_data
from trading.backtest.options import NAMED
from trading.backtest.run import BacktestError, Outcome, Progress, silent
from trading.backtest.run import run as run_once
from trading.backtest.spec import BacktestSpec, Value, WalkForward, parse
from trading.backtest.statistics import statistics

MOST_POINTS = 2000  # of an equity curve in a result
Changes = Mapping[str, Value]


def run(spec: Mapping[str, Any], progress: Progress = silent) -> dict[str, Any]:
    """Run what a JSON object of the shape of `BacktestSpec` asks for, on bars that have a name.

    Args:
        progress: called with the part that is done, 0 to 1.

    Returns:
        `run` with what came out of a single one, `runs` with one entry a combination of a sweep, best first, or
        `walk_forward` with one entry a fold; see `summary`.

    Raises:
        TradingError: the spec breaks a rule, or names a file: those are read from the command line only.
    """
    parsed = parse(spec)
    if parsed.data not in NAMED:
        raise BacktestError(f"data={parsed.data:.60}: not one of {', '.join(NAMED)}; files are for the command line")
    return play(parsed, open_data(parsed.data, parsed.seed, parsed.steps), progress)


def play(spec: BacktestSpec, columns: Columns, progress: Progress = silent) -> dict[str, Any]:
    """The same on bars at hand."""
    if spec.walk_forward:
        return _head(columns) | {"walk_forward": _walk(spec, spec.walk_forward, columns, progress)}
    if spec.sweep:
        return _head(columns) | {"runs": ranked(sweep(spec, columns, progress))}
    return _head(columns) | {"run": summary(run_once(columns, spec.setup(), progress))}


def part(spec: BacktestSpec, columns: Columns, shard: tuple[int, int], progress: Progress = silent) -> dict[str, Any]:
    """Every Nth run of a sweep from number I on, for a shard (I, N), so that machines can share it; see `merged`."""
    index, count = shard
    numbers = range(index, len(spec.combinations()), count)
    runs = zip(numbers, sweep(spec, columns, progress, numbers), strict=True)
    return _head(columns) | {"part": list(shard), "runs": [{"number": number} | run for number, run in runs]}


def merged(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `play` gives for the whole sweep, from all its parts in any order.

    Raises:
        BacktestError: a part is missing, is there twice, or is of other bars.
    """
    if not parts:
        raise BacktestError("sweep: has no parts; run them first")
    heads = [{name: value for name, value in part.items() if name not in ("part", "runs")} for part in parts]
    places = sorted(tuple(part["part"]) for part in parts)
    if any(head != heads[0] for head in heads) or places != [(n, len(parts)) for n in range(len(parts))]:
        raise BacktestError(f"sweep: its parts {places} are not all there, or of different bars; run it again")
    runs = sorted((run for part in parts for run in part["runs"]), key=lambda run: int(run["number"]))
    return heads[0] | {"runs": ranked([{k: v for k, v in run.items() if k != "number"} for run in runs])}


def _head(columns: Columns) -> dict[str, Any]:
    return {"feed_id": columns.feed_id, "data": columns.kind, "bars": columns.bars, "steps": len(columns.times)}


def summary(outcome: Outcome, *, curve: bool = True) -> dict[str, Any]:
    """An outcome as JSON: figures, orders by last state, denials, digest of the order list, and the equity curve."""
    found: dict[str, Any] = {
        "digest": outcome.digest,
        "by_arrays": outcome.by_arrays,
        "statuses": dict(outcome.statuses),
        "denials": dict(outcome.denials),
        "statistics": statistics(outcome).to_json(),
    }
    if curve:
        every = -(-len(outcome.equity) // MOST_POINTS)
        points = [*outcome.equity[:-1:every], outcome.equity[-1]]
        found["equity"] = [[point.at.isoformat(), f"{point.equity:.2f}"] for point in points]
    return found


def ranked(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The runs of a sweep, highest Sharpe ratio first; equals in the order of the sweep."""
    return sorted(runs, key=lambda found: -_score(found))


def sweep(
    spec: BacktestSpec, columns: Columns, progress: Progress = silent, numbers: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """One run for each combination, or for those of some numbers, in their order, shared among processes."""
    every = spec.combinations()
    chosen = every if numbers is None else [every[number] for number in numbers]
    return _all(spec, columns, [(1, len(columns.times), changes) for changes in chosen], progress) if chosen else []


def _walk(spec: BacktestSpec, walk: WalkForward, columns: Columns, progress: Progress) -> list[dict[str, Any]]:
    """Each fold: the combination that did best before it, and what it does in it, warmed up with the bars before."""
    combinations, total = spec.combinations(), len(columns.times)
    size = total // (walk.folds + 1)
    if not size:
        raise BacktestError(f"walk_forward: {total} steps are too few for {walk.folds} folds; give fewer folds")
    trains, cuts = [], []
    for fold in range(1, walk.folds + 1):
        begin = fold * size + 1
        cuts.append((begin, total if fold == walk.folds else begin + size - 1))
        trains += [(1 if walk.anchored else begin - size, begin - 1, changes) for changes in combinations]
    trained = _all(spec, columns, trains, lambda done: progress(done * 0.9))
    tests, best = [], []
    for fold, (begin, end) in enumerate(cuts):
        mine = trained[fold * len(combinations) : (fold + 1) * len(combinations)]
        best.append(ranked(mine)[0])
        window = max(strategy.window for strategy in spec.setup(best[-1]["parameters"]).strategies)
        tests.append((max(1, begin - window + 1), end, best[-1]["parameters"]))
    tested = _all(spec, columns, tests, lambda done: progress(0.9 + done * 0.1))
    return [
        {
            "begin": columns.times[begin - 1].isoformat(),
            "end": columns.times[end - 1].isoformat(),
            "parameters": trained_best["parameters"],
            "in_sample": trained_best["statistics"],
            "out_of_sample": test["statistics"],
        }
        for (begin, end), trained_best, test in zip(cuts, best, tested, strict=True)
    ]


def _all(
    spec: BacktestSpec, columns: Columns, work: Sequence[tuple[int, int, Changes]], progress: Progress
) -> list[dict[str, Any]]:
    """The runs over parts of the steps, in the order of the work."""
    found: dict[int, dict[str, Any]] = {}
    with _workers(min(spec.processes or os.cpu_count() or 1, len(work)), spec, columns) as submit:
        for number, result in submit(work):
            found[number] = result
            progress(len(found) / len(work))
    return [found[number] for number in range(len(work))]


Submit = Callable[[Sequence[tuple[int, int, Changes]]], Iterator[tuple[int, dict[str, Any]]]]


@contextmanager
def _workers(count: int, spec: BacktestSpec, columns: Columns) -> Iterator[Submit]:
    """Something that runs work, here for one process, else in processes that each were given the bars once."""
    if count == 1:
        yield lambda work: ((number, _one(spec, columns, *item)) for number, item in enumerate(work))
        return
    # Spawned: the caller may have threads, and a fork of those can hang.
    with ProcessPoolExecutor(count, get_context("spawn"), _keep, (spec, columns)) as pool:

        def submit(work: Sequence[tuple[int, int, Changes]]) -> Iterator[tuple[int, dict[str, Any]]]:
            futures = {pool.submit(_kept_one, *item): number for number, item in enumerate(work)}
            for future in as_completed(futures):
                yield futures[future], future.result()

        yield submit


_KEPT: list[tuple[BacktestSpec, Columns]] = []


def _keep(spec: BacktestSpec, columns: Columns) -> None:
    _KEPT.append((spec, columns))


def _kept_one(first: int, last: int, changes: Changes) -> dict[str, Any]:
    return _one(*_KEPT[0], first, last, changes)


def _one(spec: BacktestSpec, columns: Columns, first: int, last: int, changes: Changes) -> dict[str, Any]:
    whole = (first, last) == (1, len(columns.times))
    outcome = run_once(columns if whole else columns.part(first, last), spec.setup(changes))
    return {"parameters": dict(changes)} | summary(outcome, curve=False)


def _score(found: Mapping[str, Any]) -> float:
    sharpe = found["statistics"]["sharpe"]
    return float("-inf") if sharpe is None else float(sharpe)
