"""Orders against a venue that reorders and repeats its messages, with crashes at any moment.

The machine plays the venue as it really is, lets its messages arrive in any order and more than once, and compares what
our side makes of them: whatever happens, a trade is booked once, nothing is filled beyond the order, and events alone
bring everything back.
"""

import uuid
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.app.test_domain import AT, request
from trading.costs.table import nse_equity
from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRejected,
    CancelRequested,
    Filled,
    Initialized,
    Modified,
    ModifyRejected,
    ModifyRequested,
    OrderEvent,
    OutcomeUnknown,
    Submitted,
    Triggered,
    from_payload,
    to_payload,
)
from trading.domain.intake import is_news
from trading.domain.lifecycle import apply, fold, start
from trading.domain.orders import Order, OrderRequest, OrderType, Product, Side, Status, Terms
from trading.portfolio.book import Book, BookKey

COSTS = nse_equity()
CAPITAL = Decimal(1_000_000)
ONCE = (CancelRejected, ModifyRejected)


@dataclass
class VenueOrder:
    """An order as the venue has it."""

    terms: Terms
    filled: int = 0
    is_over: bool = False
    told: list[OrderEvent] = field(default_factory=list)
    on_the_way: list[OrderEvent] = field(default_factory=list)

    def tell(self, event: OrderEvent) -> None:
        self.told.append(event)
        self.on_the_way.append(event)


