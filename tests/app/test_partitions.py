"""The history of orders in partitions: nobody gets a fact in twice or out, whichever way it is tried in SQL."""

from collections.abc import Iterator
from datetime import date
from uuid import UUID

import psycopg
import pytest

from tests.app.stage import Stage
from trading.storage.connection import Connection
from trading.storage.partitions import HISTORIES, create, months_wanted

pytestmark = pytest.mark.cluster

NOW, LAST_YEAR = UUID(int=1), UUID(int=2)
DAY = "(SELECT day FROM orders WHERE id = %(order)s)"
PLACE = (
    "INSERT INTO orders (id, account, client_order_id, symbol, side, type, product, time_in_force, quantity, status, "
    "seq, created_at) VALUES (%(order)s, 'main', %(order)s::text, 'INFY', 'BUY', 'MARKET', 'MIS', 'DAY', 1, 'FILLED', "
    "2, now() - %(age)s * interval '1 day')"
)
FILL = (
    "INSERT INTO {table} (order_id, day, seq, kind, payload, venue, trade_id) "
    "VALUES (%(order)s, {day}, %(seq)s, 'FILLED', '{{}}', 'nse', %(trade)s)"
)
(EVENTS,) = (history for history in HISTORIES if history.of_orders)


def fill(
    connection: Connection, order: UUID, trade: str, seq: int = 2, *, day: str = DAY, table: str = "order_event"
) -> None:
    """Write a fill as anybody could who may write at all."""
    sql = FILL.format(table=table, day=day)
    connection.execute(sql.encode(), {"order": order, "trade": trade, "seq": seq})


def partitions(stage: Stage, order: UUID) -> list[str]:
    """Where the events of an order lie."""
    rows = stage.query("SELECT tableoid::regclass::text FROM order_event WHERE order_id = %s ORDER BY seq", order)
    return [str(name) for (name,) in rows]


@pytest.fixture
def session(stage: Stage) -> Iterator[Connection]:
    """A session of the engine, with an order of now and one of a year ago, each with its fill."""
    with stage.connect() as connection:
        for order, age in ((NOW, 0), (LAST_YEAR, 365)):
            connection.execute(PLACE.encode(), {"order": order, "age": age})
            fill(connection, order, f"t{order.int}")
        yield connection


def test_no_trade_and_no_number_is_booked_twice(session: Connection) -> None:
    for order, trade, seq, rule in (
        (LAST_YEAR, "t1", 3, "one_fill_a_trade"),
        (NOW, "t2", 3, "one_fill_a_trade"),
        (NOW, "t1", 3, "one_fill_a_trade"),
        (NOW, "t3", 2, "pkey"),
        (LAST_YEAR, "t3", 2, "pkey"),
    ):
        with pytest.raises(psycopg.errors.UniqueViolation, match=rule):
            fill(session, order, trade, seq)


def test_event_cannot_be_booked_on_another_day_than_its_orders(session: Connection) -> None:
    for day in ("'2026-01-05'", "'infinity'", "(SELECT max(day) - 1 FROM orders)"):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            fill(session, NOW, "t3", day=day)


def test_writing_into_a_partition_itself_is_no_way_around(session: Connection, stage: Stage) -> None:
    [partition] = partitions(stage, NOW)
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_fill_a_trade"):
        fill(session, NOW, "t2", 3, table=partition)
    for statement in (
        f"DELETE FROM {partition}",  # noqa: S608 - a name of this schema
        f"UPDATE {partition} SET seq = 9",  # noqa: S608
        "DELETE FROM trade",
        "TRUNCATE trade",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match="is append-only"):
            session.execute(statement.encode())


def test_order_keeps_its_day(session: Connection) -> None:
    with pytest.raises(psycopg.errors.GeneratedAlways):
        session.execute("UPDATE orders SET day = day - 1")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        session.execute("UPDATE orders SET created_at = created_at - interval '2 days'")


def test_day_is_the_one_in_india(session: Connection) -> None:
    late = UUID(int=3)
    session.execute(PLACE.encode(), {"order": late, "age": 0})
    session.execute("UPDATE orders SET created_at = '2026-03-31 18:30:00+00' WHERE id = %s", (late,))
    assert session.execute("SELECT day FROM orders WHERE id = %s", (late,)).fetchone() == (date(2026, 4, 1),)


def test_writer_of_the_version_before_says_no_day(session: Connection, stage: Stage) -> None:
    """Its events go where those of their orders are, and the same rules hold for them."""
    for order in (NOW, LAST_YEAR):
        fill(session, order, f"late-{order.int}", 3, day="DEFAULT")
        first, second = partitions(stage, order)
        assert first == second
    for order, trade, seq in ((NOW, "t2", 4), (LAST_YEAR, "late-2", 4), (NOW, "t4", 3)):
        with pytest.raises(psycopg.errors.UniqueViolation):
            fill(session, order, trade, seq, day="DEFAULT")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        fill(session, UUID(int=9), "t9", day="DEFAULT")


def test_month_made_late_takes_its_events_from_the_default_partition(session: Connection, stage: Stage) -> None:
    assert partitions(stage, LAST_YEAR) == ["order_event_default"]
    [month] = stage.query("SELECT date_trunc('month', day)::date FROM orders WHERE id = %s", LAST_YEAR)[0]
    assert isinstance(month, date)
    with session.writing():
        assert create(session, EVENTS, month)
    [partition] = partitions(stage, LAST_YEAR)
    assert partition == f"order_event_{month:%Y_%m}"
    for table in (partition, "order_event"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            session.execute(f"DELETE FROM {table}".encode())  # noqa: S608
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_fill_a_trade"):
        fill(session, NOW, "t2", 3)
    fill(session, LAST_YEAR, "t3", 3, day="DEFAULT")
    assert partitions(stage, LAST_YEAR) == [partition, partition]


def test_events_of_an_order_are_looked_for_in_one_partition(session: Connection) -> None:
    for month in (date(2030, 1, 1), *months_wanted(date(2031, 5, 31))):
        with session.writing():
            create(session, EVENTS, month)
    plan = session.execute(
        "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT FROM order_event "
        "WHERE order_id = %(order)s AND day = (SELECT day FROM orders WHERE id = %(order)s)",
        {"order": NOW},
    )
    looked_into = [
        line for (line,) in plan if "order_event_" in line and " on " in line and "never executed" not in line
    ]
    assert len(looked_into) == 1, looked_into
