"""Where a backtest's bars come from, by name."""

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from trading.backtest import quick
from trading.backtest.columns import Columns, load
from trading.backtest.options import ARCH, NAMED
from trading.domain.instruments import Instrument
from trading.marketdata.bars import IST, Bar, Step
from trading.marketdata.rows import TICK, MarketDataError
from trading.marketdata.source import SYNTHETIC, open_source

MOST_SYNTHETIC_STEPS = 100_000  # it never ends by itself


class ArchSource:
    """Real daily bars of an index, 1999 to 2018, that the package `arch` ships; prices rounded to a cent.

    They stand in for rupees: what is tested on them is arithmetic, not India.

    Raises:
        MarketDataError: the package is not installed.
    """

    kind = "file"

    def __init__(self, name: str) -> None:
        module, symbol = ARCH[name]
        try:
            frame: Any = import_module(f"arch.data.{module}").load()
        except ImportError as error:
            raise MarketDataError(f"data={name}: needs the package arch; pip install 'trading[research]'") from error
        self.instruments: Sequence[Instrument] = (Instrument(symbol=symbol, exchange="NSE", tick_size=TICK),)
        self._rows = [
            (day.to_pydatetime().replace(tzinfo=IST), *(Decimal(f"{row[c]:.2f}") for c in columns), int(row["Volume"]))
            for columns in [("Open", "High", "Low", "Close")]
            for day, row in frame.iterrows()
        ]
        content = hashlib.sha256("\n".join(map(str, self._rows)).encode()).hexdigest()
        self.feed_id = f"{name.replace(':', '-')}-{content[:12]}"

    def steps(self, first: int) -> Iterator[Step]:
        """See `Source.steps`."""
        symbol = self.instruments[0].symbol
        for number in range(first, len(self._rows) + 1):
            at, begin, high, low, close, volume = self._rows[number - 1]
            yield Step(number, at, (Bar(symbol, at, begin, high, low, close, volume),))


def open_data(name: str, seed: int, steps: int | None) -> Columns:
    """The bars that a name stands for: `synthetic`, `arch:nasdaq`, `arch:sp500`, or the path of a CSV or Parquet file.

    Args:
        seed: of the synthetic market.
        steps: from the first on; None for all, which the synthetic market does not have.

    Raises:
        MarketDataError: there are none, or any is corrupt.
    """
    if name == SYNTHETIC and not 1 <= (steps or 0) <= MOST_SYNTHETIC_STEPS:
        raise MarketDataError(f"steps={steps}: the synthetic market is endless; say 1 to {MOST_SYNTHETIC_STEPS}")
    if name in ARCH:
        return load(ArchSource(name), steps)
    if name != SYNTHETIC and not Path(name).is_file():
        raise MarketDataError(f"data={name}: no such file; name one, or take one of {', '.join(NAMED)}")
    if name != SYNTHETIC and (whole := quick.read(Path(name))):
        return whole if steps is None else whole.first(steps)
    return load(open_source(name, seed), steps)
