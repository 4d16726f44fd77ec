"""What a broker is to the engine: calls with answers that are certain or say that they are not, and what it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol, runtime_checkable

from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRejected,
    Filled,
    Modified,
    ModifyRejected,
    OrderEvent,
    OutcomeUnknown,
    Rejected,
)
from trading.domain.orders import Mode, Order, Terms
from trading.marketdata.bars import Step

# The answer of a call: the definitive ones, and doubt. None is "taken, its word comes later".
SubmitAnswer = Accepted | Rejected | OutcomeUnknown
CancelAnswer = Cancelled | CancelRejected | OutcomeUnknown | None
ModifyAnswer = Modified | ModifyRejected | OutcomeUnknown | None

TAG_LENGTH = 20  # the longest that Indian brokers carry for us with an order


@dataclass(frozen=True, slots=True)
class Report:
    """The venue's word about one of our orders."""

    order: Order
    event: OrderEvent


class VenueState(Enum):
    """Where an order is at the venue; PENDING is on its way from the broker's door to the exchange or back."""

    PENDING = "pending"
    SLEEPING = "waits for its trigger"
    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as the venue has it.

    Attributes:
        tag: what we gave it to carry, see `tag_of`; empty when it carries nothing.
        text: side, quantity and symbol, for people.
        trades: all of them that the venue tells, oldest first.
        reason: why it was rejected or cancelled, in the venue's words.
    """

    tag: str
    venue_order_id: str
    text: str
    terms: Terms
    state: VenueState
    trades: tuple[Filled, ...] = ()
    reason: str = ""


def tag_of(order: Order) -> str:
    """The name that an order bears at a venue: the first 80 bits of its id, as so many characters as a tag may have."""
    return order.order_id.hex[:TAG_LENGTH]


class BrokerAdapter(Protocol):
    """A venue that takes orders; docs/engine/brokers.md says how to add one, a contract suite holds what is said here.

    No method raises because of what the venue does or does not do: whatever is not certain is `OutcomeUnknown`, or None
    where the venue was asked. Every method but `submit` is safe to repeat: an order whose submission is in doubt is
    asked for by `query` and never submitted again.

    Attributes:
        venue: stable name; trade ids are unique within it.
        mode: of the orders that it takes; it rejects the others, so that a paper order cannot reach a real venue.
        max_orders_a_second: orders and changes that may be sent in any second; None where the venue keeps market time.
    """

    @property
    def venue(self) -> str: ...

    @property
    def mode(self) -> Mode: ...

    @property
    def max_orders_a_second(self) -> int | None: ...

    def submit(self, order: Order, market_time: datetime | None) -> SubmitAnswer:
        """Hand an order over. Only a definitive refusal is `Rejected`; every doubt is `OutcomeUnknown`."""
        ...

    def query(self, order: Order, market_time: datetime | None) -> Accepted | Rejected | None:
        """What became of an order that was submitted but never answered; None while the venue cannot tell.

        That the venue does not know it is no proof at once: the order may still be on its way.
        """
        ...

    def cancel(self, order: Order, market_time: datetime | None) -> CancelAnswer:
        """End an acknowledged order; `CancelRejected` when it is over already, and its trades are told apart."""
        ...

    def modify(self, order: Order, change: Terms, market_time: datetime | None) -> ModifyAnswer:
        """Give an acknowledged order these whole terms."""
        ...

    def reports(self, step: Step, previous_at: datetime | None, working: Sequence[Order]) -> Sequence[Report]:
        """What happened to the working orders (oldest first) up to and in this step, in the order it happened.

        Nothing for a venue that has a market of its own: its word comes with the snapshot.
        """
        ...

    def snapshot(self, working: Sequence[Order], market_time: datetime | None) -> Sequence[VenueOrder] | None:
        """All orders of the day at the venue with their trades, whoever placed them; None while it cannot tell."""
        ...

    def has_news(self) -> bool:
        """Whether the venue has called since the last snapshot, so that taking another is worth while now."""
        ...

    def close(self) -> None:
        """Give back what was opened. It is opened to see whether it can be, and then for each term as leader."""
        ...


@runtime_checkable
class TakesPostbacks(Protocol):
    """An adapter whose broker calls back; the listener is ours, see `trading.execution.http.postback`."""

    def take_postback(self, body: bytes) -> bool:
        """Told what was posted, from any thread; False when it is not the broker's, and nothing may be done then."""
        ...
