"""The schema's upgrade on data that the version before has written, as it wrote it."""

from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from tests.app.stage import Stage
from tests.app.test_domain import AT, STOP, request
from trading.domain.events import CancelRequested, Filled, Modified, ModifyRequested, OrderEvent
from trading.domain.orders import Mode, OrderType, Status, Terms
from trading.portfolio.positions import Position
from trading.risk.checks import Limits
from trading.storage import orders, queries
from trading.storage.connection import Connection
from trading.storage.paging import Page
from trading.storage.schema import migrations

pytestmark = pytest.mark.cluster

# As version 1 wrote them: an order partly filled in a strategy's account, one of a person that waits, one denied.
STRATEGY, WAITING, DENIED = request(account="ema-crossover"), request(), request(client_order_id="two")
ORDER = (
    "INSERT INTO orders (id, account, client_order_id, symbol, side, type, product, time_in_force, quantity, "
    "limit_price, status, seq, filled_quantity, filled_value, accepted_at, reason) "
    "VALUES (%s, %s, %s, 'RELIANCE', 'BUY', %s, 'CNC', 'DAY', 10, %s, %s, %s, %s, %s, %s, %s)"
)
EVENT = "INSERT INTO order_event (order_id, seq, kind, payload, venue, trade_id) VALUES (%s, %s, %s, %s::jsonb, %s, %s)"
REASON = "RISK_QTY: qty=10 max=1"
OLD_ORDERS = [
    (STRATEGY.order_id, "ema-crossover", "one", "MARKET", None, "PARTIALLY_FILLED", 4, 4, Decimal("400.20"), AT, None),
    (WAITING.order_id, "main", "one", "LIMIT", Decimal("99.50"), "ACCEPTED", 3, 0, 0, AT, None),
    (DENIED.order_id, "main", "two", "MARKET", None, "DENIED", 2, 0, 0, None, REASON),
]
MARKET_TIME = f'"market_time": "{AT.isoformat()}"'
FILL = f'{{"venue": "paper", "trade_id": "t1", "quantity": 4, "price": "100.05", {MARKET_TIME}}}'
OLD_EVENTS = [
    (STRATEGY.order_id, 1, "INITIALIZED", "{}", None, None),
    (STRATEGY.order_id, 2, "SUBMITTED", "{}", None, None),
    (STRATEGY.order_id, 3, "ACCEPTED", f'{{"venue_order_id": "v1", {MARKET_TIME}}}', None, None),
    (STRATEGY.order_id, 4, "FILLED", FILL, "paper", "t1"),
    (WAITING.order_id, 1, "INITIALIZED", "{}", None, None),
    (WAITING.order_id, 2, "SUBMITTED", "{}", None, None),
    (WAITING.order_id, 3, "ACCEPTED", f'{{"venue_order_id": "v2", {MARKET_TIME}}}', None, None),
    (DENIED.order_id, 1, "INITIALIZED", "{}", None, None),
    (DENIED.order_id, 2, "DENIED", f'{{"reason": "{REASON}"}}', None, None),
]


@pytest.fixture
def old(stage: Stage) -> Iterator[Connection]:
    """A session on a database of version 1 with its data, brought up to this version."""
    name = f"{stage.database}_old"
    stage.postgres.create(name)
    stage.env["TRADING_POSTGRES_DATABASE"] = stage.database = name
    stage.migrate(to="0001")
    with stage.connect() as connection:
        connection.execute("INSERT INTO instrument VALUES ('RELIANCE', 'NSE', 0.10, 1)")
        connection.execute("INSERT INTO account VALUES ('ema-crossover')")
        connection.execute("INSERT INTO position VALUES ('ema-crossover', 'RELIANCE', 'CNC', 4, 400.20, 0)")
        with connection.cursor() as cursor:
            cursor.executemany(ORDER, OLD_ORDERS)
            cursor.executemany(EVENT, OLD_EVENTS)
        assert stage.migrate() == [migration.name for migration in migrations()[1:]]
        yield connection


