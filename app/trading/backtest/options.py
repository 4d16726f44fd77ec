"""The arguments of `trading backtest`; apart from what they start, so that other commands need not load it."""

import argparse
from pathlib import Path

from trading.marketdata.source import SYNTHETIC
from trading.strategies.registry import DEFAULTS, OURS

ARCH = {"arch:nasdaq": ("nasdaq", "NASDAQ"), "arch:sp500": ("sp500", "SP500")}  # modules of arch.data, our symbols
NAMED = (SYNTHETIC, *ARCH)
SYNTHETIC_STEPS = 3750  # ten sessions of a minute's bars


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its parts."""
    own = commands.add_parser("backtest", help="run, sweep, walk forward, train; no database is needed")
    parts = own.add_subparsers(dest="part", required=True)
    play = parts.add_parser("run", help="one run: figures, order list, trades, equity, tear sheet")
    _common(play)
    play.add_argument("--no-report", action="store_true", help="no tear sheet, which needs matplotlib")
    play.add_argument("--step-by-step", action="store_true", help="ask at every bar, even where arrays would do")
    for name, text in (
        ("sweep", "a run for each combination of --vary, over all cores; best Sharpe ratio first"),
        ("walk-forward", "choose among --vary by the past, trade what follows, fold by fold"),
    ):
        part = parts.add_parser(name, help=text)
        _common(part)
        part.add_argument("--vary", action="append", required=True, metavar="NAME=A,B,C", help="values; repeatable")
        part.add_argument("--processes", type=int, metavar="N", help="default: one a core")
        if name == "sweep":
            part.add_argument("--shard", type=_shard, metavar="I/N", help="only every Nth run from run I on, I from 0")
        else:
            part.add_argument("--folds", type=int, default=5, metavar="N", help="parts that are traded (default 5)")
            part.add_argument("--rolling", action="store_true", help="choose by the part before alone")
    model = parts.add_parser("train", help="train the classifier's model, walking forward; needs trading[ml]")
    _data(model)
    model.add_argument("--horizon", type=int, default=15, metavar="BARS", help="how far ahead it says (default 15)")
    model.add_argument("--folds", type=int, default=4, metavar="N", help="of the walk forward (default 4)")
    model.add_argument("--out", type=Path, required=True, metavar="FILE", help="the model, as JSON")
    pairs = parts.add_parser("pairs", help="test pairs for cointegration; needs trading[research]")
    _data(pairs)
    pairs.add_argument("--most-p", type=float, default=0.05, metavar="P", help="of the test (default 0.05)")


def _shard(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"{text}: must be I/N with I from 0 to N - 1, such as 0/4")
    return int(index), int(count)


def _common(parser: argparse.ArgumentParser) -> None:
    known = ", ".join((*(kind.name for kind in OURS), *(one.name for one in DEFAULTS)))
    parser.add_argument("--strategy", required=True, metavar="NAME", help=f"a kind, or a default by name: {known}")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter; repeatable")
    parser.add_argument("--capital", default="5000000", metavar="RUPEES", help="default 5000000")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the files; made if missing")
    _data(parser)


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default=SYNTHETIC, help=f"{', '.join(NAMED)}, or a CSV or Parquet file")
    parser.add_argument("--steps", type=int, metavar="N", help=f"the first N (synthetic: {SYNTHETIC_STEPS})")
    parser.add_argument("--seed", type=int, default=1, help="of the synthetic market and the venue (default 1)")
