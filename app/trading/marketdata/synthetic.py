"""A SYNTHETIC NIFTY 50 market: seeded, endless, and not a forecast of anything.

A day is 375 one-minute bars, 09:15-15:30 IST, on weekdays from `FIRST_DAY` (no holidays). Log returns are the sum of a
market factor, a sector factor and the symbol's own noise, so that symbols of a sector move together; days are joined
by overnight gaps; volume and volatility are U-shaped over the day; prices lie on the tick grid.

A day's end points come from a cheap chain of daily draws and its minutes from bridges between them, so that any day can
be entered without playing the ones before it.
"""

from __future__ import annotations  # array[int] at run time is Python 3.12

import math
import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from trading.domain.instruments import Instrument
from trading.marketdata.bars import IST, Bar, Step
from trading.marketdata.universe import Constituent, nifty50

VERSION = 1  # of the generated numbers: a change of any draw is a new feed
UNIVERSE = date(2025, 9, 30)  # the list of members that this version plays
FIRST_DAY = date(2026, 1, 5)
OPEN = time(9, 15)
MINUTES = 375

# Daily standard deviations of log returns, by factor: overnight, within the session.
MARKET = (0.004, 0.008)
SECTOR = (0.003, 0.006)
OWN = (0.004, 0.009)
JUMP_CHANCE, JUMP = 0.02, 0.035  # a symbol's overnight news
PULL = 0.01  # a day's pull back to the start price, so that years of play stay in range
VOLUME_A_MINUTE = 40_000_000  # rupees, before the day's shape


@dataclass(frozen=True, slots=True)
class _Column:
    """One symbol's day: prices in ticks, volumes in shares, one entry a minute."""

    open: array[int]
    high: array[int]
    low: array[int]
    close: array[int]
    volume: array[int]


class SyntheticSource:
    """The synthetic market of one seed; see the module."""

    kind = "synthetic"

    def __init__(self, seed: int) -> None:
        self.feed_id = f"synthetic-{VERSION}-{seed}"
        self._seed = seed
        self._members = nifty50(UNIVERSE)
        self._sectors = sorted({member.sector for member in self._members})

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The 50 instruments."""
        return tuple(member.instrument for member in self._members)

    def steps(self, first: int) -> Iterator[Step]:
        """See `Source.steps`; never ends: after a day comes the next."""
        day, minute = divmod(first - 1, MINUTES)
        levels = [math.log(float(member.start_price)) for member in self._members]
        for past in range(day):
            levels = [end for _, end in self._ends(past, levels)]
        number = first
        while True:
            ends = self._ends(day, levels)
            columns = self._columns(day, ends)
            begin = datetime.combine(_trading_date(day), OPEN, IST)
            while minute < MINUTES:
                at = begin + timedelta(minutes=minute)
                bars = tuple(_bar(m, c, minute, at) for m, c in zip(self._members, columns, strict=True))
                yield Step(number, at, bars)
                number, minute = number + 1, minute + 1
            levels, day, minute = [end for _, end in ends], day + 1, 0

    def _random(self, *key: object) -> random.Random:
        return random.Random("/".join(str(part) for part in (VERSION, self._seed, *key)))  # noqa: S311 - a simulation

    def _ends(self, day: int, levels: Sequence[float]) -> list[tuple[float, float]]:
        """Each symbol's log price at the day's open and close, from the close before."""
        rng = self._random("day", day)
        market = [rng.gauss(0, sd) for sd in MARKET]
        sectors = {name: [rng.gauss(0, sd) for sd in SECTOR] for name in self._sectors}
        ends = []
        for member, level in zip(self._members, levels, strict=True):
            gap, move = (market[i] + sectors[member.sector][i] + rng.gauss(0, OWN[i]) for i in (0, 1))
            if rng.random() < JUMP_CHANCE:
                gap += rng.gauss(0, JUMP)
            opened = level + gap
            pull = PULL * (math.log(float(member.start_price)) - level)
            ends.append((opened, opened + move + pull))
        return ends

    def _columns(self, day: int, ends: Sequence[tuple[float, float]]) -> list[_Column]:
        shape = _u_shape()
        rng = self._random("minutes", day)
        market = _bridge(rng, shape, MARKET[1])
        sectors = {name: _bridge(rng, shape, SECTOR[1]) for name in self._sectors}
        columns = []
        for member, (opened, closed) in zip(self._members, ends, strict=True):
            common = [a + b for a, b in zip(market, sectors[member.sector], strict=True)]
            path = _path(rng, shape, common, opened, closed)
            columns.append(_column(rng, shape, path, member))
        return columns


def _trading_date(day: int) -> date:
    weeks, weekday = divmod(day, 5)
    return FIRST_DAY + timedelta(weeks=weeks, days=weekday)


def _u_shape() -> list[float]:
    """Weights of the minutes, sum 1: about three times as much at the edges as at noon."""
    raw = [1 + 2 * (2 * minute / (MINUTES - 1) - 1) ** 4 for minute in range(MINUTES)]
    total = sum(raw)
    return [weight / total for weight in raw]


def _bridge(rng: random.Random, shape: Sequence[float], deviation: float) -> list[float]:
    """A random walk of the given daily deviation that starts and ends at 0, at the end of each minute."""
    walk, level = [], 0.0
    for weight in shape:
        level += rng.gauss(0, deviation * math.sqrt(weight))
        walk.append(level)
    passed, result = 0.0, []
    for weight, value in zip(shape, walk, strict=True):
        passed += weight
        result.append(value - passed * level)
    return result


def _path(
    rng: random.Random, shape: Sequence[float], common: Sequence[float], opened: float, closed: float
) -> list[float]:
    """The symbol's price at the begin of the day and at the end of each minute."""
    own = _bridge(rng, shape, OWN[1])
    passed, prices = 0.0, [math.exp(opened)]
    for weight, a, b in zip(shape, common, own, strict=True):
        passed += weight
        prices.append(math.exp(opened + passed * (closed - opened) + a + b))
    return prices


def _column(rng: random.Random, shape: Sequence[float], path: Sequence[float], member: Constituent) -> _Column:
    column = _Column(*(array("q") for _ in range(5)))
    tick = float(member.instrument.tick_size)
    for minute, weight in enumerate(shape):
        first, last = (max(1, round(path[minute + i] / tick)) for i in (0, 1))
        wick = path[minute] * OWN[1] * math.sqrt(weight) / tick / 2
        column.open.append(first)
        column.close.append(last)
        column.high.append(max(first, last) + round(rng.random() * wick))
        column.low.append(max(1, min(first, last) - round(rng.random() * wick)))
        shares = VOLUME_A_MINUTE / path[minute] * weight * MINUTES * rng.lognormvariate(0, 0.5)
        column.volume.append(round(shares))
    return column


def _bar(member: Constituent, column: _Column, minute: int, at: datetime) -> Bar:
    tick = member.instrument.tick_size
    first, high, low, last = (tick * c[minute] for c in (column.open, column.high, column.low, column.close))
    return Bar(member.instrument.symbol, at, first, high, low, last, column.volume[minute])
