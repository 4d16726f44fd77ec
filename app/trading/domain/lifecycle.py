"""The order state machine: a fold over events in which an illegal step raises.

Facts win over expectations: a trade is booked whatever we have asked for meanwhile, even when the venue has called the
order cancelled or expired before it tells of the trade. What never happened twice is never booked twice: the same trade
again is illegal here; `trading.domain.intake` drops repeated messages before they come this far.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from trading.domain.errors import IllegalTransition
from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRejected,
    CancelRequested,
    Denied,
    Expired,
    Filled,
    Initialized,
    Modified,
    ModifyRejected,
    ModifyRequested,
    OrderEvent,
    OutcomeUnknown,
    Rejected,
    Submitted,
    Triggered,
)
from trading.domain.orders import Order, OrderRequest, Status, Terms

ENDS = (Cancelled, Expired)
ENDED = frozenset({Status.CANCELLED, Status.EXPIRED})
# A fill or an end may overtake the venue's acknowledgement, hence SUBMITTED and UNKNOWN admit them, and
# PARTIALLY_FILLED admits the acknowledgement. A venue's front door may accept what its core then rejects.
ADMITTED: Mapping[Status, frozenset[type[OrderEvent]]] = {
    Status.INITIALIZED: frozenset({Denied, Submitted, Cancelled}),
    Status.SUBMITTED: frozenset({Accepted, Rejected, OutcomeUnknown, Triggered, Filled, CancelRequested, *ENDS}),
    Status.UNKNOWN: frozenset({Accepted, Rejected, Triggered, Filled, CancelRequested, *ENDS}),
    Status.TRIGGER_PENDING: frozenset({Triggered, Filled, Rejected, ModifyRequested, CancelRequested, *ENDS}),
    Status.ACCEPTED: frozenset({Filled, Rejected, ModifyRequested, CancelRequested, *ENDS}),
    Status.PARTIALLY_FILLED: frozenset({Accepted, Filled, ModifyRequested, CancelRequested, *ENDS}),
    Status.PENDING_MODIFY: frozenset(
        {Modified, ModifyRejected, Triggered, Filled, Rejected, CancelRequested, *ENDS},
    ),
    Status.PENDING_CANCEL: frozenset(
        {Accepted, Rejected, OutcomeUnknown, Triggered, Filled, Modified, ModifyRejected, CancelRejected, *ENDS},
    ),
    Status.CANCELLED: frozenset({Filled}),
    Status.EXPIRED: frozenset({Filled}),
}


def fold(request: OrderRequest, events: Iterable[OrderEvent]) -> Order:
    """The order's state after all its events, oldest first.

    Raises:
        IllegalTransition: the first event is not `Initialized`, or a later one does not fit the state before it.
    """
    order: Order | None = None
    for event in events:
        order = start(request, event) if order is None else apply(order, event)
    if order is None:
        raise IllegalTransition(f"order {request.order_id}: has no events; the first is Initialized")
    return order


def start(request: OrderRequest, event: OrderEvent) -> Order:
    """The order after its first event."""
    if not isinstance(event, Initialized):
        raise IllegalTransition(f"order {request.order_id}: first event is {event.kind}; it must be INITIALIZED")
    return Order(request, Status.INITIALIZED, 1)


def apply(order: Order, event: OrderEvent) -> Order:
    """The order after one more event.

    Raises:
        IllegalTransition: the state does not admit the event, the fill is a duplicate, or more than is left.
        InvalidOrder: the terms of a modification do not suit the order.
    """
    if type(event) not in ADMITTED.get(order.status, ()):
        raise _illegal(order, f"status={order.status} does not admit {event.kind}")
    seq = order.seq + 1
    match event:
        case Filled():
            return _filled(order, event, seq)
        case Submitted():
            return order._replace(status=Status.SUBMITTED, seq=seq)
        case Accepted(venue_order_id=name, market_time=at):
            return _accepted(order, name, at, seq)
        case Denied(reason=reason):
            return order._replace(status=Status.DENIED, reason=reason, seq=seq)
        case Rejected(reason=reason):
            if order.filled_quantity:
                raise _illegal(order, f"has filled {order.filled_quantity} shares and cannot be REJECTED")
            return order._replace(status=Status.REJECTED, reason=reason, seq=seq)
        case OutcomeUnknown(reason=reason):
            return _unknown(order, reason, seq)
        case Triggered():
            return _triggered(order, seq)
        case Cancelled(reason=reason):
            return order._replace(status=Status.CANCELLED, reason=reason, seq=seq)
        case Expired(reason=reason):
            return order._replace(status=Status.EXPIRED, reason=reason, seq=seq)
        case _:
            return _requested(order, event, seq)


def _requested(order: Order, event: OrderEvent, seq: int) -> Order:
    """What we ask for after the order, and the venue's answers to it."""
    match event:
        case CancelRequested(reason=reason):
            return _working(order._replace(is_cancel_requested=True, reason=reason, seq=seq))
        case CancelRejected(reason=reason):
            return _working(order._replace(is_cancel_requested=False, reason=reason, seq=seq))
        case ModifyRequested():
            return _working(order._replace(change=_wanted(order, event), seq=seq))
        case Modified():
            return _modified(order, event, seq)
        case ModifyRejected(reason=reason):
            _require_change(order)
            return _working(order._replace(change=None, reason=reason, seq=seq))
        case _:
            raise _illegal(order, f"no rule for {event.kind}")


