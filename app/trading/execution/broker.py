"""What a broker is to the engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trading.domain.events import Accepted, OrderEvent, OutcomeUnknown, Rejected
from trading.domain.orders import Mode, Order
from trading.marketdata.bars import Step


@dataclass(frozen=True, slots=True)
class Report:
    """The venue's word about one of our orders."""

    order: Order
    event: OrderEvent


class BrokerAdapter(Protocol):
    """A venue that takes orders.

    Attributes:
        venue: stable name; trade ids are unique within it.
        mode: of the orders that it takes; it rejects the others, so that a paper order cannot reach a real venue.
    """

    @property
    def venue(self) -> str: ...

    @property
    def mode(self) -> Mode: ...

    def submit(self, order: Order, market_time: datetime | None) -> Accepted | Rejected | OutcomeUnknown:
        """Hand an order over. Only a definitive refusal is `Rejected`; every doubt is `OutcomeUnknown`."""
        ...

    def query(self, order: Order, market_time: datetime | None) -> Accepted | Rejected | None:
        """What became of an order that was submitted but never answered; None while the venue cannot tell."""
        ...

    def reports(self, step: Step, previous_at: datetime | None, working: Sequence[Order]) -> Sequence[Report]:
        """What happened to the working orders (oldest first) up to and in this step, in the order it happened."""
        ...
