"""Messages that overtake each other, come twice or come too late: what other engines were bitten by."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.app.test_domain import ACK, AT, STOP, UNKNOWN, fill, request
from toolchain.kit.paths import ROOT
from trading.domain.errors import IllegalTransition, InvalidOrder
from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRejected,
    CancelRequested,
    Expired,
    Filled,
    Initialized,
    Modified,
    ModifyRejected,
    ModifyRequested,
    OrderEvent,
    Rejected,
    Submitted,
    Triggered,
)
from trading.domain.intake import is_news
from trading.domain.lifecycle import ADMITTED, apply, fold
from trading.domain.orders import Order, OrderType, Side, Status, Terms
from trading.domain.table import page, transitions
from trading.portfolio.positions import Position, after_fill

SENT: tuple[OrderEvent, ...] = (Initialized(), Submitted())
LIVE: tuple[OrderEvent, ...] = (*SENT, ACK)
CANCEL, GONE = CancelRequested("by the user"), Cancelled("done")
LIMIT: dict[str, object] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(100)}


@pytest.mark.parametrize(
    ("events", "status", "filled"),
    [
        # Overtaken acknowledgements.
        ((*SENT, fill(4), ACK), Status.PARTIALLY_FILLED, 4),
        ((*SENT, fill(4), ACK, fill(6, "t2")), Status.FILLED, 10),
        # Cancel against fill, each of the two winning.
        ((*LIVE, CANCEL), Status.PENDING_CANCEL, 0),
        ((*LIVE, CANCEL, fill(4)), Status.PENDING_CANCEL, 4),
        ((*LIVE, CANCEL, fill(4), GONE), Status.CANCELLED, 4),
        ((*LIVE, CANCEL, fill(10)), Status.FILLED, 10),
        ((*LIVE, CANCEL, CancelRejected("too late")), Status.ACCEPTED, 0),
        ((*LIVE, fill(1), CANCEL, CancelRejected("too late")), Status.PARTIALLY_FILLED, 1),
        # The trade was made before the end and is told after it.
        ((*LIVE, CANCEL, GONE, fill(4)), Status.CANCELLED, 4),
        ((*LIVE, CANCEL, GONE, fill(4), fill(6, "t2")), Status.FILLED, 10),
        ((*LIVE, Expired("day"), fill(10)), Status.FILLED, 10),
        # A cancel before any answer.
        ((Initialized(), Cancelled("never sent")), Status.CANCELLED, 0),
        ((*SENT, CANCEL, ACK), Status.PENDING_CANCEL, 0),
        ((*SENT, CANCEL, Rejected("no")), Status.REJECTED, 0),
        ((*SENT, CANCEL, UNKNOWN, GONE), Status.CANCELLED, 0),
        ((*SENT, CANCEL, CancelRejected("no such order")), Status.UNKNOWN, 0),
        # What the front door takes and the core refuses.
        ((*LIVE, Rejected("circuit limit")), Status.REJECTED, 0),
    ],
)
def test_race(events: Sequence[OrderEvent], status: Status, filled: int) -> None:
    order = fold(request(), events)
    assert (order.status, order.filled_quantity) == (status, filled)


def limit_order(*events: OrderEvent) -> Order:
    return fold(request(**LIMIT), (*LIVE, *events))


NEW = ModifyRequested(6, Decimal(101))
TAKEN = Modified(6, Decimal(101))
BIGGER = ModifyRequested(20, Decimal(101))


@pytest.mark.parametrize(
    ("events", "status", "quantity", "price", "left"),
    [
        ((NEW,), Status.PENDING_MODIFY, 10, 100, 10),
        ((NEW, TAKEN), Status.ACCEPTED, 6, 101, 6),
        ((NEW, ModifyRejected("no")), Status.ACCEPTED, 10, 100, 10),
        ((NEW, fill(4), TAKEN), Status.PARTIALLY_FILLED, 6, 101, 2),
        ((NEW, fill(6), TAKEN), Status.FILLED, 6, 101, 0),
        ((NEW, fill(10)), Status.FILLED, 10, 100, 0),
        ((NEW, CANCEL, TAKEN), Status.PENDING_CANCEL, 6, 101, 6),
        ((NEW, CANCEL, CancelRejected("no")), Status.PENDING_MODIFY, 10, 100, 10),
        # The old terms are filled while more is asked for: not over until the venue has answered.
        ((BIGGER, fill(10)), Status.PENDING_MODIFY, 10, 100, 0),
        ((BIGGER, fill(10), Modified(20, Decimal(101))), Status.PARTIALLY_FILLED, 20, 101, 10),
        ((BIGGER, fill(10), ModifyRejected("complete")), Status.FILLED, 10, 100, 0),
        # A trade beyond the old terms proves the new ones.
        ((BIGGER, fill(12)), Status.PARTIALLY_FILLED, 20, 101, 8),
        ((BIGGER, fill(20)), Status.FILLED, 20, 101, 0),
    ],
)
def test_modification(events: Sequence[OrderEvent], status: Status, quantity: int, price: int, left: int) -> None:
    order = limit_order(*events)
    assert (order.status, order.quantity, order.remaining) == (status, quantity, left)
    assert order.limit_price == price


def test_modification_to_terms_that_do_not_suit_the_order_is_refused() -> None:
    with pytest.raises(InvalidOrder, match="limit_price=None: a LIMIT order needs a price"):
        limit_order(ModifyRequested(5))
    with pytest.raises(IllegalTransition, match=r"modified to \(3, .*\), asked for was \(6, "):
        limit_order(NEW, fill(4), Modified(3, Decimal(101)))
    with pytest.raises(IllegalTransition, match="modified quantity=6, filled already=7"):
        limit_order(NEW, fill(7), TAKEN)


def test_trigger_is_an_event_and_survives_a_restart() -> None:
    """openalgo #924: trigger state that lives in memory is gone after a restart."""
    stop = request(**STOP)
    assert fold(stop, LIVE).status is Status.TRIGGER_PENDING
    triggered = fold(stop, (*LIVE, Triggered(AT)))
    assert (triggered.status, triggered.is_triggered) == (Status.ACCEPTED, True)
    assert fold(stop, (*SENT, Triggered(AT), ACK)).status is Status.ACCEPTED
    assert fold(stop, (*LIVE, fill(4))).is_triggered
    assert fold(stop, (*LIVE, CANCEL, CancelRejected("no"))).status is Status.TRIGGER_PENDING
    with pytest.raises(IllegalTransition, match="does not admit TRIGGERED"):
        fold(stop, (*LIVE, Triggered(AT), Triggered(AT)))


