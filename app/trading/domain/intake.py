"""What a venue's message adds to what we have booked: nothing, when it is a repetition or comes too late to matter.

Venues send again what they are not sure to have told, and messages overtake each other. The fold stays strict; here is
the one place that decides which messages are no news. Contradictions are not dropped: they go on and raise there.
Refusals of a cancel or a modification are answers to our calls and taken for told once.
"""

from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRejected,
    Expired,
    Filled,
    Modified,
    ModifyRejected,
    OrderEvent,
    OutcomeUnknown,
    Rejected,
    Submitted,
    Triggered,
)
from trading.domain.orders import TERMINAL, Order, Status, Terms

ENDED = frozenset({Status.FILLED, Status.CANCELLED, Status.EXPIRED})


def is_news(order: Order, event: OrderEvent) -> bool:
    """Whether the message has to be booked."""
    over = order.status in TERMINAL
    match event:
        case Filled(venue=venue, trade_id=trade_id):
            return f"{venue}/{trade_id}" not in order.trade_ids
        case Accepted(venue_order_id=name):
            # Fills and ends that overtook it leave it nothing to say.
            return not over and order.venue_order_id != name
        case Rejected():
            return order.status is not Status.REJECTED
        case OutcomeUnknown():
            known = order.venue_order_id is not None or order.filled_quantity > 0
            return not over and not known and order.status is not Status.UNKNOWN
        case Triggered():
            return not over and not order.is_triggered
        case CancelRejected():
            return not over and order.is_cancel_requested
        case ModifyRejected():
            return not over and order.change is not None
        case Modified(quantity=quantity, limit_price=limit, trigger_price=trigger):
            # Once it has been modified, what does not answer the present request may repeat an earlier answer.
            return not over and (order.modified is None or Terms(quantity, limit, trigger) == order.change)
        case Cancelled() | Expired():
            return order.status not in ENDED
        case Submitted():
            return order.status is Status.INITIALIZED  # else it was cancelled before anybody sent it
        case _:
            return True
