"""What a feed plays: numbered steps that are the same whenever and wherever they are read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from trading.domain.instruments import Instrument
from trading.marketdata.bars import Step
from trading.marketdata.files import FileSource
from trading.marketdata.synthetic import SyntheticSource

SYNTHETIC = "synthetic"


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


def open_source(name: str, seed: int) -> Source:
    """The source that `TRADING_FEED_SOURCE` names: `synthetic`, or the path of a CSV or Parquet file.

    Raises:
        MarketDataError: the file is missing or any of its rows is corrupt; nothing has been played then.
    """
    return SyntheticSource(seed) if name == SYNTHETIC else FileSource(Path(name))
