"""The events of one order: in the partition of its day, which the plan of a query knows when it is told the value."""

from datetime import date
from uuid import UUID

from trading.domain.events import OrderEvent, from_payload
from trading.storage.connection import Connection


def day_of(connection: Connection, order_id: UUID) -> date | None:
    """The trading day of an order; None when there is no such order."""
    row = connection.execute("SELECT day FROM orders WHERE id = %s", (order_id,)).fetchone()
    return row[0] if row else None


def events_of(connection: Connection, order_id: UUID, *, after: int = 0) -> list[OrderEvent]:
    """What has been booked of an order since its event number `after`, oldest first."""
    rows = connection.execute(
        "SELECT kind, payload FROM order_event WHERE order_id = %s AND day = %s AND seq > %s ORDER BY seq",
        (order_id, day_of(connection, order_id), after),
    )
    return [from_payload(kind, payload) for kind, payload in rows]
