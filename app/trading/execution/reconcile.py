"""What the venue has against what we have booked: pure. What follows is news; what cannot be is an alarm, by name."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from trading.domain.errors import TradingError
from trading.domain.events import Accepted, Cancelled, Expired, Modified, OrderEvent, Rejected, Triggered
from trading.domain.intake import is_news
from trading.domain.lifecycle import apply
from trading.domain.orders import Order, Status, TimeInForce
from trading.execution.broker import Report, VenueOrder, VenueState, tag_of

OPEN = frozenset({VenueState.PENDING, VenueState.SLEEPING, VenueState.WORKING})


@dataclass(frozen=True, slots=True)
class Findings:
    """What a snapshot says.

    Attributes:
        news: what we have not booked yet, in the order in which it has to be.
        alarms: what no event of ours can explain, one line each.
    """

    news: Sequence[Report]
    alarms: Sequence[str]


def compare(ours: Sequence[Order], theirs: Sequence[VenueOrder], market_time: datetime | None) -> Findings:
    """Hold our orders against all of the venue's.

    Args:
        ours: every open order, and the closed ones that the venue tells of.
        market_time: of the last bar; None before the first.
    """
    mine = {tag_of(order): order for order in ours}
    news: list[Report] = []
    alarms = [f"doubled: the venue has {n} orders with tag {tag}" for tag, n in _tags(theirs).items() if n > 1]
    for one in theirs:
        order = mine.get(one.tag)
        if order is None:
            alarms.append(f"orphan: the venue has {one.text} as {one.venue_order_id}, which is not ours")
            continue
        try:
            news += _follow(order, one, market_time)
        except TradingError as error:
            alarms.append(f"contradiction: {error}")
    told = {one.tag for one in theirs}
    for tag, order in mine.items():
        if order.is_working and tag not in told:
            if _is_of_an_earlier_day(order, market_time):
                news.append(Report(order, Expired("the session of the order has ended")))
            else:
                alarms.append(f"missing: order {order.order_id} is {order.status} and the venue does not have it")
    return Findings(news, alarms)


def _tags(theirs: Sequence[VenueOrder]) -> Mapping[str, int]:
    return Counter(one.tag for one in theirs if one.tag)


def _follow(order: Order, theirs: VenueOrder, at: datetime | None) -> list[Report]:
    """The events that bring our order to where it is at the venue.

    Raises:
        TradingError: none do.
    """
    if order.status in (Status.INITIALIZED, Status.DENIED):
        raise TradingError(f"order {order.order_id} is {order.status} and the venue has it as {theirs.venue_order_id}")
    if order.venue_order_id not in (None, theirs.venue_order_id):
        raise TradingError(f"order {order.order_id} is {order.venue_order_id}, and also {theirs.venue_order_id}")
    found = []
    for event in _events(order, theirs, at):
        if is_news(order, event):
            found.append(Report(order, event))
            order = apply(order, event)
    is_open = theirs.state in OPEN
    if is_open and not order.is_open:
        raise TradingError(f"order {order.order_id} is {order.status} and the venue has it as {theirs.state.value}")
    if is_open and order.change is None and theirs.terms != order.terms:
        raise TradingError(f"order {order.order_id} has other terms at the venue: {tuple(map(str, theirs.terms))}")
    return found


def _events(order: Order, theirs: VenueOrder, at: datetime | None) -> Iterator[OrderEvent]:
    if theirs.state is not VenueState.REJECTED and order.venue_order_id is None:
        yield Accepted(theirs.venue_order_id, at)
    if order.change is not None and theirs.terms == order.change:
        yield Modified(*theirs.terms)
    if order.request.order_type.has_trigger and theirs.state is VenueState.WORKING and at is not None:
        yield Triggered(at)
    yield from theirs.trades
    match theirs.state:
        case VenueState.CANCELLED:
            yield Cancelled(theirs.reason or "cancelled at the venue")
        case VenueState.REJECTED:
            yield Rejected(theirs.reason or "rejected by the venue")
        case VenueState.EXPIRED:
            yield Expired(theirs.reason or "expired at the venue")


def _is_of_an_earlier_day(order: Order, at: datetime | None) -> bool:
    """Whether a DAY order was taken on a day before the present one: the venue forgets those."""
    is_day = order.request.time_in_force is TimeInForce.DAY
    return is_day and at is not None and order.accepted_at is not None and order.accepted_at.date() < at.date()
