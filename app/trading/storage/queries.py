"""What the API reads: rows as they are shown, nothing is locked or changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from trading.domain.orders import Order
from trading.portfolio.positions import Position
from trading.storage.connection import Connection
from trading.storage.orders import REQUEST, STATE, order_of


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order with what only the database knows: its number in the order of placing, and when that was."""

    number: int
    created_at: datetime
    order: Order


@dataclass(frozen=True, slots=True)
class EventRow:
    """A stored event."""

    seq: int
    kind: str
    recorded_at: datetime
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A position and whose it is."""

    account: str
    symbol: str
    product: str
    position: Position


def order(connection: Connection, order_id: UUID) -> OrderRow | None:
    """One order, or None."""
    row = connection.execute(
        f"SELECT number, created_at, {REQUEST}, {STATE} FROM orders WHERE id = %s",  # noqa: S608 - constants
        (order_id,),
    ).fetchone()
    return _order(row) if row else None


def orders(
    connection: Connection,
    *,
    account: str | None,
    symbol: str | None,
    status: str | None,
    before: int | None,
    limit: int,
) -> list[OrderRow]:
    """The newest orders first, at most `limit`, with numbers below `before`; filters that are None do not count."""
    filters = {"account": account, "symbol": symbol, "status": status}
    where = [f"{name} = %({name})s" for name, value in filters.items() if value is not None]
    where += ["number < %(before)s"] if before is not None else []
    rows = connection.execute(
        f"SELECT number, created_at, {REQUEST}, {STATE} FROM orders "  # noqa: S608 - names of this file
        f"{'WHERE ' + ' AND '.join(where) if where else ''} ORDER BY number DESC LIMIT %(limit)s",
        filters | {"before": before, "limit": limit},
    )
    return [_order(row) for row in rows]


def events(connection: Connection, order_id: UUID) -> list[EventRow]:
    """All events of an order, oldest first."""
    rows = connection.execute(
        "SELECT seq, kind, recorded_at, payload FROM order_event WHERE order_id = %s ORDER BY seq", (order_id,)
    )
    return [EventRow(*row) for row in rows]


def positions(connection: Connection, *, account: str | None) -> list[PositionRow]:
    """Positions that were ever opened, by account, symbol and product; flat ones too, for their profit."""
    rows = connection.execute(
        "SELECT account, symbol, product, quantity, cost, realised_pnl, charges FROM position "
        "WHERE %(account)s::text IS NULL OR account = %(account)s ORDER BY account, symbol, product",
        {"account": account},
    )
    return [PositionRow(account, symbol, product, Position(*figures)) for account, symbol, product, *figures in rows]


def _order(row: tuple[Any, ...]) -> OrderRow:
    return OrderRow(row[0], row[1], order_of(row[2:]))
