"""What every broker adapter must do. Make a subclass of `BrokerContract` for yours, named `Test…`, with a `bench`.

docs/engine/brokers.md goes through it. Nothing here knows how an adapter speaks to its venue.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tests.app.memory_books import MemoryBooks
from tests.app.test_domain import AT, request
from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRejected,
    Filled,
    Modified,
    ModifyRejected,
    OutcomeUnknown,
)
from trading.domain.orders import Mode, Order, OrderType, Status, Terms
from trading.execution.broker import BrokerAdapter, tag_of
from trading.execution.dispatch import Dispatcher
from trading.risk.killswitch import TradingState

FAR: dict[str, object] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(900)}
NEAR: dict[str, object] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(1100)}
BETTER = Terms(7, Decimal(950))


@dataclass
class Bench:
    """An adapter, and what a test must be able to do to the venue behind it.

    Attributes:
        trade: let the market trade everything that is priced to trade, whole; called with the books.
        breaks: make the venue unreachable; `mends` ends that.
        loses: the next order is taken and its answer lost (`VenueContract` only).
        placed: how many orders the venue has of a tag (`VenueContract` only).
    """

    broker: BrokerAdapter
    trade: Callable[[MemoryBooks], None]
    breaks: Callable[[], None]
    mends: Callable[[], None]
    loses: Callable[[], None] = lambda: None
    placed: Callable[[str], int] = lambda _: 0
    books: MemoryBooks = field(default_factory=lambda: MemoryBooks({}))

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher(self.broker, self.books)

    def place(self, changes: Mapping[str, object], name: str = "one") -> Order:
        """A new order of the adapter's mode."""
        return self.books.place(
            request(**{"client_order_id": name, "mode": self.broker.mode, "algo_id": "ALGO-1", **changes})
        )

    def sent(self, changes: Mapping[str, object], name: str = "one") -> Order:
        """An order that has been handed to the venue, whose answers are booked."""
        order = self.place(changes, name)
        self.turn()
        return self.now(order)

    def turn(self) -> None:
        """A round of the loop that executes orders."""
        self.dispatcher.submit(AT, TradingState.ACTIVE)
        self.dispatcher.ask(AT)
        self.dispatcher.reconcile(AT)

    def now(self, order: Order) -> Order:
        """The order as it is booked."""
        return self.books.orders[order.order_id]


