"""What accounts are worth, in PostgreSQL: now, over time, and at the end of market days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.marketdata.bars import IST
from trading.portfolio.equity import EquityPoint
from trading.storage.connection import Connection

# A symbol that the active feed does not have is worth its book cost.
VALUES = """
WITH market AS (
    SELECT p.closes FROM feed JOIN feed_progress p USING (feed_id) ORDER BY activated_at DESC LIMIT 1
), held AS (
    SELECT account, realised_pnl, charges, cost,
        coalesce(quantity * (SELECT closes ->> symbol FROM market)::numeric, cost) AS value
      FROM position
)
SELECT account, capital + sum(realised_pnl - charges - cost), sum(realised_pnl), sum(value - cost), sum(charges),
    sum(abs(value)), sum(value)
  FROM account JOIN held USING (account) GROUP BY account ORDER BY account
"""
PEAKS = """
SELECT account, max(equity) FROM equity_point
 WHERE recorded_at > coalesce((SELECT max(recorded_at) FROM trading_state_event WHERE cause = 'RESET'), '-infinity')
 GROUP BY account
"""
REPORT = """
INSERT INTO daily_report
    (feed_id, day, account, equity, cash, realised_pnl, unrealised_pnl, charges, trades, traded_value)
SELECT %(feed)s, %(day)s, account, equity, cash, realised_pnl, unrealised_pnl, charges,
    coalesce(trades, 0), coalesce(traded_value, 0)
  FROM (
    SELECT DISTINCT ON (account) * FROM equity_point WHERE at >= %(begin)s AND at < %(end)s ORDER BY account, at DESC
  ) last LEFT JOIN (
    SELECT account, count(*) AS trades, sum((payload ->> 'quantity')::numeric * (payload ->> 'price')::numeric)
        AS traded_value
      FROM order_event e JOIN orders ON (orders.id, orders.day) = (order_id, e.day)
     WHERE kind = 'FILLED' AND (payload ->> 'market_time')::timestamptz >= %(begin)s
        AND (payload ->> 'market_time')::timestamptz < %(end)s
     GROUP BY account
  ) traded USING (account)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class AccountValue:
    """An account that has traded, valued at the last prices; rupees.

    Attributes:
        cash: capital and what the fills have brought in, less charges.
        gross, net: market value of its positions, absolute and signed.
    """

    account: str
    cash: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    charges: Decimal
    gross: Decimal
    net: Decimal

    @property
    def equity(self) -> Decimal:
        """Cash and market value."""
        return self.cash + self.net


def account_values(connection: Connection) -> list[AccountValue]:
    """Every account that has traded, by name."""
    return [AccountValue(*row) for row in connection.execute(VALUES)]


def save_points(connection: Connection, at: datetime, values: Sequence[AccountValue]) -> None:
    """Note what accounts are worth at a market time; the latest word on a time stands."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO equity_point (account, at, equity, cash, realised_pnl, unrealised_pnl, charges) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (account, at) DO UPDATE SET equity = excluded.equity, "
            "cash = excluded.cash, realised_pnl = excluded.realised_pnl, unrealised_pnl = excluded.unrealised_pnl, "
            "charges = excluded.charges, recorded_at = clock_timestamp()",
            [(v.account, at, v.equity, v.cash, v.realised_pnl, v.unrealised_pnl, v.charges) for v in values],
        )


def peaks(connection: Connection) -> Mapping[str, Decimal]:
    """The highest equity of each account since the last reset of the kill switch."""
    return dict(connection.execute(PEAKS).fetchall())


def last_point_before(connection: Connection, at: datetime) -> EquityPoint | None:
    """The newest point of any account before a market time."""
    row = connection.execute(
        "SELECT at, equity FROM equity_point WHERE at < %s ORDER BY at DESC LIMIT 1", (at,)
    ).fetchone()
    return EquityPoint(row[0].astimezone(IST), row[1]) if row else None


def save_report(connection: Connection, feed_id: str, begin: datetime, end: datetime) -> int:
    """Note what accounts had come to between two market times; returns how many. Safe to repeat."""
    parameters = {"feed": feed_id, "day": begin.date(), "begin": begin, "end": end}
    return connection.execute(REPORT, parameters).rowcount
