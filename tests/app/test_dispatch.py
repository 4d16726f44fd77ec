"""The way to the venue and back, killed at every step of it: no order is lost, doubled or orphaned."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.app.memory_books import MemoryBooks, Stored
from tests.app.test_domain import AT, request
from tests.app.venue import ENDED, Venue, VenueBroker
from trading.domain.events import Cancelled
from trading.domain.orders import Order, OrderType, Status, Terms
from trading.execution.broker import VenueState, tag_of
from trading.execution.dispatch import Booking, Dispatcher
from trading.risk.killswitch import TradingState

LIMIT: dict[str, object] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(100)}
ACTIVE = TradingState.ACTIVE
NEW = Terms(8, Decimal(101))


class Killed(BaseException):
    """The process is gone; nobody catches it but the test."""


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class World:
    """A venue, what our side has stored, and the process on it, which may be killed at its n-th touch of either."""

    def __init__(self, kill_at: int = 0) -> None:
        self.venue, self.stored, self.clock = Venue(), Stored(), Clock()
        self.touches, self.kill_at = 0, kill_at
        self.start()

    def start(self) -> None:
        """A new process: all it knows it has from what is stored."""
        self.books = MemoryBooks(self.stored, self.touch)
        self.broker = VenueBroker(self.venue, self.touch)
        self.dispatcher = Dispatcher(self.broker, self.books, self.clock)

    def touch(self) -> None:
        self.touches += 1
        if self.touches == self.kill_at:
            raise Killed

    def survive(self, work: Callable[[], None]) -> None:
        """Do it; when that kills the process, start another."""
        try:
            work()
        except Killed:
            self.start()
            self.dispatcher.reconcile(AT)

    def turn(self) -> None:
        """One round of the loop that executes orders."""
        self.survive(lambda: self.dispatcher.submit(AT, ACTIVE))
        self.survive(lambda: self.dispatcher.ask(AT))
        self.survive(lambda: self.dispatcher.reconcile(AT))
        self.clock.forward(3)

    def place(self, name: str, **changes: object) -> Order:
        return self.books.place(request(client_order_id=name, **LIMIT | changes))

    def agree(self) -> None:
        """Every order is at the venue once, as we have it, or never was there; and nobody has rung the alarm."""
        assert self.books.halts == []
        ours = {tag_of(order): order for order in self.books.orders.values()}
        for placed in self.venue.orders.values():
            order = ours.pop(placed.tag)  # a second one of a tag, or one that is not ours, is not there to be popped
            assert (order.filled_quantity, order.terms) == (placed.filled, placed.terms)
            assert order.is_open is (placed.state not in ENDED)
        assert {order.status for order in ours.values()} <= {Status.REJECTED, Status.CANCELLED}
        assert all(order.filled_quantity == 0 for order in ours.values())


def story(world: World) -> None:
    """Orders that are placed, changed, cancelled and filled, some at once."""
    one, two, three = (world.place(name).order_id for name in ("one", "two", "three"))
    world.turn()
    if world.books.orders[one].is_working:
        world.books.request_modify(one, NEW)
    for order_id in (two, three):
        if world.books.orders[order_id].is_working:
            world.books.request_cancel(order_id)
    for placed in world.venue.tagged(tag_of(world.books.orders[three])):
        world.venue.trade(placed.name, 4)
    world.place("four")
    world.turn()
    for placed in world.venue.tagged(tag_of(world.books.orders[one])):
        world.venue.trade(placed.name, placed.terms.quantity)
    for _ in range(3):
        world.turn()


def touches_of_the_story() -> int:
    world = World()
    story(world)
    world.agree()
    return world.touches


@pytest.mark.parametrize("kill_at", range(1, touches_of_the_story() + 1))
def test_killed_at_this_touch_of_store_or_venue_nothing_is_lost_or_doubled(kill_at: int) -> None:
    world = World(kill_at)
    story(world)
    assert world.touches >= kill_at
    world.agree()


@pytest.mark.parametrize("kill_at", [1, 2, 3, 4, 5, 6])
def test_order_that_may_have_been_sent_is_never_sent_again(kill_at: int) -> None:
    """nautilus #3176: what a restart does not know for certain it must ask, and not do again."""
    world = World(kill_at)
    world.place("one")
    for _ in range(3):
        world.turn()
    assert len(world.venue.orders) <= 1
    world.agree()


