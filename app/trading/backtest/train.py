"""Trains the classifier's model: scikit-learn's logistic regression, walking forward, written as plain numbers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.backtest.columns import Columns, Floats
from trading.backtest.run import BacktestError
from trading.strategies.features import NAMES, SPAN, features
from trading.strategies.model import Fold, Model, sealed

LEAST_ROWS = 200  # of a fold's training, about thirty a feature
BINS = 10


class Rows(NamedTuple):
    """Features, whether the price was higher after the horizon, and the step of each row, in order of steps."""

    x: Floats
    up: NDArray[np.bool_]
    steps: NDArray[np.int64]


def train(columns: Columns, *, horizon: int, folds: int) -> Model:
    """A model of all bars, with how its like did in each fold on bars that it had not seen.

    Between training and test lies a gap of the horizon, so that no answer in the one depends on a price of the other.

    Raises:
        BacktestError: too few bars, all moves to one side, an impossible horizon, or scikit-learn is not installed.
    """
    if not 1 <= horizon <= 1000 or not 1 <= folds <= 50:
        raise BacktestError(f"horizon={horizon}, folds={folds}: must be 1 to 1000 and 1 to 50")
    rows = samples(columns, horizon)
    last = len(columns.times)
    size = last // (folds + 1)
    found = []
    for fold in range(1, folds + 1):
        begin = fold * size + 1
        end = last if fold == folds else begin + size - 1
        before, after = rows.steps + horizon < begin, (rows.steps >= begin) & (rows.steps <= end)
        if before.sum() < LEAST_ROWS or not after.any():
            raise BacktestError(f"data: {before.sum()} rows before fold {fold}; give {LEAST_ROWS} or fewer folds")
        fitted = _fit(rows.x[before], rows.up[before])
        right = fitted.predict(rows.x[after]) == rows.up[after]
        rate = float(rows.up[after].mean())
        found.append(
            Fold(
                begin=columns.times[begin - 1],
                rows=int(after.sum()),
                accuracy=round(float(right.mean()), 6),
                base_rate=round(max(rate, 1 - rate), 6),
            )
        )
    fitted = _fit(rows.x, rows.up)
    scaler, regression = fitted[0], fitted[1]
    quantiles = np.arange(1, BINS) / BINS
    return sealed(
        {
            "horizon": horizon,
            "trained_from": columns.times[0],
            "trained_until": columns.times[-1],
            "data": columns.feed_id,
            "rows": len(rows.up),
            "means": scaler.mean_.tolist(),
            "scales": scaler.scale_.tolist(),
            "weights": regression.coef_[0].tolist(),
            "intercept": float(regression.intercept_[0]),
            "edges": np.quantile(rows.x, quantiles, axis=0).T.tolist(),
            "folds": found,
        }
    )


def samples(columns: Columns, horizon: int) -> Rows:
    """Every `horizon`-th bar of each symbol, so that the answers of its rows do not overlap."""
    x: list[Sequence[float]] = []
    up: list[bool] = []
    steps: list[int] = []
    for column in columns.columns.values():
        bars = [column.bar(index, columns.times[int(step) - 1]) for index, step in enumerate(column.steps)]
        for end in range(SPAN, len(bars) - horizon + 1, horizon):
            x.append(features(bars[end - SPAN : end]))
            up.append(bars[end - 1 + horizon].close > bars[end - 1].close)
            steps.append(int(column.steps[end - 1]))
    if len(up) < LEAST_ROWS:
        raise BacktestError(f"data: makes {len(up)} rows; give bars for {LEAST_ROWS} at least")
    order = np.argsort(np.array(steps), kind="stable")
    return Rows(np.array(x)[order].reshape(-1, len(NAMES)), np.array(up)[order], np.array(steps)[order])


def _fit(x: Floats, up: NDArray[np.bool_]) -> Any:  # noqa: ANN401 - scikit-learn has no types
    try:
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
        from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
        from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
    except ImportError as error:
        raise BacktestError("train: needs scikit-learn; pip install 'trading[ml]'") from error
    if up.all() or not up.any() or not x.std(axis=0).all():
        raise BacktestError("data: a feature or the direction never changes; give bars of a longer time")
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(x, up)
