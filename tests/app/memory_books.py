"""Books in memory for the dispatcher: events are what survives, everything else is folded from them."""

from collections.abc import Callable, Sequence
from uuid import UUID

from trading.domain.events import CancelRequested, Initialized, ModifyRequested, OrderEvent
from trading.domain.intake import is_news
from trading.domain.lifecycle import apply, fold
from trading.domain.orders import Order, OrderRequest, Status, Terms
from trading.execution.broker import tag_of
from trading.execution.dispatch import Booking

Stored = dict[UUID, tuple[OrderRequest, list[OrderEvent]]]


class MemoryBooks:
    """`Books` of one process; a restart makes another of the same events.

    Attributes:
        touch: called before each transaction, and after it is committed.
    """

    def __init__(self, events: Stored, touch: Callable[[], None] = lambda: None) -> None:
        self.events = events
        self.touch = touch
        self.orders = {key: fold(request, stored) for key, (request, stored) in events.items()}
        self.halts: list[str] = []

    def place(self, request: OrderRequest) -> Order:
        """What the API or a strategy does."""
        self.events[request.order_id] = (request, [Initialized()])
        self.orders[request.order_id] = fold(request, [Initialized()])
        return self.orders[request.order_id]

    def request_cancel(self, order_id: UUID) -> None:
        """As `storage.orders.request_cancel` does for one that was sent."""
        self.add(order_id, CancelRequested("user"))

    def request_modify(self, order_id: UUID, terms: Terms) -> None:
        """As `storage.orders.request_modify` does for what passes."""
        self.add(order_id, ModifyRequested(*terms))

    def add(self, order_id: UUID, event: OrderEvent) -> Order:
        """Book one event."""
        self.orders[order_id] = apply(self.orders[order_id], event)
        self.events[order_id][1].append(event)
        return self.orders[order_id]

    def current(self) -> Sequence[Order]:
        return [order for order in self.orders.values() if order.is_open]

    def new_orders(self) -> Sequence[Order]:
        return [order for order in self.orders.values() if order.status is Status.INITIALIZED]

    def tagged(self, tags: Sequence[str]) -> Sequence[Order]:
        return [order for order in self.orders.values() if tag_of(order) in tags]

    def book(self, events: Sequence[Booking]) -> Sequence[Order]:
        self.touch()
        booked: dict[UUID, Order] = {}
        for order, event in events:
            if is_news(self.orders[order.order_id], event):
                booked[order.order_id] = self.add(order.order_id, event)
        self.touch()
        return list(booked.values())

    def halt(self, reason: str) -> None:
        self.halts.append(reason)
