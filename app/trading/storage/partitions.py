"""Monthly partitions of the histories: made ahead, and dropped as a whole when they are too old."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from trading.marketdata.bars import IST
from trading.storage.connection import Connection

AHEAD_MONTHS = 1


@dataclass(frozen=True, slots=True)
class History:
    """A table in monthly partitions.

    Attributes:
        keep_days: of market time; None for ever.
        of_orders: it is partitioned by the days of orders, which it refers to; otherwise by market time, `at`.
    """

    table: str
    keep_days: int | None
    of_orders: bool = False

    def today(self, market_time: datetime) -> date:
        """The day that a row of now belongs to. Orders are placed by the clock, whatever the market time of a feed."""
        return datetime.now(IST).date() if self.of_orders else market_time.astimezone(UTC).date()


HISTORIES = (
    History("signal", 120),
    History("bar", 800),
    History("equity_point", 800),
    History("order_event", None, of_orders=True),  # the law wants years, and they answer for every rupee
)


def month_after(day: date) -> date:
    """The first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def months_wanted(today: date) -> list[date]:
    """The first days of the months whose partitions must be there, the present month's first."""
    months = [today.replace(day=1)]
    for _ in range(AHEAD_MONTHS):
        months.append(month_after(months[-1]))
    return months


def name_of(table: str, month: date) -> str:
    """The name of a month's partition."""
    return f"{table}_{month:%Y_%m}"


def create(connection: Connection, history: History, month: date) -> bool:
    """Make a month's partition, with the rows that had to go to the default one; False when it is there.

    Inside the caller's transaction.
    """
    name = name_of(history.table, month)
    if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,):
        return False
    midnight = "" if history.of_orders else "T00:00:00+00:00"
    parts = {
        "table": sql.Identifier(history.table),
        "part": sql.Identifier(name),
        "rest": sql.Identifier(f"{history.table}_default"),
        "key": sql.Identifier("day" if history.of_orders else "at"),
        "begin": sql.Literal(f"{month}{midnight}"),
        "end": sql.Literal(f"{month_after(month)}{midnight}"),
    }
    if history.of_orders:  # orders are locked before their events, everywhere
        connection.execute("LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE")
    for statement in (
        "LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE",
        "ALTER TABLE {rest} DISABLE TRIGGER USER",  # rows are not changed, they only move
        "CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        "WITH moved AS (DELETE FROM {rest} WHERE {key} >= {begin} AND {key} < {end} RETURNING *) "
        "INSERT INTO {part} SELECT * FROM moved",
        "ALTER TABLE {rest} ENABLE TRIGGER USER",
        "ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ({begin}) TO ({end})",
    ):
        connection.execute(sql.SQL(statement).format(**parts))
    return True


def drop_old(connection: Connection, history: History, today: date) -> list[str]:
    """Drop the partitions whose every row is older than is kept; returns their names.

    Inside the caller's transaction.
    """
    if history.keep_days is None:
        return []
    table, oldest = history.table, today - timedelta(days=history.keep_days)
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = %s::regclass", (table,)
    )
    dropped = []
    for (name,) in rows.fetchall():
        suffix = name.removeprefix(f"{table}_")
        if suffix == "default":
            continue
        year, month = map(int, suffix.split("_"))
        if month_after(date(year, month, 1)) <= oldest:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
            dropped.append(name)
    return dropped
