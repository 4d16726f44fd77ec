"""The order state machine: a fold over events in which an illegal step raises."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from trading.domain.errors import IllegalTransition
from trading.domain.events import (
    Accepted,
    Cancelled,
    Denied,
    Expired,
    Filled,
    Initialized,
    OrderEvent,
    OutcomeUnknown,
    Rejected,
    Submitted,
)
from trading.domain.orders import Order, OrderRequest, Status

# A fill or a cancel may overtake the venue's acknowledgement, hence SUBMITTED and UNKNOWN admit both.
ADMITTED: Mapping[Status, tuple[type[OrderEvent], ...]] = {
    Status.INITIALIZED: (Denied, Submitted),
    Status.SUBMITTED: (Accepted, Rejected, OutcomeUnknown, Filled, Cancelled),
    Status.UNKNOWN: (Accepted, Rejected, Filled, Cancelled),
    Status.ACCEPTED: (Filled, Cancelled, Expired),
    Status.PARTIALLY_FILLED: (Filled, Cancelled, Expired),
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
    return Order(request=request, status=Status.INITIALIZED, seq=1)


def apply(order: Order, event: OrderEvent) -> Order:
    """The order after one more event.

    Raises:
        IllegalTransition: the state does not admit the event, the fill is a duplicate, or more than is left.
    """
    if not isinstance(event, ADMITTED.get(order.status, ())):
        raise IllegalTransition(f"order {order.order_id}: status={order.status} does not admit {event.kind}")
    after = replace(order, seq=order.seq + 1)
    match event:
        case Denied(reason=reason):
            return replace(after, status=Status.DENIED, reason=reason)
        case Submitted():
            return replace(after, status=Status.SUBMITTED)
        case Accepted(market_time=market_time):
            return replace(after, status=Status.ACCEPTED, accepted_at=market_time)
        case Rejected(reason=reason):
            return replace(after, status=Status.REJECTED, reason=reason)
        case OutcomeUnknown(reason=reason):
            return replace(after, status=Status.UNKNOWN, reason=reason)
        case Filled():
            return _filled(after, event)
        case Cancelled(reason=reason):
            return replace(after, status=Status.CANCELLED, reason=reason)
        case Expired(reason=reason):
            return replace(after, status=Status.EXPIRED, reason=reason)
        case _:
            raise IllegalTransition(f"order {order.order_id}: no rule for {event.kind}")


def _filled(order: Order, fill: Filled) -> Order:
    if f"{fill.venue}/{fill.trade_id}" in order.trade_ids:
        raise IllegalTransition(f"order {order.order_id}: trade {fill.trade_id} is booked already")
    if not 0 < fill.quantity <= order.remaining:
        raise IllegalTransition(f"order {order.order_id}: fill quantity={fill.quantity}, left={order.remaining}")
    filled = order.filled_quantity + fill.quantity
    return replace(
        order,
        status=Status.FILLED if filled == order.request.quantity else Status.PARTIALLY_FILLED,
        filled_quantity=filled,
        filled_value=order.filled_value + fill.price * fill.quantity,
        trade_ids=order.trade_ids | {f"{fill.venue}/{fill.trade_id}"},
    )
