"""Monthly partitions of the histories: made ahead, and dropped as a whole when they are too old. All by market time."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from trading.storage.connection import Connection

KEEP_DAYS: Mapping[str, int] = {"signal": 120, "bar": 800, "equity_point": 800}
AHEAD_MONTHS = 1


def month_after(day: date) -> date:
    """The first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def months_wanted(market_time: datetime) -> list[date]:
    """The first days of the months whose partitions must be there, the present month's first."""
    months = [market_time.astimezone(UTC).date().replace(day=1)]
    for _ in range(AHEAD_MONTHS):
        months.append(month_after(months[-1]))
    return months


def name_of(table: str, month: date) -> str:
    """The name of a month's partition."""
    return f"{table}_{month:%Y_%m}"


def create(connection: Connection, table: str, month: date) -> bool:
    """Make a month's partition, with the rows that had to go to the default one; False when it is there.

    Inside the caller's transaction.
    """
    name = name_of(table, month)
    if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,):
        return False
    parts = {
        "table": sql.Identifier(table),
        "part": sql.Identifier(name),
        "rest": sql.Identifier(f"{table}_default"),
        "begin": sql.Literal(f"{month}T00:00:00+00:00"),
        "end": sql.Literal(f"{month_after(month)}T00:00:00+00:00"),
    }
    for statement in (
        "LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE",
        "CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        "WITH moved AS (DELETE FROM {rest} WHERE at >= {begin} AND at < {end} RETURNING *) "
        "INSERT INTO {part} SELECT * FROM moved",
        "ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ({begin}) TO ({end})",
    ):
        connection.execute(sql.SQL(statement).format(**parts))
    return True


def drop_old(connection: Connection, table: str, market_time: datetime, keep_days: int) -> list[str]:
    """Drop the partitions whose every row is older than so many days of market time; returns their names.

    Inside the caller's transaction.
    """
    oldest = market_time.astimezone(UTC).date() - timedelta(days=keep_days)
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