def test_undisturbed_story_ends_as_it_should() -> None:
    world = World()
    story(world)
    ends = {o.request.client_order_id: (o.status, o.filled_quantity) for o in world.books.orders.values()}
    assert ends == {
        "one": (Status.FILLED, 8),
        "two": (Status.CANCELLED, 0),
        "three": (Status.CANCELLED, 4),
        "four": (Status.ACCEPTED, 0),
    }


def test_lost_answers_are_followed_up_and_requests_repeated_after_a_while() -> None:
    world = World()
    world.broker.is_lost = True
    order_id = world.place("one").order_id
    world.dispatcher.submit(AT, ACTIVE)
    assert world.books.orders[order_id].status is Status.UNKNOWN
    world.dispatcher.reconcile(AT)
    assert world.books.orders[order_id].status is Status.ACCEPTED
    world.books.request_cancel(order_id)
    world.dispatcher.ask(AT)
    before = world.touches
    world.dispatcher.ask(AT)
    assert world.touches == before  # not at once
    world.broker.is_lost = False
    world.clock.forward(2)
    world.dispatcher.ask(AT)
    assert world.books.orders[order_id].status is Status.CANCELLED


def test_halted_new_orders_are_cancelled_and_cancels_pass() -> None:
    world = World()
    sent = world.place("one").order_id
    world.turn()
    new = world.place("two").order_id
    world.books.request_cancel(sent)
    world.dispatcher.submit(AT, TradingState.HALTED)
    world.dispatcher.ask(AT)
    assert {world.books.orders[key].status for key in (sent, new)} == {Status.CANCELLED}
    assert len(world.venue.orders) == 1


def test_orders_of_all_strategies_share_one_window_and_cancels_never_wait() -> None:
    world = World()
    world.broker.max_orders_a_second = 10
    ids = [world.place(f"o{n}", account=f"strategy-{n % 4}").order_id for n in range(25)]
    world.dispatcher.submit(AT, ACTIVE)
    assert len(world.venue.orders) == 10
    world.books.request_cancel(ids[0])
    world.books.request_modify(ids[1], NEW)
    world.dispatcher.ask(AT)
    assert world.books.orders[ids[0]].status is Status.CANCELLED
    assert world.books.orders[ids[1]].change == NEW  # waits for room
    world.clock.forward(0.9)
    world.dispatcher.submit(AT, ACTIVE)
    assert len(world.venue.orders) == 10
    world.clock.forward(0.1)
    world.dispatcher.ask(AT)
    world.dispatcher.submit(AT, ACTIVE)
    assert world.books.orders[ids[1]].terms == NEW
    assert len(world.venue.orders) == 19


def test_order_is_not_sent_long_after_its_note() -> None:
    """A process that was frozen between note and call must not send what another has asked for already."""
    world = World()
    order = world.place("one")

    class Frozen(MemoryBooks):
        def book(self, events: Sequence[Booking]) -> Sequence[Order]:
            booked = super().book(events)
            world.clock.forward(6)
            return booked

    books = Frozen(world.stored)
    Dispatcher(world.broker, books, world.clock).submit(AT, ACTIVE)
    assert world.venue.orders == {}
    assert books.orders[order.order_id].reason == "not sent in time after it was noted"


def test_cancel_that_overtakes_the_dispatch_wins() -> None:
    """The API cancels what the dispatcher has just read as new."""
    world = World()
    order = world.place("one")

    class Slow(MemoryBooks):
        def new_orders(self) -> list[Order]:
            return [order]

    books = Slow(world.stored)
    books.add(order.order_id, Cancelled("user"))
    Dispatcher(world.broker, books, world.clock).submit(AT, ACTIVE)
    assert world.venue.orders == {}


