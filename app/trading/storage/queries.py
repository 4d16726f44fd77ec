"""What the API reads: rows as they are shown, nothing is locked or changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from trading.domain.events import Filled, from_payload
from trading.domain.orders import Order
from trading.portfolio.positions import Position
from trading.storage.connection import Connection
from trading.storage.orders import EVENTS_OF, REQUEST, STATE, order_of
from trading.storage.paging import Page, all_of, conditions
from trading.storage.riskcontext import OPEN


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
class TradeRow:
    """A stored fill and the order that it belongs to."""

    recorded_at: datetime
    order_id: UUID
    seq: int
    fill: Filled
    account: str
    symbol: str
    side: str
    product: str
    strategy_id: str | None


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


def orders(connection: Connection, page: Page, **filters: Any) -> list[OrderRow]:  # noqa: ANN401 - column values
    """The newest orders first; filters are columns, and those that are None do not count, nor does `is_open`."""
    is_open = filters.pop("is_open", None)
    where, values = conditions(filters)
    where += [] if is_open is None else [f"status {'' if is_open else 'NOT '}IN {OPEN}"]
    where += ["number < %(number)s"] if page.after else []
    rows = connection.execute(
        f"SELECT number, created_at, {REQUEST}, {STATE} FROM orders "  # noqa: S608 - names of this file
        f"WHERE {all_of(where)} ORDER BY number DESC LIMIT %(limit)s",
        values | page.values("number"),
    )
    return [_order(row) for row in rows]


def events(connection: Connection, order_id: UUID, page: Page) -> list[EventRow]:
    """The events of an order, oldest first."""
    rows = connection.execute(
        "SELECT seq, kind, recorded_at, payload FROM order_event "  # noqa: S608
        f"WHERE {EVENTS_OF} AND seq > %(seq)s ORDER BY seq LIMIT %(limit)s",
        {"seq": 0} | page.values("seq") | {"order_id": order_id},
    )
    return [EventRow(*row) for row in rows]


def trades(connection: Connection, page: Page, **filters: Any) -> list[TradeRow]:  # noqa: ANN401 - column values
    """Fills, the newest first; filters are columns of orders."""
    where, values = conditions(filters, prefix="o.")
    where += ["(e.recorded_at, e.order_id, e.seq) < (%(recorded_at)s, %(event_of)s, %(seq)s)"] if page.after else []
    rows = connection.execute(
        "SELECT e.recorded_at, e.order_id, e.seq, e.payload, o.account, o.symbol, o.side, o.product, o.strategy_id "  # noqa: S608
        "FROM order_event e JOIN orders o ON (o.id, o.day) = (e.order_id, e.day) "
        f"WHERE e.kind = 'FILLED' AND {all_of(where)} "
        "ORDER BY e.recorded_at DESC, e.order_id DESC, e.seq DESC LIMIT %(limit)s",
        values | page.values("recorded_at", "event_of", "seq"),
    )
    return [TradeRow(at, order_id, seq, _fill(payload), *of) for at, order_id, seq, payload, *of in rows]


def positions(connection: Connection, page: Page, **filters: Any) -> list[PositionRow]:  # noqa: ANN401
    """Positions that were ever opened, by account, symbol and product; flat ones too, for their profit."""
    is_open = filters.pop("is_open", None)
    where, values = conditions(filters)
    where += [] if is_open is None else [f"quantity {'<>' if is_open else '='} 0"]
    where += ["(account, symbol, product) > (%(account_at)s, %(symbol_at)s, %(product_at)s)"] if page.after else []
    rows = connection.execute(
        "SELECT account, symbol, product, quantity, cost, realised_pnl, charges FROM position "  # noqa: S608
        f"WHERE {all_of(where)} ORDER BY account, symbol, product LIMIT %(limit)s",
        values | page.values("account_at", "symbol_at", "product_at"),
    )
    return [PositionRow(account, symbol, product, Position(*figures)) for account, symbol, product, *figures in rows]


def _fill(payload: dict[str, Any]) -> Filled:
    event = from_payload(Filled.kind, payload)
    if not isinstance(event, Filled):
        raise TypeError(f"{event.kind} is no fill")
    return event


def _order(row: tuple[Any, ...]) -> OrderRow:
    return OrderRow(row[0], row[1], order_of(row[2:]))
