"""The roles as real processes on real stores: what they promise when they, or what they stand on, are killed."""

import itertools
import random
import signal
import time
from pathlib import Path

import pytest

from tests.app.asking import ask
from tests.app.client import KEY, get, kinds, order, post
from tests.app.credentials import Credentials
from tests.app.ledger import lines, run
from tests.app.nasdaq import write
from tests.app.servers import eventually
from tests.app.stage import Role, Stage
from trading.backtest.orderlist import line
from trading.domain.events import Filled, OrderEvent, from_payload
from trading.domain.lifecycle import fold
from trading.execution.desk import Desk
from trading.execution.paper import PaperBroker
from trading.execution.scenario import Scenario
from trading.marketdata.source import Source, open_source
from trading.risk.killswitch import TradingState
from trading.services.state import state
from trading.storage.orders import REQUEST, STATE, order_of
from trading.storage.strategies import change
from trading.strategies.ema import EmaParameters, EmaTrend

pytestmark = pytest.mark.cluster

FAST = "1000"
ORDERS = f"SELECT id, {REQUEST}, {STATE} FROM orders WHERE account <> 'main' ORDER BY number"  # noqa: S608
FORGED = "UPDATE orders SET status = 'ACCEPTED' WHERE id = (SELECT id FROM orders WHERE status = 'FILLED' LIMIT 1)"
SESSIONS = "SELECT usename, count(*) FROM pg_stat_activity WHERE usename LIKE 'trading%' GROUP BY usename"


def filled(stage: Stage) -> int:
    return int(stage.query("SELECT count(*) FROM orders WHERE status = 'FILLED'")[0][0])


def played(stage: Stage) -> int:
    rows = stage.query("SELECT max(step) FROM feed_progress")
    return int(rows[0][0] or 0)


def leads(role: Role, name: str) -> bool:
    return f'trading_leader{{role="{name}"}} 1.0' in role.get("/metrics").text


def booked(stage: Stage) -> list[str]:
    """The order list in the database as lines; fails where an order's row is not the fold of its events."""
    found = []
    all_events = stage.query("SELECT order_id, kind, payload FROM order_event ORDER BY order_id, seq")
    for row in stage.query(ORDERS):
        stored = [event[1:] for event in all_events if event[0] == row[0]]
        events: list[OrderEvent] = [from_payload(kind, payload) for kind, payload in stored]
        order, said = fold(order_of(row[1:]).request, events), order_of(row[1:])
        assert (order.status, order.seq, order.filled_quantity) == (said.status, said.seq, said.filled_quantity)
        found.append(line(order, [e.trade_id for e in events if isinstance(e, Filled)]))
    return found


def expected(source: Source, steps: int) -> list[str]:
    """The order list of the same steps played in memory."""
    listed = {instrument.symbol: instrument for instrument in source.instruments}
    desk = Desk((EmaTrend("ema-crossover", EmaParameters()),), listed)
    return lines(
        run(desk, PaperBroker(Scenario(seed=7), listed), itertools.islice(source.steps(1), steps), source.feed_id)
    )


def same_orders(stage: Stage, source: Source) -> int:
    """Stop all, and compare the database with memory up to the step played last; returns the number of orders.

    An order of the last step is not submitted in memory, and may or may not be in the database.
    """
    stage.quiet()
    steps = played(stage)
    last = f"-{steps}-"
    wanted = [entry for entry in expected(source, steps) if last not in entry]
    got = [entry for entry in booked(stage) if last not in entry]
    assert got == wanted
    return len(got)


def test_engine_trades_what_the_feed_plays(stage: Stage) -> None:
    feed = stage.start("marketdata")
    execution, engine = stage.trade()
    eventually(lambda: filled(stage) > 5, 40, "fills")
    assert leads(execution, "execution")
    assert leads(engine, "engine")
    assert 'trading_feed_step{source="synthetic"}' in feed.get("/metrics").text
    for role in (engine, execution, feed):
        assert role.stop() == 0
        assert {entry["level"] for entry in role.logged()} == {"INFO"}
    assert same_orders(stage, open_source("synthetic", 7)) > 5


def test_real_nasdaq_bars_from_file_to_fills(stage: Stage, tmp_path: Path) -> None:
    """The database ends with exactly the orders and trades that the golden run in memory has."""
    path = tmp_path / "nasdaq.csv"
    rows = write(path, rows=400)
    stage.launch("marketdata", TRADING_FEED_SOURCE=str(path), TRADING_FEED_SPEED=FAST)
    stage.trade()
    eventually(lambda: played(stage) == rows, 60, "all bars are played")
    assert same_orders(stage, open_source(str(path), 7)) >= 8


