"""What a feed plays: numbered steps that are the same whenever and wherever they are read."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Protocol

from trading.domain.instruments import Instrument
from trading.marketdata.bars import Step
from trading.marketdata.files import FileSource
from trading.marketdata.synthetic import SyntheticSource

SYNTHETIC = "synthetic"
DAY_MINUTES = 24 * 60


class Source(Protocol):
    """A deterministic sequence of steps.

    Attributes:
        feed_id: names the sequence; another seed or another file content is another feed.
        kind: `synthetic` or `file`, shown wherever its data is shown.
        instruments: everything that can appear in it.
    """

    @property
    def feed_id(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def instruments(self) -> Sequence[Instrument]: ...

    def steps(self, first: int) -> Iterator[Step]:
        """The steps from number `first` (1 or more) on; ends with the data, if the data ends."""
        ...


def open_source(name: str, seed: int, *, quarantine: bool = False) -> Source:
    """The source that `TRADING_FEED_SOURCE` names: `synthetic`, or the path of a CSV or Parquet file.

    Args:
        quarantine: leave rows of a file that are corrupt out, and count them, instead of refusing the file.

    Raises:
        MarketDataError: the file is missing or any of its rows is corrupt; nothing has been played then.
    """
    return SyntheticSource(seed) if name == SYNTHETIC else FileSource(Path(name), quarantine=quarantine)


def left_out(source: Source) -> Mapping[str, int]:
    """How many rows of a source are in quarantine, by what is wrong with them."""
    return source.quarantined if isinstance(source, FileSource) else {}


def interval_of(source: Source) -> str:
    """How long its bars are, as in `1m` or `1d`, by the shortest time between the first steps."""
    times = [step.at for step in islice(source.steps(1), 20)]
    shortest = min((b - a for a, b in pairwise(times)), default=timedelta(days=1))
    minutes = max(1, shortest // timedelta(minutes=1))
    if minutes >= DAY_MINUTES:
        return f"{minutes // DAY_MINUTES}d"
    return f"{minutes}m" if minutes % 60 else f"{minutes // 60}h"
