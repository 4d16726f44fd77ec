"""Synthetic sessions, users' files with every kind of corrupt row, and the way through the stream."""

from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from statistics import correlation, mean

import pyarrow  # type: ignore[import-untyped]
import pytest
from pyarrow import parquet

from trading.domain.prices import is_on_tick
from trading.marketdata.bars import IST, Bar, Step
from trading.marketdata.codec import decode, encode
from trading.marketdata.rows import MarketDataError
from trading.marketdata.source import open_source
from trading.marketdata.synthetic import MINUTES, SyntheticSource
from trading.marketdata.universe import nifty50

HEADER = "symbol,timestamp,open,high,low,close,volume"
GOOD = "INFY,2026-01-05T09:15:00+05:30,1500,1501.5,1499,1500.05,1200"
NEXT = "INFY,2026-01-05T09:16:00+05:30,1500,1501.5,1499,1500.05,1200"


def session(seed: int = 7, days: int = 1) -> list[Step]:
    return list(islice(SyntheticSource(seed).steps(1), MINUTES * days))


def test_session_has_375_minutes_of_50_symbols() -> None:
    steps = session(days=2)
    assert [step.number for step in steps] == list(range(1, 2 * MINUTES + 1))
    assert {len(step.bars) for step in steps} == {50}
    assert steps[0].at.timetz() == time(9, 15, tzinfo=IST)
    assert steps[MINUTES - 1].at.timetz() == time(15, 29, tzinfo=IST)
    assert (steps[MINUTES].at.date() - steps[0].at.date()).days == 1


def test_every_bar_is_possible() -> None:
    ticks = {member.instrument.symbol: member.instrument.tick_size for member in nifty50()}
    for bar in (bar for step in session() for bar in step.bars):
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.volume > 0
        assert all(is_on_tick(price, ticks[bar.symbol]) for price in (bar.open, bar.high, bar.low, bar.close))


def test_same_seed_same_market_from_any_step() -> None:
    steps = session(days=2)
    assert next(SyntheticSource(7).steps(500)) == steps[499]
    assert next(SyntheticSource(8).steps(1)) != steps[0]
    assert SyntheticSource(7).feed_id != SyntheticSource(8).feed_id


def test_weekends_have_no_session() -> None:
    friday, monday = (next(SyntheticSource(1).steps(1 + MINUTES * day)).at for day in (4, 5))
    assert (friday.weekday(), monday.weekday(), (monday - friday).days) == (4, 0, 3)


def test_volume_is_u_shaped_and_sectors_move_together() -> None:
    steps = session()
    volumes = [sum(bar.volume for bar in step.bars) for step in steps]
    assert mean(volumes[:30]) > 1.5 * mean(volumes[170:200]) < mean(volumes[-30:])
    closes: dict[str, list[float]] = {}
    for bar in (bar for step in steps[::5] for bar in step.bars):
        closes.setdefault(bar.symbol, []).append(float(bar.close))
    returns = {s: [b / a - 1 for a, b in pairwise(c)] for s, c in closes.items()}
    same: list[float] = []
    other: list[float] = []
    for one in nifty50():
        for two in nifty50():
            if one.instrument.symbol < two.instrument.symbol:
                pair = correlation(returns[one.instrument.symbol], returns[two.instrument.symbol])
                (same if one.sector == two.sector else other).append(pair)
    assert mean(same) > mean(other) + 0.1 > 0.2


def test_days_begin_with_gaps() -> None:
    last, first = session(days=2)[MINUTES - 1 : MINUTES + 1]
    gaps = [abs(b.open / a.close - 1) for a, b in zip(last.bars, first.bars, strict=True)]
    assert mean(gaps) > Decimal("0.002")


def test_stream_codec_keeps_every_digit() -> None:
    step = session()[10]
    assert decode(step.number, encode(step)) == step


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join((HEADER, *rows)) + "\n")
    return path


def test_csv_becomes_steps(tmp_path: Path) -> None:
    rows = ["TCS,2026-01-05T09:15:00,10,10,10,10,0", GOOD, "TCS,2026-01-05T03:46:00Z,11,12,10.01,11,5"]
    source = open_source(str(write(tmp_path / "bars.csv", *rows)), 1)
    first, second = source.steps(1)
    assert [bar.symbol for bar in first.bars] == ["INFY", "TCS"]
    at = datetime(2026, 1, 5, 3, 46, tzinfo=UTC)
    assert second == Step(
        2,
        at,
        (Bar("TCS", at, Decimal("11"), Decimal("12"), Decimal("10.01"), Decimal("11"), 5),),
    )
    assert list(source.steps(2)) == [second]
    assert source.kind == "file"
    assert [i.symbol for i in source.instruments] == ["INFY", "TCS"]


