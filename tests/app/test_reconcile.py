"""What the venue has against what is booked: news is booked, what nothing explains is an alarm by name."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.app.test_domain import ACK, AT, STOP, UNKNOWN, fill, request
from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRequested,
    Denied,
    Expired,
    Filled,
    Initialized,
    Modified,
    ModifyRequested,
    OrderEvent,
    Rejected,
    Submitted,
    Triggered,
)
from trading.domain.lifecycle import apply, fold
from trading.domain.orders import Order, OrderType, Terms
from trading.execution.broker import VenueOrder, VenueState, tag_of
from trading.execution.reconcile import Findings, compare

SENT: tuple[OrderEvent, ...] = (Initialized(), Submitted())
LIVE: tuple[OrderEvent, ...] = (*SENT, ACK)
LIMIT: dict[str, object] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(100)}
CANCEL, GONE = CancelRequested("user"), Cancelled("on request")
NEW = Terms(20, Decimal(101))


def at_venue(order: Order, state: VenueState = VenueState.WORKING, *trades: Filled, **changes: object) -> VenueOrder:
    seen = VenueOrder(
        tag=tag_of(order), venue_order_id="v1", text="BUY 10 RELIANCE", terms=order.terms, state=state, trades=trades
    )
    return replace(seen, **changes)  # type: ignore[arg-type]


def found(order: Order, theirs: VenueOrder) -> Findings:
    return compare([order], [theirs], AT)


@pytest.mark.parametrize(
    ("events", "state", "trades", "news"),
    [
        (LIVE, VenueState.WORKING, (), []),
        (SENT, VenueState.WORKING, (), [Accepted("v1", AT)]),
        ((*SENT, UNKNOWN), VenueState.PENDING, (), [Accepted("v1", AT)]),
        ((*SENT, UNKNOWN), VenueState.FILLED, (fill(10),), [Accepted("v1", AT), fill(10)]),
        ((*SENT, UNKNOWN), VenueState.REJECTED, (), [Rejected("rejected by the venue")]),
        (LIVE, VenueState.REJECTED, (), [Rejected("rejected by the venue")]),
        ((*LIVE, fill(4)), VenueState.WORKING, (fill(4), fill(3, "t2")), [fill(3, "t2")]),
        ((*LIVE, fill(4)), VenueState.CANCELLED, (fill(4),), [Cancelled("cancelled at the venue")]),
        ((*LIVE, CANCEL), VenueState.CANCELLED, (fill(2),), [fill(2), Cancelled("cancelled at the venue")]),
        ((*LIVE, CANCEL), VenueState.FILLED, (fill(10),), [fill(10)]),
        ((*LIVE, CANCEL), VenueState.WORKING, (), []),
        (LIVE, VenueState.EXPIRED, (), [Expired("expired at the venue")]),
        # What was told after the end, and what has been told before.
        ((*LIVE, CANCEL, GONE), VenueState.CANCELLED, (fill(2),), [fill(2)]),
        ((*LIVE, fill(10)), VenueState.FILLED, (fill(10),), []),
        ((*LIVE, GONE), VenueState.CANCELLED, (), []),
    ],
)
def test_venue_ahead_of_us_is_news(
    events: Sequence[OrderEvent], state: VenueState, trades: tuple[Filled, ...], news: list[OrderEvent]
) -> None:
    order = fold(request(**LIMIT), events)
    findings = found(order, at_venue(order, state, *trades))
    assert [report.event for report in findings.news] == news
    assert findings.alarms == []
    for event in news:
        order = apply(order, event)
    assert found(order, at_venue(order, state, *trades)) == Findings([], [])


def test_terms_that_we_asked_for_are_the_answer_to_a_change() -> None:
    order = fold(request(**LIMIT), (*LIVE, ModifyRequested(*NEW)))
    findings = found(order, at_venue(order, VenueState.WORKING, fill(12), terms=NEW))
    assert [report.event for report in findings.news] == [Modified(*NEW), fill(12)]
    assert found(order, at_venue(order)) == Findings([], [])  # not answered yet


def test_stop_that_works_was_triggered() -> None:
    order = fold(request(**STOP), LIVE)
    assert found(order, at_venue(order, VenueState.SLEEPING)).news == []
    [report] = found(order, at_venue(order, VenueState.WORKING)).news
    assert report.event == Triggered(AT)


@pytest.mark.parametrize(
    ("events", "changes", "alarm"),
    [
        ((Initialized(),), {}, "is INITIALIZED and the venue has it as v1"),
        ((Initialized(), Denied("RISK_QTY: qty=1")), {}, "is DENIED and the venue has it as v1"),
        (LIVE, {"venue_order_id": "v2"}, "is v1, and also v2"),
        ((*SENT, Rejected("no")), {}, "is REJECTED and the venue has it as working"),
        ((*LIVE, GONE), {}, "is CANCELLED and the venue has it as working"),
        (LIVE, {"terms": NEW}, r"has other terms at the venue: \('20', '101', 'None'\)"),
        (LIVE, {"trades": (fill(11),)}, "fill quantity=11, left=10"),
        ((*LIVE, fill(4)), {"trades": (fill(4),), "state": VenueState.REJECTED}, "does not admit REJECTED"),
    ],
)
def test_what_no_event_explains_is_an_alarm_and_books_nothing(
    events: Sequence[OrderEvent], changes: dict[str, object], alarm: str
) -> None:
    order = fold(request(**LIMIT), events)
    findings = found(order, at_venue(order, **changes))  # type: ignore[arg-type]
    assert findings.news == []
    [said] = findings.alarms
    assert re.search(alarm, said)


def test_order_that_is_not_ours_is_an_orphan_by_name() -> None:
    order = fold(request(), LIVE)
    theirs = [at_venue(order), at_venue(order, tag="", venue_order_id="v9"), at_venue(order, tag="f" * 20)]
    findings = compare([order], theirs, AT)
    assert findings.alarms == [
        "orphan: the venue has BUY 10 RELIANCE as v9, which is not ours",
        "orphan: the venue has BUY 10 RELIANCE as v1, which is not ours",
    ]


def test_order_that_the_venue_has_twice_is_an_alarm() -> None:
    order = fold(request(), LIVE)
    findings = compare([order], [at_venue(order), at_venue(order, venue_order_id="v2")], AT)
    assert findings.alarms[0] == f"doubled: the venue has 2 orders with tag {tag_of(order)}"


def test_acknowledged_order_that_the_venue_has_not_is_missing_until_its_session_is_over() -> None:
    order = fold(request(), LIVE)
    [alarm] = compare([order], [], AT).alarms
    assert alarm == f"missing: order {order.order_id} is ACCEPTED and the venue does not have it"
    later = compare([order], [], AT + timedelta(days=1))
    assert later.alarms == []
    assert [report.event for report in later.news] == [Expired("the session of the order has ended")]
    doubtful = fold(request(), (*SENT, UNKNOWN))
    assert compare([doubtful], [], AT) == Findings([], [])  # it may still be on its way; `query` decides
