"""One backtest in a process of its own, so that it can take its time and its memory, and be ended.

The specification comes as JSON on stdin; each line of stdout is an object with `progress`, `result` or `error`.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from trading.domain.errors import TradingError

NICE = 10  # it must not slow down what trades


class Jobs(Protocol):
    """The module that runs backtests."""

    def run(self, spec: dict[str, Any], progress: Callable[[float], None]) -> dict[str, Any]:
        """What a backtest comes to; calls `progress` with 0 to 1 now and then."""
        ...


def main(module: str) -> None:
    """Run the backtest on stdin."""
    os.nice(NICE)
    try:
        jobs = cast(Jobs, importlib.import_module(module))
        _say({"result": jobs.run(json.load(sys.stdin), lambda part: _say({"progress": part}))})
    except TradingError as error:
        _say({"error": str(error)})
    except Exception as error:  # whatever it is, the one who asked for it is told
        _say({"error": f"{type(error).__name__}: {error}"})


def _say(line: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(line)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