class OrderMachine(RuleBasedStateMachine):
    """Our side is `events`, `orders` and `book`; the venue's is `venue`."""

    @initialize()
    def begin(self) -> None:
        self.requests: dict[uuid.UUID, OrderRequest] = {}
        self.events: dict[uuid.UUID, list[tuple[str, dict[str, str | int | None]]]] = {}
        self.orders: dict[uuid.UUID, Order] = {}
        self.venue: dict[uuid.UUID, VenueOrder] = {}
        self.book = Book(COSTS)
        self.fills: list[tuple[uuid.UUID, dict[str, str | int | None]]] = []  # over all orders, as they were booked
        self.cash = CAPITAL
        self.trades = 0

    def record(self, order_id: uuid.UUID, event: OrderEvent) -> None:
        """What storage and ledger do with an event of ours or news of the venue's."""
        self.orders[order_id] = apply(self.orders[order_id], event)
        self.events[order_id].append((event.kind, to_payload(event)))
        if isinstance(event, Filled):
            self.book.book(self.requests[order_id], event)
            self.fills.append((order_id, to_payload(event)))

    def pick(self, data: st.DataObject, statuses: set[Status] | None = None) -> uuid.UUID | None:
        found = [key for key, order in self.orders.items() if statuses is None or order.status in statuses]
        return data.draw(st.sampled_from(found)) if found else None

    @rule(
        name=st.integers(1, 4),
        side=st.sampled_from(Side),
        quantity=st.integers(1, 6),
        kind=st.sampled_from([OrderType.LIMIT, OrderType.SL]),
        is_answered=st.booleans(),
    )
    def submit(self, name: int, side: Side, quantity: int, kind: OrderType, is_answered: bool) -> None:
        """Place and send; a name that is taken gives the order that has it."""
        trigger = Decimal(100) if kind.has_trigger else None
        wanted = request(
            client_order_id=f"c{name}",
            side=side,
            quantity=quantity,
            order_type=kind,
            limit_price=Decimal(100),
            trigger_price=trigger,
            product=Product.MIS,
        )
        if wanted.order_id in self.orders:
            return
        self.requests[wanted.order_id] = wanted
        self.orders[wanted.order_id] = start(wanted, Initialized())
        self.events[wanted.order_id] = [("INITIALIZED", {})]
        self.record(wanted.order_id, Submitted())
        at_venue = self.venue[wanted.order_id] = VenueOrder(wanted.terms)
        at_venue.tell(Accepted(f"v{name}", AT))
        if not is_answered:
            self.record(wanted.order_id, OutcomeUnknown("timeout"))

    @rule(data=st.data(), price=st.integers(90, 110))
    def trade(self, data: st.DataObject, price: int) -> None:
        """The venue fills a part or all; a stop is triggered first."""
        live = [key for key, order in self.venue.items() if not order.is_over]
        if not live:
            return
        key = data.draw(st.sampled_from(live))
        order, wanted = self.venue[key], self.requests[key]
        if wanted.order_type.has_trigger and not any(isinstance(event, Triggered) for event in order.told):
            order.tell(Triggered(AT))
        quantity = data.draw(st.integers(1, order.terms.quantity - order.filled))
        self.trades += 1
        charges = COSTS.rates(AT.date(), wanted.product, wanted.side).total(Decimal(price * quantity))
        order.tell(Filled("paper", f"t{self.trades}", quantity, Decimal(price), AT, charges))
        order.filled += quantity
        order.is_over = order.filled == order.terms.quantity
        self.cash -= wanted.side.sign * price * quantity + charges

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """We ask, and the venue answers what is true there."""
        key = self.pick(data, {Status.SUBMITTED, Status.UNKNOWN, Status.ACCEPTED, Status.PARTIALLY_FILLED})
        if key is None:
            return
        self.record(key, CancelRequested("by the user"))
        order = self.venue[key]
        order.tell(CancelRejected("too late") if order.is_over else Cancelled("on request"))
        order.is_over = True

    @rule(data=st.data(), quantity=st.integers(1, 9), price=st.integers(95, 105))
    def modify(self, data: st.DataObject, quantity: int, price: int) -> None:
        key = self.pick(data, {Status.ACCEPTED, Status.PARTIALLY_FILLED, Status.TRIGGER_PENDING})
        if key is None or self.orders[key].venue_order_id is None or quantity <= self.orders[key].filled_quantity:
            return
        terms = Terms(quantity, Decimal(price), self.orders[key].trigger_price and Decimal(price))
        self.record(key, ModifyRequested(*terms))
        order = self.venue[key]
        if order.is_over or quantity <= order.filled:
            order.tell(ModifyRejected("too late"))
        else:
            order.terms = terms
            order.tell(Modified(*terms))

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Any message that is on its way arrives, not necessarily the oldest."""
        waiting = [(key, event) for key, order in self.venue.items() for event in order.on_the_way]
        if waiting:
            key, event = data.draw(st.sampled_from(waiting))
            self.venue[key].on_the_way.remove(event)
            self.take(key, event)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A message that has arrived arrives again."""
        old = [
            (key, event)
            for key, order in self.venue.items()
            for event in order.told
            if event not in order.on_the_way and not isinstance(event, ONCE)
        ]
        if old:
            key, event = data.draw(st.sampled_from(old))
            before = self.orders[key]
            self.take(key, event)
            assert self.orders[key] == before

    def take(self, key: uuid.UUID, event: OrderEvent) -> None:
        if is_news(self.orders[key], event):
            self.record(key, event)

    @rule()
    def crash(self) -> None:
        """Memory is gone; events bring it back."""
        before = self.orders, self.book.positions()
        self.orders, self.book = {}, Book(COSTS)
        for key, stored in self.events.items():
            events = [from_payload(kind, payload) for kind, payload in stored]
            self.orders[key] = fold(self.requests[key], events)
        for key, payload in self.fills:
            fill = from_payload("FILLED", payload)
            assert isinstance(fill, Filled)
            self.book.book(self.requests[key], fill)
        assert (self.orders, self.book.positions()) == before

    @precondition(lambda self: self.venue)
    @rule()
    def settle(self) -> None:
        """When every message has arrived, we know what the venue knows."""
        for key, order in self.venue.items():
            while order.on_the_way:
                self.take(key, order.on_the_way.pop(0))
            ours = self.orders[key]
            assert (ours.filled_quantity, ours.quantity) == (order.filled, order.terms.quantity)
            assert ours.is_open is not order.is_over
        assert CAPITAL + self.book.summary().cash == self.cash

    @invariant()
    def nothing_is_filled_beyond_its_order_or_twice(self) -> None:
        for key, order in self.orders.items():
            fills = [from_payload(kind, payload) for kind, payload in self.events[key] if kind == "FILLED"]
            booked = [fill for fill in fills if isinstance(fill, Filled)]
            assert sum(fill.quantity for fill in booked) == order.filled_quantity <= order.quantity
            assert len({fill.trade_id for fill in booked}) == len(booked)
            assert order.status is not Status.FILLED or order.remaining == 0
            assert order.filled_quantity <= self.venue[key].filled

    @invariant()
    def a_name_has_one_order_and_positions_are_the_sum_of_fills(self) -> None:
        names = [order.request.client_order_id for order in self.orders.values()]
        assert len(set(names)) == len(names)
        held = self.book.position(BookKey("main", None, "RELIANCE", Product.MIS)).quantity
        assert held == sum(order.request.side.sign * order.filled_quantity for order in self.orders.values())


OrderMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestOrders = OrderMachine.TestCase