def test_old_orders_fold_to_what_their_rows_say(old: Connection) -> None:
    one, two = orders.replay_open(old)
    assert (one.status, one.filled_quantity, one.venue_order_id) == (Status.PARTIALLY_FILLED, 4, "v1")
    assert (one.request.strategy_id, one.request.mode) == ("ema-crossover", Mode.PAPER)
    assert (two.status, two.request.strategy_id, two.limit_price) == (Status.ACCEPTED, None, Decimal("99.50"))


def test_old_orders_go_on(old: Connection) -> None:
    one, _ = orders.replay_open(old)
    orders.append(old, one, Filled("paper", "t2", 6, Decimal(101), AT, Decimal("0.7")))
    [row] = queries.positions(old, Page(10), account="ema-crossover")
    assert row.position == Position(10, Decimal("1006.20"), Decimal(0), Decimal("0.7"))


def test_old_request_repeated_by_a_new_client_gives_the_old_order(old: Connection) -> None:
    again = request(client_order_id="two", market_protection_percent=Decimal(3))
    with old.writing():
        order, is_new = orders.place(old, again, Limits(), paced=True)
    assert (is_new, order.status) == (False, Status.DENIED)


def test_writer_of_the_version_before_is_not_refused(old: Connection) -> None:
    """While an upgrade rolls, an engine of the old version may still lead and write its columns only."""
    old.execute(
        "INSERT INTO orders (id, account, client_order_id, symbol, side, type, product, time_in_force, quantity, "
        "limit_price, status, seq) VALUES (%s, 'main', 'late', 'RELIANCE', 'BUY', 'MARKET', 'MIS', 'DAY', 1, NULL, "
        "'INITIALIZED', 1)",
        (request(client_order_id="late").order_id,),
    )
    old.execute("INSERT INTO instrument VALUES ('INFY', 'NSE', 0.10, 1)")
    [order] = orders.open_orders(old)[-1:]
    assert (order.request.mode, order.request.market_protection_percent) == (Mode.PAPER, None)


def test_orders_with_changed_terms_are_the_fold_of_their_events(old: Connection) -> None:
    stop = request(**STOP | {"client_order_id": "stop", "order_type": OrderType.SL, "limit_price": Decimal(101)})
    with old.writing():
        placed, _ = orders.place(old, stop, Limits(), paced=True)
    assert placed.status is Status.DENIED, "nothing has traded yet"
    _, order = orders.replay_open(old)
    wanted: list[OrderEvent] = [
        ModifyRequested(5, Decimal("99.60")),
        Modified(5, Decimal("99.60")),
        CancelRequested("by the user"),
    ]
    for event in wanted:
        order = orders.append(old, order, event)
    _, again = orders.replay_open(old)
    assert again == order
    assert (again.status, again.modified) == (Status.PENDING_CANCEL, Terms(5, Decimal("99.60")))
    found = queries.order(old, order.order_id)
    assert found
    assert (found.order.quantity, found.order.limit_price) == (5, Decimal("99.60"))


@pytest.mark.parametrize(
    ("kind", "limit", "trigger"), [("SL-M", None, None), ("SL", 5, None), ("MARKET", None, 5), ("LIMIT", None, None)]
)
def test_the_database_refuses_an_order_that_contradicts_its_type(
    old: Connection, kind: str, limit: int | None, trigger: int | None
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        old.execute(
            "INSERT INTO orders (id, account, client_order_id, symbol, side, product, time_in_force, quantity, status, "
            "seq, type, limit_price, trigger_price) VALUES (gen_random_uuid(), 'main', 'x', 'INFY', 'BUY', 'MIS', "
            "'DAY', 1, 'INITIALIZED', 1, %s, %s, %s)",
            (kind, limit, trigger),
        )