@pytest.mark.parametrize(
    ("events", "message", "news"),
    [
        (LIVE, fill(4), True),
        ((*LIVE, fill(4)), fill(4), False),
        ((*LIVE, fill(10)), fill(10), False),
        ((*LIVE, GONE), fill(4), True),
        (SENT, ACK, True),
        (LIVE, ACK, False),
        ((*SENT, fill(10)), ACK, False),
        ((*SENT, fill(4)), ACK, True),
        ((*LIVE, fill(10)), GONE, False),
        ((*LIVE, GONE), GONE, False),
        ((*LIVE, GONE), Expired("day"), False),
        (LIVE, CancelRejected("late"), False),
        ((*LIVE, CANCEL), CancelRejected("late"), True),
        ((*LIVE, CANCEL, fill(10)), CancelRejected("late"), False),
        ((*SENT, UNKNOWN), UNKNOWN, False),
        ((*SENT, fill(4)), UNKNOWN, False),
        (LIVE, UNKNOWN, False),
        ((*SENT, Rejected("no")), Rejected("no"), False),
        (LIVE, ModifyRejected("no"), False),
        ((*LIVE, ModifyRequested(5), Modified(5)), Modified(5), False),
        ((*LIVE, ModifyRequested(5)), Modified(5), True),
        ((*LIVE, ModifyRequested(20), fill(12)), Modified(20), False),
        ((*LIVE, ModifyRequested(5), Modified(5), ModifyRequested(7)), Modified(5), False),
        ((*LIVE, ModifyRequested(5), Modified(5), ModifyRequested(7)), Modified(7), True),
        ((*LIVE, ModifyRequested(5), Modified(5), ModifyRequested(7), Modified(7)), Modified(5), False),
    ],
)
def test_repeated_or_late_message_is_no_news(events: Sequence[OrderEvent], message: OrderEvent, news: bool) -> None:
    order = fold(request(), events)
    assert is_news(order, message) is news
    if news:
        apply(order, message)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (LIVE, Accepted("another", AT)),
        ((*LIVE, fill(10)), Rejected("no")),
        ((*LIVE, fill(10)), fill(1, "t9")),
        (LIVE, Modified(5)),
        ((*LIVE, ModifyRequested(5)), Modified(6)),
        ((Initialized(),), ACK),
    ],
)
def test_contradiction_is_not_dropped_but_raised(events: Sequence[OrderEvent], message: OrderEvent) -> None:
    order = fold(request(), events)
    assert is_news(order, message)
    with pytest.raises(IllegalTransition):
        apply(order, message)


def test_fills_replayed_after_a_restart_are_booked_once() -> None:
    """nautilus #3176, #3046, #1205: a venue that tells its trades again at every reconnect."""
    told = (fill(4), fill(3, "t2"))
    order = fold(request(), (*LIVE, *told))
    again = [message for message in (ACK, *told, *told) if is_news(order, message)]
    assert again == []


def test_flip_from_long_to_short_is_one_position_and_booked_once() -> None:
    """nautilus #3081: the flipping fill was appended twice."""
    sell = request(side=Side.SELL, quantity=8)
    order = fold(sell, (*LIVE, Filled("paper", "t1", 8, Decimal(120), AT)))
    position = after_fill(after_fill(Position(), Side.BUY, 5, Decimal(100)), Side.SELL, 8, Decimal(120))
    assert position == Position(-3, Decimal(-360), Decimal(100))
    assert not is_news(order, Filled("paper", "t1", 8, Decimal(120), AT))


def test_unknown_outcome_stays_open_and_is_never_taken_for_a_rejection() -> None:
    """hummingbot #366, #3454: an order called lost after a few not-founds had been filled."""
    order = fold(request(), (*SENT, UNKNOWN))
    assert (order.status, order.is_open, order.is_working) == (Status.UNKNOWN, True, False)
    assert apply(order, fill(10)).status is Status.FILLED


def test_admitted_events_all_happen_and_no_others() -> None:
    """The table of what is admitted has no entry that no order can reach."""
    found = transitions()
    admitted = {(status, event.kind) for status, events in ADMITTED.items() for event in events}
    assert set(found) == admitted


def test_terms_are_those_of_the_request_until_the_venue_has_taken_others() -> None:
    order = limit_order(NEW)
    assert (order.modified, order.change) == (None, Terms(6, Decimal(101)))
    assert order.request.terms == Terms(10, Decimal(100))


def test_committed_table_is_what_the_code_says() -> None:
    committed = (ROOT / "docs/engine/orders.md").read_text()
    assert committed == page(), "run: python -m trading.domain.table > docs/engine/orders.md"