@pytest.mark.parametrize(
    ("rows", "place", "rule"),
    [
        ([GOOD.replace("INFY", "inf y")], "line 2: column symbol: value inf y", "must be 1 to 20 of A-Z"),
        ([GOOD, NEXT.replace("2026-01-05T09:16", "05/01/2026")], "line 3: column timestamp", "must be ISO 8601"),
        ([GOOD.replace(",1500,", ",abc,")], "line 2: column open: value abc", "must be a price in rupees"),
        ([GOOD.replace(",1500,", ",-1500,")], "line 2: column open: value -1500", "must be above 0"),
        ([GOOD.replace("1500.05", "nan")], "line 2: column close: value nan", "not a finite number"),
        ([GOOD.replace("1500.05", "1500.055")], "line 2: column close: value 1500.055", "must be a multiple of 0.01"),
        ([GOOD.replace("1501.5", "1500.01")], "line 2: column high: value 1500.01", "must not be below open, low or"),
        ([GOOD.replace("1499", "1500.01")], "line 2: column low: value 1500.01", "must not be above open or close"),
        ([GOOD.replace("1200", "-1")], "line 2: column volume: value -1", "must be a whole number"),
        ([GOOD.replace("1200", "1.5")], "line 2: column volume: value 1.5", "must be a whole number"),
        ([NEXT, GOOD], "line 3: column timestamp", "must not be before the row above; sort by time"),
        ([GOOD, GOOD], "line 3: column symbol: value INFY", "has a row for this timestamp already; keep one"),
        ([GOOD + ",7"], "line 2: has 8 cells, the header has 7", "nothing was played"),
        ([GOOD, ""], "line 3: has 0 cells", "nothing was played"),
        ([], "has no rows", "give at least one bar"),
    ],
)
def test_corrupt_row_is_named(tmp_path: Path, rows: list[str], place: str, rule: str) -> None:
    path = write(tmp_path / "bars.csv", *rows)
    with pytest.raises(MarketDataError) as caught:
        open_source(str(path), 1)
    assert str(caught.value).startswith(f"{path}: {place}")
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bars.csv", b"symbol,open\nINFY,1\n", "line 1: missing columns timestamp, high, low, close, volume"),
        ("bars.csv", b"", "line 1: missing columns symbol"),
        ("bars.csv", f"{HEADER},open\n".encode(), "line 1: a column name is there twice"),
        ("bars.csv", HEADER.encode() + b"\n\xff\xfe,1,1,1,1,1,1\n", "save it as plain UTF-8 CSV"),
        ("bars.csv", HEADER.encode() + b'\n"INFY\n', "save it as plain UTF-8 CSV"),
        ("bars.txt", b"", "suffix '.txt' is neither .csv nor .parquet"),
        ("bars.parquet", b"not parquet", "not a readable Parquet file"),
    ],
)
def test_unreadable_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MarketDataError, match=message):
        open_source(str(path), 1)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MarketDataError, match="no such file; set TRADING_FEED_SOURCE to 'synthetic' or to a file"):
        open_source(str(tmp_path / "none.csv"), 1)


def test_parquet_gives_the_same_steps_as_csv(tmp_path: Path) -> None:
    from_csv = list(open_source(str(write(tmp_path / "bars.csv", GOOD, NEXT)), 1).steps(1))
    columns = {
        "symbol": ["INFY", "INFY"],
        "timestamp": pyarrow.array([step.at for step in from_csv], pyarrow.timestamp("us", "Asia/Kolkata")),
        "open": [1500.0, 1500.0],
        "high": [1501.5, 1501.5],
        "low": pyarrow.array([Decimal("1499.00")] * 2, pyarrow.decimal128(10, 2)),
        "close": [1500.05, 1500.05],
        "volume": [1200, 1200],
        "note": ["extra", "columns are left alone"],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "bars.parquet")
    assert list(open_source(str(tmp_path / "bars.parquet"), 1).steps(1)) == from_csv


def test_corrupt_parquet_row_is_named(tmp_path: Path) -> None:
    row = {"symbol": "INFY", "timestamp": "2026-01-05", "open": 5.0, "high": 5.0, "low": 5.0, "volume": 1}
    parquet.write_table(
        pyarrow.Table.from_pylist([row | {"close": 5.0}, row | {"close": None}]), tmp_path / "b.parquet"
    )
    with pytest.raises(MarketDataError, match="line 2: column close: value None: must be a price in rupees"):
        open_source(str(tmp_path / "b.parquet"), 1)