@pytest.mark.parametrize("victim", ["engine", "execution"])
def test_role_killed_again_and_again_loses_and_doubles_nothing(stage: Stage, victim: str) -> None:
    """SIGKILL at random moments; what was booked in the end is what an undisturbed run books, trade by trade."""
    stage.start("marketdata", TRADING_FEED_SPEED="60")
    stage.start("execution" if victim == "engine" else "engine")
    chance = random.Random(5)
    for _ in range(6):
        before = played(stage)
        role = stage.launch(victim)
        eventually(lambda before=before: played(stage) > before + 5, 40, "the market goes on")  # type: ignore[misc]
        time.sleep(chance.random())
        role.stop(signal.SIGKILL)
    stage.start(victim)
    eventually(lambda: played(stage) > 300, 60, "all has been caught up with")
    assert same_orders(stage, open_source("synthetic", 7)) > 50


@pytest.mark.parametrize("victim", ["engine", "execution"])
def test_standby_takes_over(stage: Stage, victim: str) -> None:
    stage.start("marketdata")
    first = dict(zip(("execution", "engine"), stage.trade(), strict=True))[victim]
    second = stage.start(victim)
    eventually(lambda: filled(stage) > 0, 40, "fills")
    assert not leads(second, victim)
    before = played(stage)
    first.stop(signal.SIGKILL)
    eventually(lambda: played(stage) > before + 5, 15, "the standby trades")
    assert leads(second, victim)
    assert (victim, 2) in stage.query("SELECT name, token FROM leadership")


def test_market_waits_for_the_engine(stage: Stage) -> None:
    """So what is traded does not depend on who was how fast; orders of people are handed over all the same."""
    stage.start("marketdata", TRADING_FEED_SPEED=FAST)
    execution, api = stage.start("execution"), stage.start("api")
    eventually(lambda: "trading_execution_waiting 1.0" in execution.get("/metrics").text, 30, "the market waits")
    assert played(stage) == 1
    answer = post(api, order(client_order_id="early"))
    path = f"/v1/orders/{answer.json()['id']}"
    eventually(lambda: "ACCEPTED" in kinds(api, path), 10, "the order is handed over")
    stage.start("engine")
    eventually(lambda: played(stage) > 200, 40, "the market goes on")


def test_engine_that_is_there_before_the_first_step_sees_no_bar_of_the_future(stage: Stage) -> None:
    stage.start("marketdata", TRADING_FEED_SPEED=FAST)
    kept = "SELECT coalesce(max(step), 0) FROM bar_progress"
    eventually(lambda: stage.query(kept)[0][0] > 120, 30, "bars are kept, none is played")
    stage.start("engine")
    stage.start("execution")
    eventually(lambda: played(stage) > 180, 40, "the market goes on")
    assert same_orders(stage, open_source("synthetic", 7)) > 10


def test_strategies_are_switched_and_changed_while_the_market_goes_on(stage: Stage) -> None:
    stage.start("marketdata")
    _, engine = stage.trade()
    eventually(lambda: filled(stage) > 0, 40, "fills")
    assert stage.query("SELECT DISTINCT strategy FROM signal") == [("ema-crossover",)]
    with stage.connect() as connection:
        with connection.writing():
            change(connection, "ema-crossover", None, {"fast": 5, "slow": 20}, "ann", "faster", 1)
        eventually(lambda: engine.log.read_text().count("deciding") == 2, 20, "the parameters are taken up")
        before = played(stage)
        eventually(lambda: played(stage) > before + 20, 20, "the market goes on")
        with connection.writing():
            change(connection, "ema-crossover", False, None, "ann", "enough", 2)
    eventually(lambda: engine.log.read_text().count("deciding") == 3, 20, "the switch is taken up")
    placed = stage.query("SELECT count(*) FROM orders")
    before = played(stage)
    eventually(lambda: played(stage) > before + 40, 20, "the market goes on without it")
    assert stage.query("SELECT count(*) FROM orders") == placed
    assert 'trading_strategy_enabled{strategy="ema-crossover"} 0.0' in engine.get("/metrics").text


