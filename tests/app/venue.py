"""A venue in memory, as honest as an exchange: what was placed is there, once for every call that reached it."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from tests.app.test_domain import AT
from trading.domain.events import (
    Accepted,
    Cancelled,
    CancelRejected,
    Filled,
    Modified,
    ModifyRejected,
    OutcomeUnknown,
    Rejected,
)
from trading.domain.orders import Mode, Order, Terms
from trading.execution.broker import (
    CancelAnswer,
    ModifyAnswer,
    Report,
    SubmitAnswer,
    VenueOrder,
    VenueState,
    tag_of,
)
from trading.marketdata.bars import Step

ENDED = {VenueState.FILLED, VenueState.CANCELLED, VenueState.REJECTED, VenueState.EXPIRED}


@dataclass
class Placed:
    """One order at the venue."""

    name: str
    tag: str
    text: str
    terms: Terms
    state: VenueState = VenueState.WORKING
    trades: list[Filled] = field(default_factory=list)
    reason: str = ""

    @property
    def filled(self) -> int:
        """Shares traded."""
        return sum(trade.quantity for trade in self.trades)

    def seen(self) -> VenueOrder:
        """As the adapter tells it."""
        return VenueOrder(
            tag=self.tag,
            venue_order_id=self.name,
            text=self.text,
            terms=self.terms,
            state=self.state,
            trades=tuple(self.trades),
            reason=self.reason,
        )


class Venue:
    """The orders of the day."""

    def __init__(self) -> None:
        self.orders: dict[str, Placed] = {}
        self._numbers = itertools.count(1)

    def place(self, tag: str, text: str, terms: Terms, state: VenueState = VenueState.WORKING) -> Placed:
        """Take an order, as often as it is placed."""
        placed = Placed(f"V{next(self._numbers):06}", tag, text, terms, state)
        self.orders[placed.name] = placed
        return placed

    def tagged(self, tag: str) -> list[Placed]:
        """The orders that carry a tag."""
        return [placed for placed in self.orders.values() if placed.tag == tag]

    def cancel(self, name: str) -> bool:
        """End it; False when it is over in another way. Twice is once."""
        placed = self.orders[name]
        if placed.state not in ENDED:
            placed.state = VenueState.CANCELLED
        return placed.state is VenueState.CANCELLED

    def modify(self, name: str, terms: Terms) -> bool:
        """Give it these terms; False when that is too late. Twice is once."""
        placed = self.orders[name]
        if placed.state in ENDED or terms.quantity <= placed.filled:
            return False
        placed.terms = terms
        return True

    def trade(self, name: str, quantity: int, price: Decimal = Decimal(100)) -> None:
        """Fill a part or all."""
        placed = self.orders[name]
        assert placed.state not in ENDED
        placed.state = VenueState.WORKING
        trade = Filled("memory", f"T{next(self._numbers):06}", quantity, price, AT)
        placed.trades.append(trade)
        if placed.filled == placed.terms.quantity:
            placed.state = VenueState.FILLED


class VenueBroker:
    """A `BrokerAdapter` on a `Venue`.

    Attributes:
        touch: called before each call has reached the venue, and before its answer has reached us.
        is_lost: whether answers are lost on their way.
    """

    venue = "memory"
    mode = Mode.PAPER

    def __init__(self, venue: Venue, touch: Callable[[], None] = lambda: None, rate: int | None = None) -> None:
        self.at = venue
        self.touch = touch
        self.is_lost = False
        self.max_orders_a_second = rate

    def submit(self, order: Order, market_time: datetime | None) -> SubmitAnswer:
        self.touch()
        state = VenueState.SLEEPING if order.request.order_type.has_trigger else VenueState.WORKING
        placed = self.at.place(tag_of(order), order.request.symbol, order.terms, state)
        self.touch()
        return OutcomeUnknown("lost") if self.is_lost else Accepted(placed.name, market_time)

    def query(self, order: Order, market_time: datetime | None) -> Accepted | Rejected | None:
        self.touch()
        found = self.at.tagged(tag_of(order))
        self.touch()
        return Accepted(found[0].name, market_time) if found else Rejected("the order never reached the venue")

    def cancel(self, order: Order, market_time: datetime | None) -> CancelAnswer:
        self.touch()
        done = self.at.cancel(str(order.venue_order_id))
        self.touch()
        if self.is_lost:
            return OutcomeUnknown("lost")
        return Cancelled("on request") if done else CancelRejected("over")

    def modify(self, order: Order, change: Terms, market_time: datetime | None) -> ModifyAnswer:
        self.touch()
        done = self.at.modify(str(order.venue_order_id), change)
        self.touch()
        if self.is_lost:
            return OutcomeUnknown("lost")
        return Modified(*change) if done else ModifyRejected("too late")

    def reports(self, step: Step, previous_at: datetime | None, working: Sequence[Order]) -> Sequence[Report]:
        return []

    def snapshot(self, working: Sequence[Order], market_time: datetime | None) -> Sequence[VenueOrder] | None:
        self.touch()
        seen = [placed.seen() for placed in self.at.orders.values()]
        self.touch()
        return seen

    def has_news(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""
