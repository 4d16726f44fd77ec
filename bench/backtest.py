"""How fast a backtest is, side by side with three others on the same work.

    make bench-backtest            (ARGS="--sessions 20" for a quick look)

Work: EMA 10/30 without a band, long or flat, market orders filled at the next bar, charges on; 50 symbols of
one-minute bars over a year (247 sessions of 375). The others play the first of the symbols. Loading is not timed, by
any. Speeds are bars by seconds of CPU, since the machine may be shared; the clock's seconds stand beside. Ends with
one line of JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from toolchain.checks.scanners import UV
from toolchain.kit import process
from toolchain.kit.console import main_guard
from toolchain.kit.paths import ROOT
from trading.backtest.columns import Column, Columns
from trading.backtest.run import Setup, run
from trading.domain.instruments import Instrument
from trading.marketdata.bars import IST
from trading.strategies.registry import build

SYMBOLS, SESSIONS, MINUTES = 50, 247, 375
PEERS = ("backtesting", "backtrader", "nautilus_trader")
FIRST = datetime(2025, 1, 1, 9, 15, tzinfo=IST)
# Large against what is traded, so that charges do not use it up: the work is then the same all the year.
CAPITAL, SHARE = Decimal(5_000_000_000), "0.00002"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def market(symbols: Sequence[int], sessions: int) -> Columns:
    """SYNTHETIC random walks on a tick of five paise; a symbol's bars do not depend on which others there are."""
    days = (FIRST + timedelta(days=day) for day in range(2 * sessions))
    opens = [day for day in days if day.weekday() < 5][:sessions]
    times = [begin + timedelta(minutes=minute) for begin in opens for minute in range(MINUTES)]
    steps = np.arange(1, len(times) + 1)
    columns = {}
    for number in symbols:
        rng = np.random.default_rng(number)
        walk = np.log(500 + 10 * number) + np.cumsum(rng.normal(0, 0.0006, len(times)))
        close = np.round(np.exp(walk) * 20).astype(np.int64) * 5
        begin = np.concatenate([close[:1], close[:-1]])
        high = np.maximum(begin, close) + 5 * rng.integers(0, 5, len(times))
        low = np.minimum(begin, close) - 5 * rng.integers(0, 5, len(times))
        symbol = f"S{number:02}"
        columns[symbol] = Column(symbol, steps, begin, high, low, close, rng.integers(20_000, 90_000, len(times)))
    listed = {name: Instrument(symbol=name, exchange="NSE", tick_size=Decimal("0.05")) for name in columns}
    return Columns("bench", "synthetic", listed, times, columns)


def ours(symbols: Sequence[int], sessions: int) -> dict[str, Any]:
    """One run of ours in this process."""
    columns = market(symbols, sessions)
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    setup = Setup(strategies=[build("ema", "ema", {"band": "0", "share": SHARE})], capital=CAPITAL)
    clock, cpu = time.perf_counter(), time.process_time()
    outcome = run(columns, setup)
    seconds = {"cpu_s": time.process_time() - cpu, "clock_s": time.perf_counter() - clock}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    memory = {"bars_mb": round(loaded / 1024), "peak_mb": round(peak / 1024)}
    return {"name": "ours", "bars": columns.bars, "orders": len(outcome.orders), **seconds, **memory}


def child(*command: object) -> dict[str, Any]:
    """What a process of its own says in its last line."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | ONE_THREAD | {"PYTHONPATH": f"{ROOT}:{ROOT / 'app'}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours_apart(first: int, last: int, sessions: int) -> dict[str, Any]:
    """One run of ours in a process of its own, so that its memory is its own."""
    return child(sys.executable, "-m", "bench.backtest", "--ours", first, last, "--sessions", sessions)


def peers(sessions: int) -> list[dict[str, Any]]:
    """The others, in the environment that their lock describes."""
    folder = ROOT / ".local" / "peers"
    env = os.environ | {"UV_PROJECT_ENVIRONMENT": str(folder), "UV_PYTHON_DOWNLOADS": "never"}
    env.pop("VIRTUAL_ENV", None)
    project = ROOT / "bench" / "peers"
    process.run("peers", [UV, "sync", "--frozen", "--quiet", "--link-mode", "copy"], cwd=project, env=env)
    columns = market([0], sessions)
    bars = columns.columns["S00"]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bars.npz"
        at = np.array([int(time_.timestamp()) for time_ in columns.times])
        np.savez(path, at=at, open=bars.open, high=bars.high, low=bars.low, close=bars.close, volume=bars.volume)
        return [child(folder / "bin" / "python", project / "play.py", peer, path) for peer in PEERS]


def speed(found: dict[str, Any]) -> float:
    """Bars a second of CPU."""
    return float(found["bars"]) / float(found["cpu_s"])


def show(title: str, found: dict[str, Any]) -> None:
    """One line of the table."""
    print(
        f"{title:34} {found['bars']:>9,} bars {found['orders']:>8,} orders {found['cpu_s']:>8.1f} s CPU"
        f" {found['clock_s']:>8.1f} s clock {speed(found):>10,.0f} bars/s",
        flush=True,
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=SESSIONS, metavar="N", help="length of the bars (default 247)")
    parser.add_argument("--ours", type=int, nargs=2, metavar=("FIRST", "LAST"), help="play these symbols, nothing else")
    args = parser.parse_args()
    if args.ours:
        print(json.dumps(ours(range(args.ours[0], args.ours[1] + 1), args.sessions)))
        return
    others = peers(args.sessions)
    for found in others:
        show(found["name"], found)
    single = ours_apart(0, 0, args.sessions)
    show("ours, the same symbol", single)
    quarter = ours_apart(0, SYMBOLS - 1, max(1, args.sessions // 4))
    show(f"ours, {SYMBOLS} symbols, a quarter", quarter)
    whole = ours_apart(0, SYMBOLS - 1, args.sessions)
    show(f"ours, {SYMBOLS} symbols", whole)
    cores = os.cpu_count() or 1
    cuts = [SYMBOLS * core // cores for core in range(cores + 1)]
    begin = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        parts = list(pool.map(lambda a, b: ours_apart(a, b - 1, args.sessions), cuts, cuts[1:]))
    together = time.perf_counter() - begin
    for part in parts:
        show(f"ours, one of {cores} processes", part)
    figures = {
        "bench": "backtest",
        "bars": whole["bars"],
        "orders": whole["orders"],
        "bars_per_cpu_s": round(speed(whole)),
        "us_per_order": round(whole["cpu_s"] / whole["orders"] * 1e6, 1),
        "peak_mb": whole["peak_mb"],
        "slope": round(speed(quarter) / speed(whole), 3),  # 1: a bar costs the same however many there are
        "same_symbol_bars_per_cpu_s": round(speed(single)),
        "peers_bars_per_cpu_s": {found["name"]: round(speed(found)) for found in others},
        "cores": cores,
        "all_cores_bars_per_clock_s": round(whole["bars"] / together),  # loading included
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main_guard(main)
