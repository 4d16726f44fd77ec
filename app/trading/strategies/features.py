"""What the classifier sees of a symbol: one function for training and trading, so that the two cannot differ."""

import itertools
from collections.abc import Iterator, Sequence
from math import log, sqrt
from statistics import fmean

from trading.marketdata.bars import Bar

NAMES = ("return_1", "return_5", "return_20", "volatility_20", "z_20", "range_20", "volume_20")
SPAN = 21  # bars of which one row of features is made
VERSION = 1  # of their meaning


def features(bars: Sequence[Bar]) -> tuple[float, ...]:
    """The features after the newest of `SPAN` bars, in the order of `NAMES`; all are free of price and volume levels.

    Logarithmic returns over 1, 5 and 20 bars; deviation of the returns; distance of the close from its mean, in
    deviations; place of the close between lowest low (0) and highest high (1); volume against its mean, as a logarithm.
    """
    closes = [float(bar.close) for bar in bars]
    logs = [log(close) for close in closes]
    moves = [b - a for a, b in itertools.pairwise(logs)]
    recent, last = closes[1:], closes[-1]
    mean = fmean(recent)
    deviation = sqrt(fmean((close - mean) ** 2 for close in recent))
    high, low = max(float(bar.high) for bar in bars[1:]), min(float(bar.low) for bar in bars[1:])
    volume = fmean(bar.volume for bar in bars[1:])
    return (
        moves[-1],
        logs[-1] - logs[-6],
        logs[-1] - logs[0],
        sqrt(fmean(move * move for move in moves)),
        (last - mean) / deviation if deviation else 0.0,
        (last - low) / (high - low) if high > low else 0.5,
        log((bars[-1].volume + 1) / (volume + 1)),
    )


def rows(bars: Sequence[Bar], every: int) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Place of a bar and its features, for every so many-th bar back from the newest, newest first."""
    for end in range(len(bars), SPAN - 1, -every):
        yield end - 1, features(bars[end - SPAN : end])
