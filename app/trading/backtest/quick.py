"""Files of bars read whole, in columns: what is plainly well, and nothing else.

Rows that are read one by one say what is wrong with a file, and know every way of writing a number or a time. This
reader takes the common ways only and gives up at the first doubt; then the rows are read after all. So the two never
differ, in what they refuse or in what they give.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.backtest.columns import Column, Columns
from trading.domain.instruments import Instrument
from trading.marketdata.bars import IST
from trading.marketdata.rows import COLUMNS, SYMBOL, TICK

PRICES = ("open", "high", "low", "close")
PRICE, VOLUME = r"^[0-9]{1,9}(\.[0-9]{1,2})?$", r"^[0-9]{1,15}$"
TIME, OFFSET = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(\+05:30)?)?$", "+05:30"
QUOTED = re.compile(r'^"([^"]*)"$')
MOST_PAISE = 10**11
EPOCH = datetime(1970, 1, 1)
Ints = NDArray[np.int64]


class Doubt(Exception):
    """Something is not as plain as this reader wants it."""


def read(path: Path) -> Columns | None:
    """The bars of a CSV or Parquet file; None when its rows must be read one by one."""
    # Here, not above: only this reader needs them.
    import pyarrow  # type: ignore[import-untyped]

    try:
        return _columns(path, _table(path))
    except (Doubt, pyarrow.ArrowException, OSError, UnicodeDecodeError):
        return None


def _table(path: Path) -> Mapping[str, Any]:
    """The columns as Arrow has them, those of a CSV as text."""
    import pyarrow
    from pyarrow import csv, parquet

    if path.suffix == ".parquet":
        table = parquet.read_table(path, columns=list(COLUMNS))
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8") as file:
            header = [QUOTED.sub(r"\1", name) for name in file.readline().rstrip("\n").split(",")]
        if len(set(header)) != len(header) or not set(COLUMNS) <= set(header):
            raise Doubt
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(column_names=header, skip_rows=1),
            parse_options=csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(COLUMNS, pyarrow.string()), include_columns=COLUMNS, null_values=[]
            ),
        )
    else:
        raise Doubt
    if not table.num_rows or any(column.null_count for column in table.columns):
        raise Doubt
    return {name: _unquoted(column) for name, column in zip(table.column_names, table.columns, strict=True)}


def _unquoted(column: Any) -> Any:  # noqa: ANN401 - Arrow has no types
    """Text without the quotes around the whole of it, if there are any."""
    from pyarrow import compute, types

    if types.is_string(column.type) and compute.any(compute.starts_with(column, '"')).as_py():
        return compute.replace_substring_regex(column, QUOTED.pattern, r"\1")
    return column


def _columns(path: Path, table: Mapping[str, Any]) -> Columns:
    at = _times(table["timestamp"])
    open_, high, low, close = (_paise(table[name]) for name in PRICES)
    volume = _volume(table["volume"])
    names, symbols = _symbols(table["symbol"])
    _must(high >= np.maximum(np.maximum(open_, low), close))
    _must(low <= np.minimum(open_, close))
    later = np.diff(at, prepend=at[0] - 1)
    _must(later >= 0)
    steps: Ints = np.cumsum(later > 0, dtype=np.int64)
    order = np.lexsort((steps, symbols))
    cuts = np.searchsorted(symbols[order], np.arange(len(names) + 1))
    columns = {}
    for number in sorted(range(len(names)), key=names.__getitem__):
        rows = order[cuts[number] : cuts[number + 1]]
        _must(np.diff(steps[rows]) > 0)
        figures: list[Ints] = [figure[rows] for figure in (steps, open_, high, low, close, volume)]
        columns[names[number]] = Column(names[number], *figures)
    with path.open("rb") as file:
        feed_id = f"file-{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"
    times = [(EPOCH + timedelta(seconds=second)).replace(tzinfo=IST) for second in at[later > 0].tolist()]
    listed = {name: Instrument(symbol=name, exchange="NSE", tick_size=TICK) for name in columns}
    return Columns(feed_id, "file", listed, times, columns)


def _times(column: Any) -> Ints:  # noqa: ANN401 - Arrow has no types
    """Seconds of the clock in India since 1970."""
    import pyarrow
    from pyarrow import compute, types

    if types.is_timestamp(column.type) and column.type.unit != "ns":
        zone = column.type.tz
        if zone is not None:
            column = compute.local_timestamp(column.cast(pyarrow.timestamp(column.type.unit, IST.key)))
        column = column.cast(pyarrow.timestamp("s"))
    else:
        _written(column, TIME)
        column = compute.replace_substring(column, OFFSET, "").cast(pyarrow.timestamp("s"))
    seconds: Ints = column.cast(pyarrow.int64()).to_numpy()
    _must(seconds >= 0)
    return seconds


def _paise(column: Any) -> Ints:  # noqa: ANN401 - Arrow has no types
    """Prices above 0 on the tick of a paisa."""
    import pyarrow
    from pyarrow import compute, types

    if types.is_decimal(column.type):
        exact = column.cast(pyarrow.decimal128(18, 2))  # refuses what it would have to round
        paise: Ints = compute.multiply(exact, pyarrow.scalar(Decimal(100))).cast(pyarrow.int64()).to_numpy()
    else:
        if not (types.is_integer(column.type) or types.is_float64(column.type)):
            _written(column, PRICE)
        rupees = column.cast(pyarrow.float64()).to_numpy()
        paise = np.rint(np.clip(rupees, 0, MOST_PAISE) * 100).astype(np.int64)
        _must(paise / 100 == rupees)
    _must((paise > 0) & (paise < MOST_PAISE))
    return paise


def _volume(column: Any) -> Ints:  # noqa: ANN401 - Arrow has no types
    import pyarrow
    from pyarrow import types

    if not types.is_integer(column.type):
        _written(column, VOLUME)
    volume: Ints = column.cast(pyarrow.int64()).to_numpy()
    _must(volume >= 0)
    return volume


def _symbols(column: Any) -> tuple[list[str], Ints]:  # noqa: ANN401 - Arrow has no types
    """The symbols, and the place of each row's among them."""
    from pyarrow import types

    if types.is_dictionary(column.type) or not types.is_string(column.type):
        raise Doubt
    encoded = column.combine_chunks().dictionary_encode()
    if not hasattr(encoded, "dictionary"):
        encoded = encoded.combine_chunks()
    names = encoded.dictionary.to_pylist()
    if not all(SYMBOL.fullmatch(name) for name in names):
        raise Doubt
    return names, encoded.indices.to_numpy().astype(np.int64)


def _written(column: Any, rule: str) -> None:  # noqa: ANN401 - Arrow has no types
    from pyarrow import compute, types

    if not types.is_string(column.type) or not compute.all(compute.match_substring_regex(column, rule)).as_py():
        raise Doubt


def _must(rule: NDArray[np.bool_]) -> None:
    if not rule.all():
        raise Doubt
