"""Looks for cointegrated pairs with statsmodels, and says them as parameters of the strategy `pairs`."""

from itertools import combinations
from typing import Any

import numpy as np

from trading.backtest.columns import Column, Columns
from trading.backtest.run import BacktestError

MOST_SYMBOLS = 60  # 1770 pairs
LEAST_BARS = 100


def find(columns: Columns, most_p: float) -> list[dict[str, Any]]:
    """The pairs whose Engle-Granger test has a p-value up to `most_p`, lowest first, each in its better direction.

    Of many pairs some pass by chance: with a p-value of 0.05 one of twenty that have nothing to do with each other.
    `tested` says how many were looked at.

    Raises:
        BacktestError: one symbol only, too many, too few bars in common, or statsmodels is not installed.
    """
    try:
        from statsmodels.api import OLS, add_constant  # type: ignore[import-untyped]
        from statsmodels.tsa.stattools import coint  # type: ignore[import-untyped]
    except ImportError as error:
        raise BacktestError("pairs: needs statsmodels; pip install 'trading[research]'") from error
    if not 2 <= len(columns.columns) <= MOST_SYMBOLS:
        raise BacktestError(f"data: has {len(columns.columns)} symbols; give 2 to {MOST_SYMBOLS}")
    if not 0 < most_p <= 1:
        raise BacktestError(f"most_p={most_p}: must be above 0, to 1")
    found, tested = [], 0
    for one, other in combinations(columns.columns.values(), 2):
        first, second = _logs(one, other)
        if not first.std() or not second.std():
            continue
        tested += 1
        best = min(
            (
                (float(coint(y, x)[1]), names, y, x)
                for names, y, x in (
                    ((one.symbol, other.symbol), first, second),
                    ((other.symbol, one.symbol), second, first),
                )
            ),
            key=lambda item: (item[0], item[1]),
        )
        p, names, y, x = best
        ratio = float(OLS(y, add_constant(x)).fit().params[1])
        if p <= most_p and 0 < ratio <= 10:
            parameters = {"first": names[0], "second": names[1], "hedge_ratio": round(ratio, 6)}
            found.append({"p_value": round(p, 6), "parameters": parameters})
    return [entry | {"tested": tested} for entry in sorted(found, key=lambda entry: float(str(entry["p_value"])))]


def _logs(one: Column, other: Column) -> tuple[Any, Any]:
    """Logarithms of the closes that the two have at the same steps."""
    _, mine, theirs = np.intersect1d(one.steps, other.steps, return_indices=True)
    if len(mine) < LEAST_BARS:
        raise BacktestError(f"{one.symbol}, {other.symbol}: {len(mine)} bars in common; give {LEAST_BARS} at least")
    return np.log(one.closes[mine]), np.log(other.closes[theirs])
