"""Market data, risk, cache and scheduler as real processes, or led by hand, on real stores."""

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from tests.app.client import KEY, get
from tests.app.people import call
from tests.app.servers import eventually
from tests.app.stage import Stage
from tests.app.test_engine import FAST, played
from trading.backtest.jobs import run as run_backtest
from trading.cache.client import Cache, Redis
from trading.cache.market import read_quotes, say_orders_wait
from trading.cache.warm import MARK, read_instruments, read_last_bars
from trading.marketdata.bars import IST
from trading.marketdata.calendar import nse_calendar
from trading.marketdata.files import FileSource
from trading.marketdata.rows import MarketDataError
from trading.marketdata.source import interval_of, open_source
from trading.risk.checks import Limits
from trading.security.credentials import MountedCredential
from trading.services.backtests import Backtests
from trading.services.bars import BarReader
from trading.services.leader import Reign
from trading.services.squareoff import is_due, square_off
from trading.storage import backtests as stored
from trading.storage.leadership import SCHEDULER, acquire
from trading.storage.market import Progress
from trading.storage.partitions import History, create, drop_old, months_wanted

pytestmark = pytest.mark.cluster

JOBS = "tests.app.jobs"
OLDEST = "SELECT at, open, high, low, close, volume FROM bar WHERE symbol = %s ORDER BY at LIMIT 1"
PRICES = '{"INFY": "100", "TCS": "50"}'
DIRTY = """symbol,timestamp,open,high,low,close,volume
INFY,2026-01-05T09:15:00,100,101,99,100,1000
INFY,2026-01-05T09:16:00,100,101,-99,100,1000
INFY,2026-01-05T09:17:00,100,101,99,100,1000
INFY,2026-01-05T09:17:00,100,101,99,100,1000
INFY,2026-01-05T09:16:30,100,101,99,100,1000
INFY,2026-01-05T09:18:00,100,90,99,100,1000
INFY,2026-01-05T09:18:00,100,101,99,nan,1000
INFY,2026-01-05T09:19:00,100,101,99,100,1000
"""


def test_bars_are_kept_as_the_source_has_them(stage: Stage) -> None:
    """Killed in between: no bar is missing, none is there twice, and each is what was played."""
    role = stage.start("marketdata", TRADING_FEED_SPEED=FAST)
    eventually(lambda: stage.query("SELECT count(*) FROM bar")[0][0] > 0, 30, "bars are kept")
    role.stop(signal.SIGKILL)
    stage.start("marketdata", TRADING_FEED_SPEED=FAST)
    eventually(lambda: stage.query("SELECT count(*) FROM bar")[0][0] >= 500 * 50, 60, "more bars are kept")
    stage.quiet()
    [(steps, interval)] = stage.query('SELECT step, "interval" FROM bar_progress')
    source = open_source("synthetic", 7)
    wanted = sum(len(step.bars) for step, _ in zip(source.steps(1), range(int(str(steps))), strict=False))
    assert stage.query('SELECT count(*) FROM bar WHERE "interval" = %s', interval) == [(wanted,)]
    first = next(source.steps(1)).bars[0]
    row = stage.query(OLDEST, first.symbol)[0]
    assert row == (first.at, first.open, first.high, first.low, first.close, first.volume)


