"""The store's promises on a real PostgreSQL: one order a name, append-only, fencing, failover, rotation."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.app.credentials import Credentials
from tests.app.stage import Stage
from tests.app.test_domain import AT
from tests.app.test_domain import request as bare_request
from trading.domain.errors import IllegalTransition
from trading.domain.events import Accepted, Filled, Submitted
from trading.domain.instruments import Instrument
from trading.domain.orders import MARKET_PROTECTION_PERCENT, Order, OrderRequest, Product, Side, Status
from trading.marketdata.bars import Bar, Step
from trading.portfolio.positions import Position, after_fill
from trading.risk.checks import Limits
from trading.storage import orders
from trading.storage.connection import Connection
from trading.storage.database import Database
from trading.storage.errors import ClientOrderIdReused, CommitUnconfirmed
from trading.storage.market import activate_feed, active_progress, save_progress

pytestmark = pytest.mark.cluster

LISTED = [Instrument(symbol="RELIANCE", exchange="NSE", tick_size=Decimal("0.10"))]
STEP = Step(1, AT, (Bar("RELIANCE", AT, Decimal(100), Decimal(101), Decimal(99), Decimal(100), 1000),))


def request(**changes: object) -> OrderRequest:
    """A request with the protection that a MARKET order needs."""
    return bare_request(**{"market_protection_percent": MARKET_PROTECTION_PERCENT} | changes)


def open_market(stage: Stage) -> None:
    """One symbol that has traded at 100."""
    with stage.connect() as connection:
        activate_feed(connection, "feed-1", "file", LISTED)
        save_progress(connection, "feed-1", STEP)


def place(connection: Connection, wanted: OrderRequest, *, paced: bool = True) -> tuple[Order, bool]:
    with connection.writing():
        return orders.place(connection, wanted, Limits(), paced=paced)


@contextmanager
def pool(stage: Stage, size: int = 4) -> Iterator[Database]:
    database = Database(stage.logins(), max_size=size)
    database.open()
    yield database
    database.close()


def test_client_order_id_makes_one_order_however_often_and_from_wherever(stage: Stage) -> None:
    open_market(stage)
    barrier = threading.Barrier(8)

    def one(_: int) -> tuple[Order, bool]:
        with stage.connect() as connection:
            barrier.wait()
            return place(connection, request())

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(one, range(8)))
    assert sum(is_new for _, is_new in results) == 1
    assert {order for order, _ in results} == {results[0][0]}
    assert stage.query("SELECT count(*) FROM orders") == [(1,)]
    assert stage.query("SELECT kind FROM order_event") == [("INITIALIZED",)]
    with stage.connect() as connection, pytest.raises(ClientOrderIdReused, match="client_order_id=one: names another"):
        place(connection, request(quantity=11))


def test_denied_order_is_booked_and_stays_denied(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        order, is_new = place(connection, request(quantity=20_000))
        assert (order.status, is_new) == (Status.DENIED, True)
        assert order.reason == "RISK_QTY: qty=20000 max=10000"
        assert place(connection, request(quantity=20_000)) == (order, False)
    assert stage.query("SELECT kind FROM order_event ORDER BY seq") == [("INITIALIZED",), ("DENIED",)]


def test_orders_of_an_account_see_each_other_in_the_risk_check(stage: Stage) -> None:
    """Twenty at once, ten a second: exactly ten pass, whatever the interleaving."""
    open_market(stage)
    barrier = threading.Barrier(20)

    def one(number: int) -> Order:
        with stage.connect() as connection:
            barrier.wait()
            return place(connection, request(client_order_id=f"o{number}", quantity=number + 1), paced=False)[0]

    with ThreadPoolExecutor(20) as threads:
        placed = list(threads.map(one, range(20)))
    denied = [order for order in placed if order.status is Status.DENIED]
    assert len(denied) == 10
    assert {str(order.reason) for order in denied} == {"RISK_RATE: orders_last_second=10 max=10"}


def test_equal_order_at_once_is_taken_for_a_double_dispatch(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        assert place(connection, request(client_order_id="a"), paced=False)[0].status is Status.INITIALIZED
        again = place(connection, request(client_order_id="b"), paced=False)[0]
        assert str(again.reason).startswith("RISK_DUPLICATE")
        time.sleep(0.11)
        assert place(connection, request(client_order_id="c"), paced=False)[0].status is Status.INITIALIZED


@pytest.mark.parametrize(
    "statement", ["UPDATE order_event SET seq = 9", "DELETE FROM order_event", "TRUNCATE order_event"]
)
def test_events_cannot_be_changed(stage: Stage, statement: str) -> None:
    open_market(stage)
    with stage.connect() as connection:
        place(connection, request())
        with pytest.raises(psycopg.errors.RestrictViolation, match="order_event is append-only"):
            connection.execute(statement.encode())


def accepted(connection: Connection, **changes: object) -> Order:
    order, _ = place(connection, request(**changes))
    for event in (Submitted(), Accepted("v", AT)):
        order = orders.append(connection, order, event)
    return order


def fill(trade_id: str, quantity: int = 1, price: str = "100.10") -> Filled:
    return Filled("paper", trade_id, quantity, Decimal(price), AT)


def test_the_database_itself_refuses_a_trade_twice(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        first, second = (accepted(connection, client_order_id=name) for name in "ab")
        orders.append(connection, first, fill("t1"))
        with pytest.raises(psycopg.errors.UniqueViolation, match="one_fill_a_trade"), connection.writing():
            orders.append(connection, second, fill("t1"))
    assert stage.query("SELECT sum(quantity) FROM position") == [(1,)]


def test_stale_writer_is_refused(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        order = accepted(connection)
        orders.append(connection, order, fill("t1"))
        with pytest.raises((IllegalTransition, psycopg.errors.UniqueViolation)):
            orders.append(connection, order, fill("t2"))


def test_rows_and_positions_are_the_fold_of_the_events(stage: Stage) -> None:
    open_market(stage)
    expected = Position()
    with stage.connect() as connection:
        for number, (side, price) in enumerate([(Side.BUY, "100.10"), (Side.SELL, "101"), (Side.BUY, "99.30")] * 3):
            order = accepted(
                connection, client_order_id=f"o{number}", side=side, quantity=3 + number, product=Product.MIS
            )
            for part in (1, 2 + number):
                order = orders.append(connection, order, fill(f"t{number}-{part}", part, price))
                expected = after_fill(expected, side, part, Decimal(price))
            row = orders.find(connection, order.order_id)
            assert row
            assert orders.replay(connection, row) == order
            assert order.status is Status.FILLED
    assert stage.query("SELECT quantity, cost, realised_pnl FROM position") == [
        (expected.quantity, expected.cost, expected.realised_pnl)
    ]


def test_row_that_disagrees_with_its_events_stops_the_engine(stage: Stage) -> None:
    open_market(stage)
    with stage.connect() as connection:
        accepted(connection)
        connection.execute("UPDATE orders SET filled_quantity = 1")
        with pytest.raises(IllegalTransition, match="its events and its row disagree"):
            orders.replay_open(connection)


def test_active_feed_is_the_one_activated_last(stage: Stage) -> None:
    with stage.connect() as connection:
        assert active_progress(connection) is None
        for feed in ("one", "two", "one"):
            activate_feed(connection, feed, "synthetic", LISTED)
        found = active_progress(connection)
        assert found
        assert (found.feed_id, found.step, found.at) == ("one", 0, None)


class Load:
    """Threads that place orders without a pause, and what came of it."""

    def __init__(self, database: Database, threads: int = 3) -> None:
        self._database = database
        self._stop = threading.Event()
        self.acknowledged: list[str] = []
        self.errors: list[Exception] = []
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            name = f"{number}-{count}"
            count += 1
            try:
                self._database.run(lambda c, n=name: place(c, request(client_order_id=n, quantity=1)))  # type: ignore[misc]
                self.acknowledged.append(name)
            except Exception as error:  # every kind counts
                self.errors.append(error)
            time.sleep(0.005)


def wait_for(condition: Callable[[], Any], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_rotation_refuses_nobody(stage: Stage) -> None:
    """The other slot gets a new password and becomes current; then the old one is shut; no call fails."""
    open_market(stage)
    old = Credentials.values("postgres-app")
    with pool(stage) as database, Load(database) as load:
        wait_for(lambda: len(load.acknowledged) > 20)
        new = old | {"b": "n" * 32}
        stage.postgres.set_passwords(new)
        stage.credentials.mount("postgres-app", new, current="b", epoch=1)
        database.drain()
        used = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'trading_a' AND application_name = 'test'"
        wait_for(lambda: stage.query(used) == [(0,)])
        stage.postgres.set_passwords({"a": "r" * 32})
        before = len(load.acknowledged)
        wait_for(lambda: len(load.acknowledged) > before + 20)
    assert load.errors == []
    assert stage.query("SELECT count(*) FROM orders") == [(len(load.acknowledged),)]


def test_login_falls_back_to_the_other_slot(stage: Stage) -> None:
    """The Secret may be there before the database knows its new password, or after it has forgotten the old one."""
    stage.credentials.mount("postgres-app", Credentials.values("postgres-app") | {"a": "w" * 32}, current="a", epoch=2)
    with stage.connect() as connection:
        assert connection.execute("SELECT session_user, current_user").fetchone() == ("trading_b", "trading_owner")
        assert connection.pgconn.ssl_in_use


def test_restart_of_the_server_costs_time_and_nothing_else(stage: Stage) -> None:
    """Each acknowledged order is there once; the calls that were under way are repeated by themselves."""
    open_market(stage)
    with pool(stage) as database, Load(database) as load:
        wait_for(lambda: len(load.acknowledged) > 20)
        stage.postgres.stop(signal.SIGQUIT)
        time.sleep(1)
        stage.postgres.start()
        before = len(load.acknowledged)
        wait_for(lambda: len(load.acknowledged) > before + 20)
    assert load.errors == []
    booked = {name for (name,) in stage.query("SELECT client_order_id FROM orders")}
    assert set(load.acknowledged) == booked


def test_broken_commit_is_unknown_and_read_back(stage: Stage) -> None:
    """The connection is cut between the commit and its answer: the work is repeated and finds its own order."""
    open_market(stage)
    tries = []

    def work(connection: Connection) -> tuple[Order, bool]:
        with connection.writing():
            placed = orders.place(connection, request(), Limits(), paced=True)
        tries.append(placed)
        if len(tries) == 1:
            raise CommitUnconfirmed("cut")
        return placed

    with pool(stage) as database:
        order, is_new = database.run(work)
    assert (is_new, tries[0][1], order.status) == (False, True, Status.INITIALIZED)


def test_session_killed_within_a_transaction_is_unconfirmed(stage: Stage) -> None:
    open_market(stage)

    def killed(connection: Connection) -> None:
        with connection.writing():
            orders.place(connection, request(), Limits(), paced=True)
            stage.query(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
            time.sleep(0.1)

    with stage.connect() as connection, pytest.raises(CommitUnconfirmed):
        killed(connection)
    assert stage.query("SELECT count(*) FROM orders") == [(0,)]


@pytest.fixture
def no_standby(stage: Stage) -> Iterator[Stage]:
    """Commits wait for a synchronous standby that is not there."""
    open_market(stage)
    with stage.postgres.admin() as admin:
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        admin.execute("SELECT pg_reload_conf()")
    yield stage
    with stage.postgres.admin() as admin:
        admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        admin.execute("SELECT pg_reload_conf()")


def ready_to_wait(connection: Connection) -> int:
    """Wait until the session knows that there must be a standby; returns its process id."""
    wait_for(lambda: connection.execute("SHOW synchronous_standby_names").fetchone() == ("nobody",))
    return connection.info.backend_pid


def test_cancelled_wait_for_the_standby_is_not_acknowledged(no_standby: Stage) -> None:
    """PostgreSQL then says COMMIT, with a warning: what it has committed may be lost with this server."""
    with no_standby.connect() as connection:
        pid = ready_to_wait(connection)
        timer = threading.Timer(0.5, lambda: no_standby.query(f"SELECT pg_cancel_backend({pid})"))
        timer.start()
        with pytest.raises(CommitUnconfirmed, match="gave up waiting for the synchronous standby"):
            place(connection, request())
        timer.join()


def test_commit_that_waits_for_ever_is_cut(no_standby: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is free again; its repeat finds the order once the standby is back."""
    monkeypatch.setattr("trading.storage.connection.COMMIT_TIMEOUT_S", 0.5)
    with no_standby.connect() as connection:
        ready_to_wait(connection)
        with pytest.raises(CommitUnconfirmed, match="broke within a transaction"):
            place(connection, request())
    with no_standby.postgres.admin() as admin:
        admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        admin.execute("SELECT pg_reload_conf()")
    with no_standby.connect() as connection:
        assert place(connection, request())[1] is False
