"""A paper venue: takes orders and fills them from the bars that follow.

It keeps no state: working orders and their triggers are what our own ledger says, chance is a hash of seed and market
facts, and so a restarted engine gets the same fills with the same trade ids. Prices are the bid or ask around the next
bar, never the bar on which the decision was made; quantity is limited to a part of the bar's volume.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from trading.costs.table import CostTable, nse_equity
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
    Triggered,
)
from trading.domain.instruments import Instrument
from trading.domain.lifecycle import apply
from trading.domain.orders import Mode, Order, Terms, TimeInForce
from trading.execution.broker import Report, VenueOrder, VenueState, tag_of
from trading.execution.matching import match
from trading.execution.scenario import Scenario, digest
from trading.marketdata.bars import Bar, Step


@dataclass(frozen=True, slots=True)
class PaperBroker:
    """See the module.

    Attributes:
        scenario: what the venue leaves to us of a bar, and how it misbehaves.
        instruments: by symbol; an order in any other is rejected.
        costs: what its contract notes add to a trade.
    """

    scenario: Scenario
    instruments: Mapping[str, Instrument]
    costs: CostTable = field(default_factory=nse_equity)
    venue: str = field(default="paper", init=False)
    mode: Mode = field(default=Mode.PAPER, init=False)
    max_orders_a_second: int | None = field(default=None, init=False)

    def submit(self, order: Order, market_time: datetime | None) -> Accepted | Rejected | OutcomeUnknown:
        """See `BrokerAdapter.submit`; safe to repeat."""
        if self._is_away(market_time):
            return OutcomeUnknown(f"{self.venue} gave no answer")
        return self._answer(order, market_time)

    def query(self, order: Order, market_time: datetime | None) -> Accepted | Rejected | None:
        """See `BrokerAdapter.query`: the venue's state is our ledger, so asking is as good as submitting."""
        if self._is_away(market_time):
            return None
        if self.scenario.happens(self.scenario.lost_percent, "lost", order.order_id):
            return Rejected(f"the order never reached {self.venue}")
        return self._answer(order, market_time)

    def cancel(self, order: Order, market_time: datetime | None) -> Cancelled | CancelRejected | OutcomeUnknown:
        """See `BrokerAdapter.cancel`; unanswered in an outage, it is answered before the next bar trades."""
        if self._is_away(market_time):
            return OutcomeUnknown(f"{self.venue} gave no answer")
        return Cancelled("on request") if order.is_open else CancelRejected("the order is over")

    def modify(
        self, order: Order, change: Terms, market_time: datetime | None
    ) -> Modified | ModifyRejected | OutcomeUnknown:
        """See `BrokerAdapter.modify`; unanswered in an outage, it is answered before the next bar trades."""
        if self._is_away(market_time):
            return OutcomeUnknown(f"{self.venue} gave no answer")
        return _changed(order, change)

    def snapshot(self, working: Sequence[Order], market_time: datetime | None) -> Sequence[VenueOrder] | None:
        """See `BrokerAdapter.snapshot`: the venue's state is our ledger, so it has what we have."""
        return None if self._is_away(market_time) else [_seen(order) for order in working]

    def has_news(self) -> bool:
        """Never: it speaks when it is spoken to, and at each step."""
        return False

    def close(self) -> None:
        """See `BrokerAdapter.close`: there is nothing to give back."""

    def reports(self, step: Step, previous_at: datetime | None, working: Sequence[Order]) -> Sequence[Report]:
        """See `BrokerAdapter.reports`."""
        if not working or self._is_away(step.at):
            return []
        bars = {bar.symbol: bar for bar in step.bars}
        room: dict[str, int] = {}
        result: list[Report] = []
        for order in working:
            for event in self._play(order, step, previous_at, bars.get(order.request.symbol), room):
                result.append(Report(order, event))
                if self.scenario.happens(self.scenario.duplicate_percent, "twice", order.order_id, order.seq, event):
                    result.append(Report(order, event))
        return result

    def _play(
        self, order: Order, step: Step, previous_at: datetime | None, bar: Bar | None, room: dict[str, int]
    ) -> Iterator[OrderEvent]:
        """What happens to one order in a step: requests are answered before the market opens."""
        if _session_over(order, step, previous_at):
            yield Expired("the session of the order has ended")
            return
        if order.is_cancel_requested:
            yield Cancelled("on request")
            return
        if order.change is not None:
            changed = _changed(order, order.change)
            yield changed
            order = apply(order, changed)
        if bar is not None and order.is_open and not self._is_late(order, bar):
            yield from self._match(order, step, bar, room)

    def _match(self, order: Order, step: Step, bar: Bar, room: dict[str, int]) -> Iterator[OrderEvent]:
        instrument = self.instruments[bar.symbol]
        triggers, price, is_queued = match(order, bar, instrument.tick_size)
        if triggers:
            event = Triggered(bar.at)
            yield event
            order = apply(order, event)
        if price is not None:
            left = room[bar.symbol] if bar.symbol in room else self._room(bar)
            reached = self._behind_the_queue(order, bar, left) if is_queued else left
            quantity = min(order.remaining, reached // instrument.lot_size * instrument.lot_size)
            room[bar.symbol] = left - quantity
            if quantity > 0:
                value = price * quantity
                rates = self.costs.rates(bar.at.date(), order.request.product, order.request.side)
                trade_id = digest(self.venue, order.order_id, step.number, bar.at.isoformat(), quantity, price)
                charges = rates.total(value, order.filled_value)
                yield Filled(self.venue, trade_id, quantity, price, bar.at, charges)
                if quantity == order.remaining:
                    return
        if order.request.time_in_force is TimeInForce.IOC:
            yield Cancelled("IOC remainder")

    def _answer(self, order: Order, market_time: datetime | None) -> Accepted | Rejected:
        if order.request.mode is not self.mode:
            return Rejected(f"mode={order.request.mode}: {self.venue} takes {self.mode} orders only")
        if order.request.symbol not in self.instruments:
            return Rejected(f"symbol={order.request.symbol} is not traded at {self.venue}")
        if self.scenario.happens(self.scenario.reject_percent, "reject", order.order_id):
            return Rejected(f"{self.venue} refuses it")
        return Accepted(digest(self.venue, order.order_id), market_time)

    def _is_away(self, market_time: datetime | None) -> bool:
        return market_time is not None and self.scenario.happens(self.scenario.outage_percent, "away", market_time)

    def _is_late(self, order: Order, bar: Bar) -> bool:
        return order.accepted_at is not None and bar.at <= order.accepted_at + self.scenario.latency

    def _room(self, bar: Bar) -> int:
        low, high = self.scenario.participation_percent
        percent = low + self.scenario.number(high - low + 1, bar.symbol, bar.at.isoformat())
        return bar.volume * percent // 100

    def _behind_the_queue(self, order: Order, bar: Bar, room: int) -> int:
        """What is left of the room for an order whose price was touched only: somebody was there before it."""
        ahead = self.scenario.number(100, "queue", order.order_id, bar.at.isoformat())
        return room * (100 - ahead) // 100


def _changed(order: Order, change: Terms) -> Modified | ModifyRejected:
    if not order.is_open or change.quantity <= order.filled_quantity:
        return ModifyRejected("the order has traded as much already")
    return Modified(*change)


def _seen(order: Order) -> VenueOrder:
    request = order.request
    is_asleep = request.order_type.has_trigger and not order.is_triggered
    return VenueOrder(
        tag=tag_of(order),
        venue_order_id=order.venue_order_id or "",
        text=f"{request.side} {order.quantity} {request.symbol}",
        terms=order.terms,
        state=VenueState.SLEEPING if is_asleep else VenueState.WORKING,
    )


def _session_over(order: Order, step: Step, previous_at: datetime | None) -> bool:
    """Whether a DAY order has lived in an earlier session: it had a bar after its acceptance, and a new day begins."""
    if order.request.time_in_force is not TimeInForce.DAY or previous_at is None:
        return False
    lived = order.accepted_at is None or order.accepted_at < previous_at
    return lived and step.at.date() > previous_at.date()