def test_orphan_halts_by_name_when_two_snapshots_have_it() -> None:
    world = World()
    world.place("one")
    world.turn()
    stranger = world.venue.place("", "SELL 5 TCS", Terms(5))
    world.turn()
    assert world.books.halts == []
    world.turn()
    world.turn()
    assert world.books.halts == [f"orphan: the venue has SELL 5 TCS as {stranger.name}, which is not ours"]


def test_trade_told_long_after_the_end_is_booked() -> None:
    world = World()
    order_id = world.place("one").order_id
    world.turn()
    world.books.request_cancel(order_id)
    world.turn()
    world.turn()
    assert world.books.orders[order_id].status is Status.CANCELLED
    placed = next(iter(world.venue.orders.values()))
    placed.state = VenueState.WORKING
    world.venue.trade(placed.name, 3)
    placed.state = VenueState.CANCELLED
    world.turn()
    assert world.books.orders[order_id].filled_quantity == 3
    assert world.books.halts == []


class Path(RuleBasedStateMachine):
    """Anything at any time, and the process killed at any touch of store or venue."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.names = 0

    def pick(self, data: st.DataObject, *statuses: Status) -> Order | None:
        found = [order for order in self.world.books.orders.values() if order.status in statuses]
        return data.draw(st.sampled_from(found)) if found else None

    @rule(has_trigger=st.booleans())
    def place(self, has_trigger: bool) -> None:
        self.names += 1
        stop: dict[str, object] = {"order_type": OrderType.SL, "trigger_price": Decimal(100)}
        self.world.place(f"o{self.names}", **stop if has_trigger else {})

    @rule(touches=st.integers(1, 12))
    def kill_soon(self, touches: int) -> None:
        self.world.kill_at = self.world.touches + touches

    @rule(is_lost=st.booleans())
    def lose_answers(self, is_lost: bool) -> None:
        self.world.broker.is_lost = is_lost

    @rule(work=st.sampled_from(["submit", "ask", "reconcile", "wait"]))
    def run(self, work: str) -> None:
        world = self.world
        match work:
            case "submit":
                world.survive(lambda: world.dispatcher.submit(AT, ACTIVE))
            case "ask":
                world.survive(lambda: world.dispatcher.ask(AT))
            case "reconcile":
                world.survive(lambda: world.dispatcher.reconcile(AT))
            case _:
                world.clock.forward(1)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        working = (Status.SUBMITTED, Status.UNKNOWN, Status.ACCEPTED, Status.PARTIALLY_FILLED, Status.PENDING_MODIFY)
        if order := self.pick(data, *working):
            self.world.books.request_cancel(order.order_id)

    @rule(data=st.data(), quantity=st.integers(1, 20), price=st.integers(99, 101))
    def modify(self, data: st.DataObject, quantity: int, price: int) -> None:
        order = self.pick(data, Status.ACCEPTED, Status.PARTIALLY_FILLED, Status.TRIGGER_PENDING)
        if order and order.venue_order_id and quantity > order.filled_quantity:
            terms = Terms(quantity, Decimal(price), order.trigger_price and Decimal(price))
            if terms != order.terms:
                self.world.books.request_modify(order.order_id, terms)

    @rule(data=st.data(), part=st.integers(1, 20))
    def trade(self, data: st.DataObject, part: int) -> None:
        live = [placed for placed in self.world.venue.orders.values() if placed.state not in ENDED]
        if live:
            placed = data.draw(st.sampled_from(live))
            self.world.venue.trade(placed.name, min(part, placed.terms.quantity - placed.filled))

    @rule()
    def settle(self) -> None:
        """Left alone for a while, both sides agree."""
        self.world.kill_at = 0
        self.world.broker.is_lost = False
        for _ in range(3):
            self.world.turn()
        self.world.agree()

    @invariant()
    def no_order_is_at_the_venue_twice(self) -> None:
        tags = [placed.tag for placed in self.world.venue.orders.values()]
        assert len(tags) == len(set(tags))


Path.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPath = Path.TestCase
