"""The books of a leader: its session's connection, its token in every transaction, and the open orders at hand."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from prometheus_client import Counter

from trading.domain.events import OrderEvent
from trading.domain.intake import is_news
from trading.domain.orders import Order, OrderRequest
from trading.execution.dispatch import Booking
from trading.risk.checks import Limits
from trading.risk.killswitch import Cause, TradingState, tighten
from trading.storage import orders
from trading.storage.broker import addressed
from trading.storage.connection import Connection
from trading.storage.errors import ClientOrderIdReused
from trading.storage.leadership import Token, require_token
from trading.storage.portfolio import holdings
from trading.storage.tradingstate import lock_state, record

log = logging.getLogger(__name__)
EVENTS = Counter("trading_order_events_total", "Order events booked by this process", ["kind"])


class PostgresBooks:
    """A `Reported` for the desk, in the transaction of a step; `Books` for the dispatcher, each call one of its own.

    Whoever else books an event (a cancel of the API's, say) is caught up with before anything is added.
    """

    def __init__(self, connection: Connection, token: Token, open_orders: Iterable[Order]) -> None:
        self._connection = connection
        self._token = token
        self._open: dict[UUID, Order] = {order.order_id: order for order in open_orders}

    def open_orders(self) -> Sequence[Order]:
        """See `Reported.open_orders`."""
        return list(self._open.values())

    def current(self) -> Sequence[Order]:
        """See `Books.current`."""
        self.catch_up()
        return list(self._open.values())

    def new_orders(self) -> Sequence[Order]:
        """See `Books.new_orders`."""
        return orders.initialized(self._connection)

    def tagged(self, tags: Sequence[str]) -> Sequence[Order]:
        """See `Books.tagged`."""
        return orders.tagged(self._connection, tags) if tags else []

    def append(self, order: Order, event: OrderEvent) -> Order:
        """See `Reported.append`."""
        after = orders.append(self._connection, order, event)
        EVENTS.labels(event.kind).inc()
        self._keep(after)
        return after

    def book(self, events: Sequence[Booking]) -> Sequence[Order]:
        """See `Books.book`."""
        with self._connection.writing():
            require_token(self._connection, self._token)
            known = {order.order_id: self._open.get(order.order_id, order) for order, _ in events}
            latest = {order.order_id: order for order in orders.catch_up(self._connection, list(known.values()))}
            booked: dict[UUID, Order] = {}
            for order, event in events:
                now = latest[order.order_id]
                if is_news(now, event):
                    booked[order.order_id] = latest[order.order_id] = self.append(now, event)
            return list(booked.values())

    def halt(self, reason: str) -> None:
        """See `Books.halt`."""
        halt(self._connection, self._token, reason)

    def catch_up(self) -> None:
        """Take in what others have booked; within a transaction nobody books more until its end."""
        for order in orders.catch_up(self._connection, list(self._open.values())):
            self._keep(order)

    def _keep(self, order: Order) -> None:
        if order.is_open:
            self._open[order.order_id] = order
        else:
            self._open.pop(order.order_id, None)


class StrategyBooks:
    """What the strategies hold, wait for and place in one step: a `Decided` for the desk, within its transaction."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._open: Sequence[Order] | None = None

    def open_orders(self) -> Sequence[Order]:
        """See `Decided.open_orders`."""
        if self._open is None:
            self._open = orders.open_orders(self._connection)
        return self._open

    def holdings(self, account: str) -> Mapping[str, int]:
        """See `Decided.holdings`."""
        return holdings(self._connection, account)

    def place(self, request: OrderRequest) -> Order:
        """See `Decided.place`; the order is for the broker that there is now."""
        request = addressed(self._connection, request)
        try:
            return orders.place(self._connection, request, self._limits, paced=True)[0]
        except ClientOrderIdReused:
            # An engine of another version has decided this step and sized the order otherwise: its order stands.
            log.warning("order of another version stands", extra={"client_order_id": request.client_order_id})
            known = orders.find(self._connection, request.order_id)
            if known is None:
                raise
            return known


def halt(connection: Connection, token: Token, reason: str) -> None:
    """Turn the kill switch on because of the books; nothing when it is on already."""
    with connection.writing():
        require_token(connection, token)
        change = tighten(lock_state(connection), TradingState.HALTED, Cause.RECONCILIATION, reason, "execution")
        if change:
            record(connection, change)