def test_corrupt_rows_are_refused_or_left_out_and_counted(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "dirty.csv"
    path.write_text(DIRTY)
    with pytest.raises(MarketDataError, match="line 3: column low"):
        open_source(str(path), 1)
    source = FileSource(path, quarantine=True)
    assert source.quarantined == {"low": 1, "duplicate": 1, "order": 1, "high": 1, "close": 1}
    assert [step.at.minute for step in source.steps(1)] == [15, 17, 19]
    role = stage.start("marketdata", TRADING_FEED_SOURCE=str(path), TRADING_FEED_BAD_ROWS="quarantine")
    assert 'trading_feed_quarantined_rows{rule="duplicate"} 1.0' in role.get("/metrics").text
    eventually(lambda: stage.query("SELECT count(*) FROM bar") == [(3,)], 20, "the good bars are kept")


def test_intervals_are_told_from_the_times(tmp_path: Path) -> None:
    for interval, step in (("1m", timedelta(minutes=1)), ("1h", timedelta(hours=1)), ("1d", timedelta(days=1))):
        path = tmp_path / f"{interval}.csv"
        at = datetime(2026, 1, 5, 9, 15)
        rows = [f"INFY,{(at + n * step).isoformat()},1,1,1,1,1" for n in range(3)]
        path.write_text("\n".join(["symbol,timestamp,open,high,low,close,volume", *rows]))
        assert interval_of(FileSource(path)) == interval


def test_cache_is_warm_after_a_start_and_after_a_loss(stage: Stage) -> None:
    feed = stage.start("marketdata")
    eventually(lambda: stage.query("SELECT count(*) FROM bar")[0][0] >= 60 * 50, 30, "bars are kept")
    feed.stop()
    stage.redis.master().flushall()
    role = stage.start("cache")
    master = cast(Redis, stage.redis.master())
    eventually(lambda: master.get(MARK) is not None, 20, "it is warm")
    assert len(read_quotes(master)) == len(read_instruments(master)) == 50
    [newest] = stage.query("SELECT close, at FROM bar WHERE symbol = 'INFY' ORDER BY at DESC LIMIT 1")
    quote = json.loads(read_quotes(master)["INFY"])
    assert (Decimal(quote["last"]), datetime.fromisoformat(quote["at"]), quote["source"]) == (*newest, "synthetic")
    rows = json.loads(read_last_bars(master, "INFY") or "[]")
    assert len(rows) == 60
    assert Decimal(rows[-1][4]) == newest[0]
    stage.redis.master().flushall()
    eventually(lambda: read_instruments(master) != {}, 20, "it is warm again")
    assert "trading_cache_warmed_total 2.0" in role.get("/metrics").text
    assert role.stop() == 0


def test_who_executes_orders_hears_of_one_at_once_and_who_decides_does_not(stage: Stage) -> None:
    cache = Cache(stage.settings, MountedCredential(stage.credentials.folder, "redis-app"))
    master = cast(Redis, stage.redis.master())
    with BarReader(cache, "none", 0, hears_orders=True) as executing, BarReader(cache, "none", 0) as deciding:
        assert executing.get(0.05) is None
        say_orders_wait(master)
        began = time.monotonic()
        assert executing.get(600) is None
        assert deciding.get(0.05) is None
    assert time.monotonic() - began < 600
    cache.close()


def test_cache_never_puts_an_old_quote_over_a_new_one(stage: Stage) -> None:
    feed = stage.start("marketdata")
    eventually(lambda: stage.query("SELECT count(*) FROM bar")[0][0] >= 60 * 50, 30, "bars are kept")
    feed.stop()
    master = cast(Redis, stage.redis.master())
    stage.redis.master().hset("trading:quotes", "INFY", "newer")
    stage.start("cache")
    eventually(lambda: master.get(MARK) is not None, 20, "it is warm")
    assert read_quotes(master)["INFY"] == "newer"


def test_risk_values_accounts_and_stops_the_trading_at_a_drawdown(stage: Stage) -> None:
    stage.start("marketdata")
    stage.trade()
    role = stage.start("risk")
    eventually(lambda: stage.query("SELECT count(*) FROM equity_point")[0][0] > 3, 40, "equity points")
    stage.quiet()
    [(equity, cash, unrealised, charges)] = stage.query(
        "SELECT equity, cash, unrealised_pnl, charges FROM equity_point ORDER BY at DESC LIMIT 1"
    )
    [(held, paid)] = stage.query("SELECT sum(cost), sum(charges) FROM position")
    assert equity == cash + held + unrealised
    assert charges == paid
    stage.query("UPDATE equity_point SET equity = equity * 1.2 RETURNING 1")  # as if it had been worth that once
    stage.start("marketdata")
    stage.trade()
    role = stage.start("risk")
    halted = "SELECT state, cause, actor FROM trading_state_event"
    eventually(lambda: stage.query(halted) == [("HALTED", "DRAWDOWN", "risk")], 30, "the trading is halted")
    assert 'trading_risk_exposure_rupees{account="ema-crossover",kind="gross"}' in role.get("/metrics").text
    assert "trading_risk_state 2.0" in role.get("/metrics").text


def test_square_off_is_due_by_market_time() -> None:
    calendar = nse_calendar()
    day = datetime(2026, 1, 5, tzinfo=IST)
    assert not is_due(calendar, day.replace(hour=15, minute=19))
    assert is_due(calendar, day.replace(hour=15, minute=20))
    assert not is_due(calendar, day.replace(hour=15, minute=30))
    holiday = datetime(2026, 1, 26, 15, 25, tzinfo=IST)
    assert calendar.session(holiday.date()) is None
    assert is_due(calendar, holiday), "a replay may play on a holiday"
    assert is_due(calendar, datetime(2090, 1, 2, 15, 25, tzinfo=IST)), "and in years without a calendar"


def test_square_off_closes_what_is_open_once(stage: Stage) -> None:
    at = datetime(2026, 1, 5, 15, 20, tzinfo=IST)
    stage.query("INSERT INTO instrument VALUES ('INFY', 'NSE', 0.10, 1), ('TCS', 'NSE', 0.10, 1) RETURNING 1")
    stage.query("INSERT INTO feed VALUES ('f', 'file') RETURNING 1")
    stage.query("INSERT INTO feed_progress VALUES ('f', 9, %s, %s) RETURNING 1", at, PRICES)
    stage.query(
        "INSERT INTO position VALUES ('main', 'INFY', 'MIS', 7, 700, 0), ('main', 'TCS', 'MIS', -3, -150, 0), "
        "('main', 'TCS', 'CNC', 5, 250, 0) RETURNING 1"
    )
    with stage.connect() as connection:
        for step in (9, 10):
            with connection.writing():
                placed = square_off(connection, Progress("f", step, at), Limits())
            if step == 9:
                assert [(o.request.symbol, o.request.side.sign * o.request.quantity) for o in placed] == [
                    ("INFY", -7),
                    ("TCS", 3),
                ]
            else:
                assert placed == [], "they are under way"


def test_partitions_take_what_was_in_the_default_one_and_go_when_old(stage: Stage) -> None:
    may, bars = datetime(2026, 5, 31, 15, 0, tzinfo=IST), History("bar", keep_days=365)
    rows = "INSERT INTO bar SELECT 'INFY', '1m', at, 1, 1, 1, 1, 1, 'f' FROM unnest(%s::timestamptz[]) at"
    with stage.connect() as connection:
        connection.execute(rows, ([may, may + timedelta(days=5), may - timedelta(days=400)],))
        assert months_wanted(may.date()) == [date(2026, 5, 1), date(2026, 6, 1)]
        for month in (date(2025, 4, 1), *months_wanted(may.date())):
            with connection.writing():
                assert create(connection, bars, month)
            with connection.writing():
                assert not create(connection, bars, month)
        assert connection.execute("SELECT count(*) FROM bar_default").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM bar").fetchone() == (3,)
        with connection.writing():
            assert drop_old(connection, bars, may.date()) == ["bar_2025_04"]
        assert connection.execute("SELECT count(*) FROM bar").fetchone() == (2,)


def queue(stage: Stage, spec: Mapping[str, object]) -> str:
    job = str(uuid4())
    stage.query(
        "INSERT INTO backtest (id, submitted_by, spec) VALUES (%s, 'ann', %s) RETURNING 1", job, json.dumps(spec)
    )
    return job


def status(stage: Stage, job: str) -> tuple[object, ...]:
    return stage.query("SELECT status, result, error, attempts FROM backtest WHERE id = %s", job)[0]


@contextmanager
def reign(stage: Stage) -> Iterator[Reign]:
    with stage.connect() as connection:
        token = acquire(connection, SCHEDULER, "test")
        assert token
        yield Reign(connection, token, lambda: False, lambda _: None)


def run_until(stage: Stage, led: Reign, jobs: Backtests, job: str, wanted: str) -> tuple[object, ...]:
    def reached() -> bool:
        jobs.step(led)
        return status(stage, job)[0] == wanted

    eventually(reached, 30, f"the backtest is {wanted}")
    return status(stage, job)


def test_backtests_run_in_turn_and_keep_what_came_out(stage: Stage) -> None:
    first, second, third = (queue(stage, {"do": do, "value": 7}) for do in ("work", "refuse", "die"))
    jobs = Backtests(JOBS)
    with reign(stage) as led:
        assert run_until(stage, led, jobs, third, "FAILED") == (
            "FAILED",
            None,
            "its process ended without a result",
            1,
        )
    assert status(stage, first) == ("DONE", {"answer": 7}, None, 1)
    assert status(stage, second) == ("FAILED", None, "symbol=X: is not known; take another", 1)


def test_backtest_of_a_scheduler_that_ends_is_given_back(stage: Stage) -> None:
    job = queue(stage, {"do": "wait", "value": 1})
    jobs = Backtests(JOBS)
    with reign(stage) as led:
        run_until(stage, led, jobs, job, "RUNNING")

        def is_under_way() -> bool:
            jobs.step(led)
            return progress_of(stage, job) > 0

        eventually(is_under_way, 20, "it says how far it is")
        jobs.stop(led)
    assert status(stage, job) == ("QUEUED", None, None, 0)


def test_backtest_whose_scheduler_has_vanished_is_begun_again_but_not_for_ever(stage: Stage) -> None:
    job = queue(stage, {"do": "wait", "value": 1})
    expire = "UPDATE backtest SET lease_until = clock_timestamp() - interval '1 s' RETURNING 1"
    with reign(stage) as led:
        for attempt in range(1, stored.MAX_ATTEMPTS + 1):
            with led.writing():
                claimed = stored.claim(led.connection)
                assert claimed
                assert str(claimed.job_id) == job
            with led.writing():
                assert stored.claim(led.connection) is None, "it has a lease"
            assert status(stage, job)[3] == attempt
            stage.query(expire)
        with led.writing():
            assert stored.claim(led.connection) is None
    assert status(stage, job)[0] == "FAILED"
    assert "given up after 3 attempts" in str(status(stage, job)[2])


def test_backtest_that_was_asked_for_is_done_once_though_its_scheduler_was_killed(stage: Stage) -> None:
    """The whole way, with a real one: asked for over the API, killed under way, run by the next scheduler."""
    spec = {"strategies": [{"kind": "ema"}], "steps": 100, "seed": 7}
    api, first = stage.start("api"), stage.start("scheduler")
    path = "/v1/backtests"
    again = KEY | {"Idempotency-Key": "once"}
    asked = [call(api, "POST", path, again, **spec).json() for _ in range(2)]
    assert asked[0] == asked[1], asked
    job = asked[0]["id"]
    eventually(lambda: get(api, f"{path}/{job}").json()["status"] == "RUNNING", 30, "it runs")
    [child] = children(first.process.pid)
    first.stop(signal.SIGKILL)
    assert get(api, f"{path}/{job}/result").json()["code"] == "BACKTEST_NOT_DONE"
    eventually(lambda: not Path(f"/proc/{child}").exists(), 30, "what ran it has seen that nobody listens")
    second = stage.start("scheduler")
    assert status(stage, job) == ("RUNNING", None, None, 1), "the lease of the killed one still holds"
    stage.query("UPDATE backtest SET lease_until = clock_timestamp() RETURNING 1")
    eventually(lambda: get(api, f"{path}/{job}").json()["status"] == "DONE", 60, "it is done")
    result = get(api, f"{path}/{job}/result").json()["result"]
    assert result == json.loads(json.dumps(run_backtest(asked[0]["spec"])))
    assert status(stage, job)[2:] == (None, 2)
    assert len(get(api, path).json()["backtests"]) == 1
    assert 'trading_backtests_total{outcome="done"} 1.0' in second.get("/metrics").text
    assert second.stop() == 0
    assert status(stage, job)[0] == "DONE", "who ends in order gives back only what is not done"


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = [Path(task, "children").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
    return [int(child) for part in found for child in part]


def progress_of(stage: Stage, job: str) -> float:
    return float(stage.query("SELECT progress FROM backtest WHERE id = %s", job)[0][0])


def test_scheduler_reports_the_day_and_makes_partitions(stage: Stage) -> None:
    """A whole market day at full speed."""
    stage.start("marketdata", TRADING_FEED_SPEED=FAST)
    stage.trade()
    stage.start("risk")
    role = stage.start("scheduler")
    eventually(lambda: played(stage) > 380, 60, "a market day is over")
    eventually(lambda: stage.query("SELECT count(*) FROM daily_report") == [(1,)], 30, "it is reported")
    [row] = stage.query("SELECT day, account, equity, trades FROM daily_report")
    assert row[:2] == (date(2026, 1, 5), "ema-crossover")
    assert row[3] > 0
    assert stage.query("SELECT to_regclass('bar_2026_02') IS NOT NULL") == [(True,)]
    next_month = "to_char(now() AT TIME ZONE 'Asia/Kolkata' + interval '1 month', 'YYYY_MM')"
    assert stage.query(f"SELECT to_regclass('order_event_' || {next_month}) IS NOT NULL") == [(True,)]
    assert "trading_market_time_seconds" in role.get("/metrics").text
    assert role.stop() == 0