def test_strategy_that_cannot_be_made_is_left_out_and_said(stage: Stage) -> None:
    stage.query(
        "INSERT INTO strategy VALUES ('of-a-plug-in', 'gone', true, '{}'), "
        "('ema-crossover', 'ema', true, '{\"fast\": 90}') RETURNING 1"
    )
    stage.start("marketdata")
    _, engine = stage.trade()
    eventually(lambda: played(stage) > 250, 40, "the market goes on")
    assert 'trading_strategy_failures_total{strategy="of-a-plug-in"} 1.0' in engine.get("/metrics").text
    errors = [entry for entry in engine.logged() if entry["level"] == "ERROR"]
    assert {entry["strategy"] for entry in errors} == {"of-a-plug-in", "ema-crossover"}


def test_feed_goes_on_where_it_was(stage: Stage) -> None:
    feed = stage.start("marketdata")
    stage.trade()
    eventually(lambda: played(stage) > 250, 40, "the lead is played")
    feed.stop(signal.SIGKILL)
    stage.start("marketdata")
    before = played(stage)
    eventually(lambda: played(stage) > before + 20, 20, "the feed plays on")
    same_orders(stage, open_source("synthetic", 7))


def test_feed_waits_for_an_engine_that_is_far_behind(stage: Stage) -> None:
    """The stream is bounded, so without it an engine that was away for long would find a hole."""
    feed = stage.start("marketdata", TRADING_FEED_SPEED=FAST)
    eventually(lambda: "trading_feed_waiting 1.0" in feed.get("/metrics").text, 30, "the feed waits")
    assert feed.is_ready()
    roles = stage.trade()
    eventually(lambda: played(stage) > 500, 60, "the market goes on")
    assert all("trading_missed_steps_total 0.0" in role.get("/metrics").text for role in roles)
    same_orders(stage, open_source("synthetic", 7))


def test_redis_that_has_lost_everything_costs_nothing(stage: Stage) -> None:
    """The stream is made again from the source, a little before where the engine is."""
    stage.start("marketdata")
    roles = stage.trade()
    eventually(lambda: played(stage) > 260, 40, "the lead is played")
    stage.redis.master().flushall()
    for role in roles:
        role.stop(signal.SIGKILL)  # the engine's history in memory is gone as well
    before = played(stage)
    roles = stage.trade()
    eventually(lambda: played(stage) > before + 20, 30, "bars come again")
    assert all("trading_missed_steps_total 0.0" in role.get("/metrics").text for role in roles)
    same_orders(stage, open_source("synthetic", 7))


def test_redis_failover_costs_time_only(stage: Stage) -> None:
    stage.start("marketdata")
    roles = stage.trade()
    eventually(lambda: played(stage) > 250, 40, "the lead is played")
    stage.redis.kill(stage.redis.master_port())
    before = played(stage)
    eventually(lambda: played(stage) > before + 20, 40, "bars come from the new master")
    assert all("trading_missed_steps_total 0.0" in role.get("/metrics").text for role in roles)
    same_orders(stage, open_source("synthetic", 7))


def test_orders_work_while_redis_is_away(stage: Stage) -> None:
    stage.start("marketdata")
    stage.trade()
    api = stage.start("api")
    eventually(lambda: played(stage) > 250, 40, "bars")
    stage.redis.kill()
    quotes = get(api, "/v1/quotes")
    assert (quotes.status_code, quotes.json()["code"]) == (503, "CACHE_UNAVAILABLE")
    begin = time.monotonic()
    answer = post(api, order(client_order_id="dark"))
    assert answer.status_code == 201
    assert time.monotonic() - begin < 5
    path = f"/v1/orders/{answer.json()['id']}"
    eventually(lambda: "ACCEPTED" in kinds(api, path), 10, "the engine has handed it to the venue")
    assert get(api, "/health/ready").status_code == 200
    stage.redis.start()
    eventually(lambda: get(api, path).json()["status"] == "FILLED", 40, "it is filled when bars come again")
    eventually(lambda: get(api, "/v1/quotes").status_code == 200, 20, "quotes are back")
    assert api.stop() == 0
    same_orders(stage, open_source("synthetic", 7))


