"""A user's CSV or Parquet file as a source; every row is checked before the first is played."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from trading.domain.instruments import Instrument
from trading.marketdata.bars import Bar, Step
from trading.marketdata.rows import COLUMNS, TICK, BadCell, MarketDataError, parse_row

Row = tuple[int, Mapping[str, object]]  # line (CSV) or row (Parquet) number, cells by column


class FileSource:
    """Bars of a file in time order, with columns symbol, timestamp, open, high, low, close, volume.

    Rows of one timestamp form one step. Nothing of the file is kept in memory but its symbols.

    Args:
        quarantine: leave out rows that are corrupt, out of time order, or a bar for the second time; which ones these
            are depends on the file alone, so that its steps stay the same for ever.

    Attributes:
        quarantined: how many rows are left out, by the column that is wrong, `duplicate` or `order`.

    Raises:
        MarketDataError: see `trading.marketdata.rows`; without quarantine also for what that leaves out.
    """

    kind = "file"

    def __init__(self, path: Path, *, quarantine: bool = False) -> None:
        self._path = path
        self._quarantine = quarantine
        left_out: Counter[str] = Counter()
        if not path.is_file():
            raise MarketDataError(f"{path}: no such file; set TRADING_FEED_SOURCE to 'synthetic' or to a file")
        symbols = {bar.symbol for _, bars in self._groups(left_out) for bar in bars.values()}
        self.quarantined: Mapping[str, int] = left_out
        if not symbols:
            raise MarketDataError(f"{path}: has no rows; give at least one bar")
        self.instruments: Sequence[Instrument] = tuple(
            Instrument(symbol=symbol, exchange="NSE", tick_size=TICK) for symbol in sorted(symbols)
        )
        with path.open("rb") as file:
            self.feed_id = f"file-{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"

    def steps(self, first: int) -> Iterator[Step]:
        """See `Source.steps`."""
        for number, (at, bars) in enumerate(self._groups(Counter()), start=1):
            if number >= first:
                yield Step(number, at, tuple(sorted(bars.values(), key=lambda bar: bar.symbol)))

    def _groups(self, left_out: Counter[str]) -> Iterator[tuple[datetime, dict[str, Bar]]]:
        at: datetime | None = None
        group: dict[str, Bar] = {}
        for line, row in _rows(self._path):
            try:
                bar = parse_row(row)
                if at and bar.at < at:
                    raise BadCell(
                        "timestamp", row["timestamp"], "must not be before the row above; sort by time", "order"
                    )
                if bar.at == at and bar.symbol in group:
                    rule = "has a row for this timestamp already; keep one"
                    raise BadCell("symbol", bar.symbol, rule, "duplicate")
            except BadCell as bad:
                if self._quarantine:
                    left_out[bad.kind] += 1
                    continue
                raise MarketDataError(
                    f"{self._path}: line {line}: column {bad.column}: value {bad.value!s:.40}: {bad.rule}; "
                    "correct or remove the row, nothing was played"
                ) from bad
            if at and bar.at > at:
                yield at, group
                group = {}
            at = bar.at
            group[bar.symbol] = bar
        if at:
            yield at, group


def _rows(path: Path) -> Iterator[Row]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            yield from _csv_rows(path, file)
    elif path.suffix == ".parquet":
        yield from _parquet_rows(path)
    else:
        raise MarketDataError(f"{path}: suffix {path.suffix!r} is neither .csv nor .parquet; rename or convert it")


def _csv_rows(path: Path, file: TextIO) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    try:
        header = next(reader, [])
        _check_columns(path, header)
        for cells in reader:
            if len(cells) != len(header):
                raise MarketDataError(
                    f"{path}: line {reader.line_num}: has {len(cells)} cells, the header has {len(header)}; "
                    "correct or remove the row, nothing was played"
                )
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise MarketDataError(f"{path}: line {reader.line_num + 1}: {error}; save it as plain UTF-8 CSV") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    # Here, not above: 50 MB of memory that only this reader needs.
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=10_000, columns=list(COLUMNS)):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError) as error:
        raise MarketDataError(f"{path}: not a readable Parquet file ({error!s:.80}); write it again") from error


def _check_columns(path: Path, header: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise MarketDataError(f"{path}: line 1: missing columns {', '.join(missing)}; needed are {', '.join(COLUMNS)}")
    if len(set(header)) != len(header):
        raise MarketDataError(f"{path}: line 1: a column name is there twice; keep one")
