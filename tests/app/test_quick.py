"""Files read in columns: the same bars as row by row, and the same refusals, whatever is written in them."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests.app.test_strategies import market
from trading.backtest import quick
from trading.backtest.columns import Columns, load
from trading.backtest.data import open_data
from trading.marketdata.files import FileSource
from trading.marketdata.rows import COLUMNS, MarketDataError

ODD = {
    "symbol": ["", "abc", "A" * 21, "M&M", " AAA", '"AAA"', "AAA,", "é", '"AAA"A', 'A"A', '""'],
    "timestamp": ["", "2026-01-05", "2026-13-01T09:15:00", "2026-01-05T09:15:00Z", "2026-01-05 09:15", "2030-01-01"],
    "open": ["", "0", "-1", "nan", "1e3", " 1000 ", "1000.005", "1000.", "+1000", "01000", "1_000", "99999999999"],
    "high": ["1", "1000000", "x"],
    "low": ["1", "1000000", "0.01"],
    "close": ["1", "1000000", "1000.00"],
    "volume": ["", "-1", "1.5", "7.0", "1e3", "0", "00012", "1_0"],
}


def rows(minutes: int = 12) -> list[list[str]]:
    bars = [bar for step in market(3, minutes) for bar in step.bars]
    prices = [[str(price) for price in (b.open, b.high, b.low, b.close)] for b in bars]
    return [[b.symbol, b.at.isoformat(), *four, str(b.volume)] for b, four in zip(bars, prices, strict=True)]


def same(one: Columns, other: Columns) -> None:
    assert (one.feed_id, one.kind, one.times) == (other.feed_id, other.kind, other.times)
    assert one.instruments == other.instruments
    assert list(one.columns) == list(other.columns)
    for symbol, column in one.columns.items():
        for name in ("steps", "open", "high", "low", "close", "volume"):
            assert (getattr(column, name) == getattr(other.columns[symbol], name)).all()


@settings(max_examples=150, deadline=None)
@given(
    cells=st.lists(st.sampled_from([(n, odd) for n, name in enumerate(COLUMNS) for odd in ODD[name]]), max_size=2),
    place=st.integers(0, 80),
    swap=st.booleans(),
    twice=st.booleans(),
)
def test_what_is_read_in_columns_is_what_the_rows_say(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[int, str]], place: int, swap: bool, twice: bool
) -> None:
    written = rows()
    for column, text in cells:
        written[place][column] = text
    if swap:
        written[place], written[place - 1] = written[place - 1], written[place]
    if twice:
        written.insert(place, written[place])
    path = tmp_path_factory.mktemp("bars") / "bars.csv"
    path.write_text("\n".join([",".join(COLUMNS), *(",".join(row) for row in written)]) + "\n")
    found = quick.read(path)
    try:
        exact = load(FileSource(path))
    except MarketDataError:
        assert found is None
    else:
        assert found is not None or cells
        same(found or exact, exact)


@pytest.mark.parametrize("text", ["", ",".join(COLUMNS), "symbol,timestamp\nA,2026-01-05\n", "a,b\n\n1,2\n"])
def test_files_without_bars_are_left_to_the_rows(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(text)
    assert quick.read(path) is None
    with pytest.raises(MarketDataError):
        open_data(str(path), 1, None)


def test_quotes_around_whole_cells_are_customary(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    lines = [list(COLUMNS), *rows()]
    path.write_text("\r\n".join(",".join(f'"{cell}"' for cell in line) for line in lines))
    found = quick.read(path)
    assert found is not None
    same(found, load(FileSource(path)))


def test_errors_are_those_of_the_rows(tmp_path: Path) -> None:
    written = rows()
    written[5][4] = "-99"
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([",".join(COLUMNS), *(",".join(row) for row in written)]))
    with pytest.raises(MarketDataError, match="line 7: column low: value -99: must be above 0"):
        open_data(str(path), 1, None)


@pytest.mark.parametrize("price", [pyarrow.float64(), pyarrow.decimal128(12, 2), pyarrow.string()])
@pytest.mark.parametrize("time", [pyarrow.timestamp("us"), pyarrow.timestamp("ms", "UTC"), pyarrow.string()])
def test_parquet_of_any_customary_type(tmp_path: Path, price: pyarrow.DataType, time: pyarrow.DataType) -> None:
    columns = dict(zip(COLUMNS, map(list, zip(*rows(), strict=True)), strict=True))
    zone = pyarrow.types.is_timestamp(time) and time.tz
    given: dict[str, object] = {**columns, "volume": [int(v) for v in columns["volume"]]}
    if not pyarrow.types.is_string(price):
        read = float if pyarrow.types.is_float64(price) else Decimal
        for name in quick.PRICES:
            given[name] = pyarrow.array([read(v) for v in columns[name]], price)
    if not pyarrow.types.is_string(time):
        times = [dt.datetime.fromisoformat(v) for v in columns["timestamp"]]
        given["timestamp"] = pyarrow.array([at if zone else at.replace(tzinfo=None) for at in times], time)
    path = tmp_path / "bars.parquet"
    parquet.write_table(pyarrow.table(given), path)
    found = quick.read(path)
    assert found is not None
    same(found, load(FileSource(path)))
    same(found.first(7), load(FileSource(path), 7))