def test_rotation_of_every_credential_refuses_nobody(stage: Stage) -> None:
    """Each kind moves to its other slot and the old password is shut; every call succeeds all the while."""
    stage.start("marketdata")
    (execution, engine), api = stage.trade(), stage.start("api")
    eventually(lambda: played(stage) > 250, 40, "bars")
    answers: list[int] = []

    def call() -> None:
        answers.append(get(api, "/v1/quotes").status_code)
        answers.append(get(api, "/v1/orders?limit=1").status_code)

    for kind in ("postgres-app", "redis-app"):
        call()
        new = Credentials.values(kind) | {"b": "n" * 32}
        if kind == "postgres-app":
            stage.postgres.set_passwords(new)
        else:
            stage.redis.set_passwords(list(new.values()))
        stage.credentials.mount(kind, new, current="b", epoch=1)
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            call()
    eventually(lambda: [user for user, _ in stage.query(SESSIONS)] == ["trading_b"], 15, "all have moved")
    stage.postgres.set_passwords({"a": "r" * 32})
    stage.redis.set_passwords(["n" * 32])
    before = played(stage)
    eventually(lambda: played(stage) > before + 20, 20, "the engine trades on")
    call()
    assert set(answers) == {200}
    assert 'trading_credential_epoch{kind="postgres-app"} 1.0' in engine.get("/metrics").text
    stage.credentials.mount("api", Credentials.values("api") | {"b": "k" * 32}, current="b", epoch=1)
    new_key = {"X-API-Key": "k" * 32}
    url = f"http://127.0.0.1:{api.port}/v1/orders"
    assert ask("GET", url, new_key).status_code == 200
    assert ask("GET", url, KEY).status_code == 200
    same_orders(stage, open_source("synthetic", 7))
    for role in (engine, execution, api):
        assert not any(secret in role.log.read_text() for secret in ("nnnn", "rrrr", "kkkk", "xxxx"))


def test_restarted_database_is_waited_for(stage: Stage) -> None:
    stage.start("marketdata")
    stage.trade()
    api = stage.start("api")
    eventually(lambda: played(stage) > 250, 40, "bars")
    stage.postgres.stop(signal.SIGQUIT)
    assert get(api, "/health/live").status_code == 200
    assert get(api, "/health/ready").status_code == 503
    begin = time.monotonic()
    gone = post(api, order())
    assert gone.json()["code"] == "STORAGE_UNAVAILABLE"
    assert time.monotonic() - begin < 12
    stage.postgres.start()
    begin = time.monotonic()
    assert post(api, order()).status_code == 201
    assert time.monotonic() - begin < 3
    before = played(stage)
    eventually(lambda: played(stage) > before + 20, 20, "the engine trades on")
    same_orders(stage, open_source("synthetic", 7))


def test_kill_switch_stops_orders_and_lets_the_market_go_on(stage: Stage) -> None:
    """What was placed and not sent is cancelled, nothing new is taken, and a reset opens it again."""
    stage.start("marketdata")
    (execution, _), api = stage.trade(), stage.start("api")
    eventually(lambda: played(stage) > 250, 40, "bars")
    execution.stop()
    waiting = post(api, order(client_order_id="waiting")).json()["id"]
    state(stage.settings, TradingState.HALTED, "a drill", "ann")
    stage.start("execution")
    eventually(lambda: get(api, f"/v1/orders/{waiting}").json()["status"] == "CANCELLED", 20, "it is cancelled")
    assert kinds(api, f"/v1/orders/{waiting}") == ["INITIALIZED", "CANCELLED"]
    before, placed = played(stage), stage.query("SELECT count(*) FROM orders")
    eventually(lambda: played(stage) > before + 20, 20, "bars are played on")
    assert stage.query("SELECT count(*) FROM orders") == placed
    denied = post(api, order(client_order_id="denied"))
    assert (denied.status_code, denied.json()["code"]) == (422, "RISK_HALTED")
    state(stage.settings, TradingState.ACTIVE, "the drill is over", "ann")
    answer = post(api, order(client_order_id="after")).json()
    eventually(lambda: get(api, f"/v1/orders/{answer['id']}").json()["status"] == "FILLED", 20, "it trades again")


def test_nothing_is_traded_on_a_book_that_disagrees(stage: Stage) -> None:
    stage.start("marketdata")
    execution, _ = stage.trade()
    eventually(lambda: played(stage) > 250, 40, "bars")
    execution.stop()
    stage.query(f"{FORGED} RETURNING 1")
    before = played(stage)
    execution = stage.launch("execution")
    eventually(lambda: "BookDisagrees" in execution.get("/health/ready").text, 30, "it is not ready, and says why")
    assert played(stage) == before
    assert "its events and its row disagree" in execution.log.read_text()
    assert stage.query("SELECT state, cause FROM trading_state_event") == [("HALTED", "RECONCILIATION")]