class BrokerContract:
    """The suite."""

    def test_order_is_acknowledged_under_one_name(self, bench: Bench) -> None:
        order = bench.sent(FAR)
        assert order.status is Status.ACCEPTED
        answer = bench.broker.query(order, AT)
        assert isinstance(answer, Accepted)
        assert answer.venue_order_id == order.venue_order_id

    def test_order_of_the_other_mode_is_rejected(self, bench: Bench) -> None:
        """openalgo #1055: a sandbox order reached the real broker."""
        other = Mode.LIVE if bench.broker.mode is Mode.PAPER else Mode.PAPER
        order = bench.place({**FAR, "mode": other})
        bench.turn()
        assert bench.now(order).status is Status.REJECTED

    def test_unknown_instrument_is_rejected_with_a_reason(self, bench: Bench) -> None:
        order = bench.sent({**FAR, "symbol": "NOWHERE"})
        assert order.status is Status.REJECTED
        assert order.reason

    def test_snapshot_has_every_working_order_by_its_tag(self, bench: Bench) -> None:
        orders = [bench.sent(FAR, name) for name in "abc"]
        seen = bench.broker.snapshot(orders, AT)
        assert seen is not None
        assert {one.tag: one.venue_order_id for one in seen} == {tag_of(o): o.venue_order_id for o in orders}
        assert all(one.terms == order.terms for one, order in zip(seen, orders, strict=True))

    def test_cancel_ends_it_and_is_safe_to_repeat(self, bench: Bench) -> None:
        order = bench.sent(FAR)
        bench.books.request_cancel(order.order_id)
        asked = bench.now(order)
        for _ in range(2):
            assert isinstance(bench.broker.cancel(asked, AT), Cancelled | None)
        bench.turn()
        assert bench.now(order).status is Status.CANCELLED

    def test_change_is_taken_whole_and_is_safe_to_repeat(self, bench: Bench) -> None:
        order = bench.sent(FAR)
        bench.books.request_modify(order.order_id, BETTER)
        for _ in range(2):
            assert isinstance(bench.broker.modify(bench.now(order), BETTER, AT), Modified | None)
        bench.turn()
        assert (bench.now(order).terms, bench.now(order).status) == (BETTER, Status.ACCEPTED)

    def test_trades_are_told_again_under_the_same_names(self, bench: Bench) -> None:
        order = bench.sent(NEAR)
        bench.trade(bench.books)
        bench.turn()
        assert bench.now(order).status is Status.FILLED
        events = list(bench.books.events[order.order_id][1])
        fills = [event for event in events if isinstance(event, Filled)]
        assert sum(fill.quantity for fill in fills) == order.quantity
        assert all(fill.venue == bench.broker.venue and fill.charges > 0 for fill in fills)
        bench.trade(bench.books)
        bench.turn()
        assert bench.books.events[order.order_id][1] == events

    def test_cancel_of_what_has_traded_is_refused(self, bench: Bench) -> None:
        order = bench.sent(NEAR)
        bench.trade(bench.books)
        bench.turn()
        assert isinstance(bench.broker.cancel(bench.now(order), AT), CancelRejected)
        assert bench.now(order).filled_quantity == order.quantity

    def test_cancel_and_trade_at_once_end_in_what_the_venue_says(self, bench: Bench) -> None:
        order = bench.sent(NEAR)
        bench.books.request_cancel(order.order_id)
        bench.trade(bench.books)
        for _ in range(2):
            bench.turn()
        end = bench.now(order)
        assert (end.status, end.filled_quantity) in ((Status.FILLED, order.quantity), (Status.CANCELLED, 0))
        assert bench.books.halts == []

    def test_change_below_what_has_traded_is_refused(self, bench: Bench) -> None:
        order = bench.sent(NEAR)
        bench.trade(bench.books)
        bench.turn()
        assert isinstance(bench.broker.modify(bench.now(order), Terms(3, Decimal(1100)), AT), ModifyRejected)

    def test_venue_that_is_away_leaves_doubt_and_raises_nothing(self, bench: Bench) -> None:
        working = bench.sent(FAR, "working")
        bench.breaks()
        order = bench.place(FAR, "doubtful")
        bench.turn()
        assert bench.now(order).status is Status.UNKNOWN
        assert bench.broker.query(bench.now(order), AT) is None
        assert bench.broker.snapshot([working], AT) is None
        assert isinstance(bench.broker.cancel(working, AT), OutcomeUnknown)
        assert isinstance(bench.broker.modify(working, BETTER, AT), OutcomeUnknown)
        assert bench.now(working).status is Status.ACCEPTED
        bench.mends()
        assert bench.books.halts == []


class VenueContract(BrokerContract):
    """The suite for an adapter whose venue keeps orders of its own."""

    def test_lost_answer_is_found_and_the_order_is_there_once(self, bench: Bench) -> None:
        order = bench.place(FAR)
        bench.loses()
        bench.dispatcher.submit(AT, TradingState.ACTIVE)
        assert bench.now(order).status is Status.UNKNOWN
        bench.turn()
        assert bench.now(order).status is Status.ACCEPTED
        assert bench.placed(tag_of(order)) == 1

    def test_order_of_the_other_mode_is_not_at_the_venue(self, bench: Bench) -> None:
        other = Mode.LIVE if bench.broker.mode is Mode.PAPER else Mode.PAPER
        order = bench.place({**FAR, "mode": other})
        bench.turn()
        assert bench.placed(tag_of(order)) == 0

    def test_one_look_that_does_not_find_it_proves_nothing(self, bench: Bench) -> None:
        """hummingbot #366: an order called lost after a not-found had been filled."""
        order = bench.place(FAR)
        assert bench.broker.query(order, AT) is None
