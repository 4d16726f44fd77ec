"""Order events: the only facts that are stored about an order's life."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from trading.domain.orders import ZERO


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """Base of all events; `kind` is the name under which it is stored."""

    kind: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Initialized(OrderEvent):
    """We have the order on record."""

    kind = "INITIALIZED"


@dataclass(frozen=True, slots=True)
class Denied(OrderEvent):
    """Our own risk check said no; `reason` is `CODE: key=value ...`."""

    kind = "DENIED"
    reason: str


@dataclass(frozen=True, slots=True)
class Submitted(OrderEvent):
    """We are about to hand the order to the venue; stored before the call, so that a crash leaves a trace."""

    kind = "SUBMITTED"


@dataclass(frozen=True, slots=True)
class Accepted(OrderEvent):
    """The venue has it. `market_time` is that of the last bar before, None if there was none."""

    kind = "ACCEPTED"
    venue_order_id: str
    market_time: datetime | None


@dataclass(frozen=True, slots=True)
class Rejected(OrderEvent):
    """The venue said no, definitively."""

    kind = "REJECTED"
    reason: str


@dataclass(frozen=True, slots=True)
class OutcomeUnknown(OrderEvent):
    """The venue's answer was lost (timeout, disconnect, unreadable reply): query before anything else."""

    kind = "OUTCOME_UNKNOWN"
    reason: str


@dataclass(frozen=True, slots=True)
class Triggered(OrderEvent):
    """The trigger price of an SL or SL-M order has traded; from `market_time` on it works as LIMIT or MARKET."""

    kind = "TRIGGERED"
    market_time: datetime


@dataclass(frozen=True, slots=True)
class Filled(OrderEvent):
    """A trade, whole or partial; `(venue, trade_id)` is unique for ever.

    Attributes:
        price: rupees a share.
        charges: what the contract note adds to this trade (unrounded rupees); 0 in events before there were charges.
    """

    kind = "FILLED"
    venue: str
    trade_id: str
    quantity: int
    price: Decimal
    market_time: datetime
    charges: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class ModifyRequested(OrderEvent):
    """New terms are asked for, whole and not as differences; stored before the venue is called."""

    kind = "MODIFY_REQUESTED"
    quantity: int
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Modified(OrderEvent):
    """The venue has these terms now."""

    kind = "MODIFIED"
    quantity: int
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ModifyRejected(OrderEvent):
    """The venue keeps the terms that it had."""

    kind = "MODIFY_REJECTED"
    reason: str


@dataclass(frozen=True, slots=True)
class CancelRequested(OrderEvent):
    """We want it gone; stored before the venue is called. Fills may still come."""

    kind = "CANCEL_REQUESTED"
    reason: str


@dataclass(frozen=True, slots=True)
class CancelRejected(OrderEvent):
    """The venue did not cancel it."""

    kind = "CANCEL_REJECTED"
    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled(OrderEvent):
    """The rest will not be filled (IOC remainder, on request, or never sent). A trade made before may still be told."""

    kind = "CANCELLED"
    reason: str


@dataclass(frozen=True, slots=True)
class Expired(OrderEvent):
    """A DAY order whose session has ended."""

    kind = "EXPIRED"
    reason: str


DECIMALS = frozenset({"price", "charges", "limit_price", "trigger_price"})
KINDS: Mapping[str, type[OrderEvent]] = {
    event.kind: event
    for event in (
        Initialized,
        Denied,
        Submitted,
        Accepted,
        Rejected,
        OutcomeUnknown,
        Triggered,
        Filled,
        ModifyRequested,
        Modified,
        ModifyRejected,
        CancelRequested,
        CancelRejected,
        Cancelled,
        Expired,
    )
}


def to_payload(event: OrderEvent) -> dict[str, str | int | None]:
    """The event's fields as JSON values; prices as text, times as ISO 8601."""
    return {field.name: _to_json(getattr(event, field.name)) for field in fields(event)}


def from_payload(kind: str, payload: Mapping[str, str | int | None]) -> OrderEvent:
    """The inverse of `to_payload`; fields that a payload of an older version lacks have their defaults.

    Raises:
        ValueError: a kind that this version does not know.
    """
    if kind not in KINDS:
        raise ValueError(f"order event kind={kind}: not one of {', '.join(KINDS)}; run a version that knows it")
    return KINDS[kind](**{name: _from_json(name, value) for name, value in payload.items()})


def _to_json(value: object) -> str | int | None:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _from_json(name: str, value: str | int | None) -> object:
    if name == "market_time" and isinstance(value, str):
        return datetime.fromisoformat(value)
    if name in DECIMALS and value is not None:
        return Decimal(str(value))
    return value