def _working(order: Order) -> Order:
    """The order with the status that follows from what is known of it and what is on its way."""
    if order.change is None and order.remaining == 0:
        status = Status.FILLED
    elif order.is_cancel_requested:
        status = Status.PENDING_CANCEL
    elif order.change is not None:
        status = Status.PENDING_MODIFY
    elif order.filled_quantity:
        status = Status.PARTIALLY_FILLED
    elif order.venue_order_id is None:
        status = Status.UNKNOWN
    elif order.request.order_type.has_trigger and not order.is_triggered:
        status = Status.TRIGGER_PENDING
    else:
        status = Status.ACCEPTED
    return order._replace(status=status)


def _accepted(order: Order, venue_order_id: str, at: datetime | None, seq: int) -> Order:
    if order.venue_order_id is not None:
        raise _illegal(order, f"is acknowledged already, as {order.venue_order_id}")
    return _working(order._replace(venue_order_id=venue_order_id, accepted_at=at, seq=seq))


def _unknown(order: Order, reason: str, seq: int) -> Order:
    if order.venue_order_id is not None or order.filled_quantity:
        raise _illegal(order, "is known to be at the venue; its outcome is not in doubt")
    return _working(order._replace(reason=reason, seq=seq))


def _triggered(order: Order, seq: int) -> Order:
    if order.is_triggered or not order.request.order_type.has_trigger:
        raise _illegal(order, "has no trigger that could trade now")
    after = order._replace(is_triggered=True, seq=seq)
    # One that overtakes the acknowledgement does not replace it.
    return after if order.venue_order_id is None else _working(after)


def _filled(order: Order, fill: Filled, seq: int) -> Order:
    trade = f"{fill.venue}/{fill.trade_id}"
    if trade in order.trade_ids:
        raise _illegal(order, f"trade {fill.trade_id} is booked already")
    change = order.change
    if change is not None and order.remaining < fill.quantity <= change.quantity - order.filled_quantity:
        # More than the old terms left: the venue has taken the new ones, its word on them is still under way.
        order, change = order._replace(modified=change, change=None), None
    left = order.remaining
    if not 0 < fill.quantity <= left:
        raise _illegal(order, f"fill quantity={fill.quantity}, left={left}")
    if fill.quantity == left and (change is None or change.quantity <= order.quantity):
        status = Status.FILLED
    elif order.status in ENDED:
        status = order.status
    elif order.is_cancel_requested:
        status = Status.PENDING_CANCEL
    else:
        status = Status.PARTIALLY_FILLED if change is None else Status.PENDING_MODIFY
    return order._replace(
        status=status,
        seq=seq,
        filled_quantity=order.filled_quantity + fill.quantity,
        filled_value=order.filled_value + fill.price * fill.quantity,
        trade_ids=order.trade_ids | {trade},
        is_triggered=order.request.order_type.has_trigger,
    )


def _wanted(order: Order, event: ModifyRequested) -> Terms:
    if order.venue_order_id is None:
        raise _illegal(order, "is not acknowledged yet and cannot be modified; ask again then, or cancel it")
    if event.quantity <= order.filled_quantity:
        raise _illegal(order, f"modify quantity={event.quantity}, filled already={order.filled_quantity}; cancel it")
    terms = Terms(event.quantity, event.limit_price, event.trigger_price)
    terms.check(order.request.order_type, order.request.side)
    return terms


def _modified(order: Order, event: Modified, seq: int) -> Order:
    _require_change(order)
    terms = Terms(event.quantity, event.limit_price, event.trigger_price)
    if terms != order.change:
        raise _illegal(order, f"modified to {tuple(terms)}, asked for was {tuple(order.change or ())}")
    if terms.quantity < order.filled_quantity:
        raise _illegal(order, f"modified quantity={terms.quantity}, filled already={order.filled_quantity}")
    return _working(order._replace(modified=terms, change=None, seq=seq))


def _require_change(order: Order) -> None:
    if order.change is None:
        raise _illegal(order, "has no modification on its way")


def _illegal(order: Order, what: str) -> IllegalTransition:
    return IllegalTransition(f"order {order.order_id}: {what}")
