"""Backtests for the tests of who runs them."""

import os
import time
from collections.abc import Callable
from typing import Any

from trading.domain.errors import TradingError


def run(spec: dict[str, Any], progress: Callable[[float], None]) -> dict[str, Any]:
    """Do what the specification says."""
    progress(0.5)
    match spec["do"]:
        case "refuse":
            raise TradingError("symbol=X: is not known; take another")
        case "die":
            os._exit(3)
        case "wait":
            time.sleep(60)
    return {"answer": spec["value"]}
