"""The order state machine as a table, found by walking it: `python -m trading.domain.table > docs/engine/orders.md`."""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from trading.domain.errors import TradingError
from trading.domain.events import (
    KINDS,
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
from trading.domain.lifecycle import apply, start
from trading.domain.orders import Order, OrderRequest, OrderType, Product, Side, Status, TimeInForce

AT = datetime(2026, 1, 5, tzinfo=UTC)
PRICE = Decimal(100)
Transitions = Mapping[tuple[Status, str], frozenset[Status]]

HEAD = """# Orders

An order is what its events say: they are stored, never changed, and folded into its state. This page is made by
`python -m trading.domain.table`, which walks the state machine through every event from every state that can be
reached; a test holds it current.

- `DENIED` is our own refusal before anything was sent, `REJECTED` the venue's. `UNKNOWN` is a venue's answer that was
  lost: it is asked for, never guessed.
- What we ask for is booked before the venue is called (`SUBMITTED`, `MODIFY_REQUESTED`, `CANCEL_REQUESTED`), so that a
  crash leaves a question and not a gap.
- A trade is a fact. It may overtake the acknowledgement, arrive while a cancel or a modification is on its way, and
  even after the venue has called the order cancelled or expired. It is booked in each of these cases.
- One trade is booked once. A message that repeats one, or comes too late to say anything, is dropped when it is taken
  in (`trading.domain.intake`); in the fold the same trade again is an error, as is a fill beyond what is left. The
  database refuses it a third time.
- A modification names the whole new terms. A cancel may follow it; the status is then `PENDING_CANCEL` until both are
  answered. Orders that are not acknowledged yet can be cancelled but not modified.
- A stop order (`SL`, `SL-M`) is `TRIGGER_PENDING` until `TRIGGERED` is booked; the trigger survives a restart like any
  other event.

"""


def transitions() -> Transitions:
    """Every (status, kind of event) that can happen, with the statuses that can follow."""
    found: dict[tuple[Status, str], set[Status]] = {}
    for kind in (OrderType.LIMIT, OrderType.SL):
        first = start(_request(kind), Initialized())
        seen, todo = {first}, [first]
        while todo:
            order = todo.pop()
            for event in _events(order):
                try:
                    after = apply(order, event)
                except TradingError:
                    continue
                found.setdefault((order.status, event.kind), set()).add(after.status)
                place = after._replace(seq=1, reason=None)  # what makes no difference to what can follow
                if place not in seen:
                    seen.add(place)
                    todo.append(place)
    return {step: frozenset(after) for step, after in found.items()}


def _request(kind: OrderType) -> OrderRequest:
    return OrderRequest(
        account="main",
        client_order_id="one",
        symbol="RELIANCE",
        side=Side.BUY,
        order_type=kind,
        product=Product.MIS,
        time_in_force=TimeInForce.DAY,
        quantity=3,
        limit_price=PRICE,
        trigger_price=PRICE if kind.has_trigger else None,
    )


def _events(order: Order) -> Iterator[OrderEvent]:
    """One of every kind, and of fills and new terms all that tell cases apart for an order of three shares."""
    reason = ""
    trigger = order.request.trigger_price
    yield from (Denied(reason), Submitted(), Accepted("v", None), Rejected(reason), OutcomeUnknown(reason))
    yield from (Triggered(AT), CancelRequested(reason), CancelRejected(reason), ModifyRejected(reason))
    yield from (Cancelled(reason), Expired(reason))
    for quantity in (1, 3, 4):
        yield Filled("paper", f"t{order.filled_quantity}", quantity, PRICE, AT)
        yield ModifyRequested(quantity, PRICE, trigger)
        yield Modified(quantity, PRICE, trigger)


def page() -> str:
    """The document."""
    found = transitions()
    lines = ["| State | Event | then |", "| --- | --- | --- |", f"| | `{Initialized.kind}` | `{Status.INITIALIZED}` |"]
    for status in Status:
        for kind in KINDS:
            after = found.get((status, kind))
            if after:
                then = ", ".join(f"`{one}`" for one in Status if one in after)
                lines.append(f"| `{status}` | `{kind}` | {then} |")
    ends = [status for status in Status if not any(step[0] is status for step in found)]
    closing = f"Nothing follows {', '.join(f'`{status}`' for status in ends)}.\n"
    return HEAD + "\n".join(lines) + "\n\n" + closing


if __name__ == "__main__":
    sys.stdout.write(page())
