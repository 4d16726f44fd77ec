"""The way of orders to the venue and of its word back: what is to be sent is booked before, the answer after.

A crash at any point leaves a note that is followed up, and nothing is sent twice: an order that was noted as submitted
is only asked for from then on; cancels and changes are repeated, which a venue takes as one.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from prometheus_client import Counter, Gauge

from trading.domain.events import Cancelled, OrderEvent, OutcomeUnknown, Submitted
from trading.domain.orders import Order, Status, Terms
from trading.execution.broker import BrokerAdapter, VenueOrder, VenueState, tag_of
from trading.execution.reconcile import compare
from trading.risk.killswitch import TradingState
from trading.risk.rate import OrderRate

log = logging.getLogger(__name__)
DOUBT = Counter("trading_broker_unknown_total", "Calls of the broker with an unknown outcome", ["call"])
ALARMS = Gauge("trading_reconciliation_alarms", "Orders at the venue and in our books that contradict each other")

SEND_WITHIN = timedelta(seconds=5)  # after its note; later somebody else may be asking for it already
ASK_AGAIN = timedelta(seconds=2)
CANCEL = "cancel"

Booking = tuple[Order, OrderEvent]


class Books(Protocol):
    """Where orders are kept; `book` is one transaction."""

    def current(self) -> Sequence[Order]:
        """The orders that are not over, oldest first, with everything that anybody has booked so far."""
        ...

    def new_orders(self) -> Sequence[Order]:
        """The orders that nobody has submitted yet, oldest first."""
        ...

    def tagged(self, tags: Sequence[str]) -> Sequence[Order]:
        """The orders that bear these tags, over or not."""
        ...

    def book(self, events: Sequence[Booking]) -> Sequence[Order]:
        """Book what is news, on the newest state of each order; returns the orders to which something was added."""
        ...

    def halt(self, reason: str) -> None:
        """Stop the trading because books and venue contradict each other."""
        ...


def steady_clock() -> datetime:
    """A time that never jumps, of no particular day."""
    return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=time.monotonic())


class Dispatcher:
    """See the module. What it keeps in memory only spares the venue calls.

    Args:
        clock: a time that never jumps.
    """

    def __init__(self, broker: BrokerAdapter, books: Books, clock: Callable[[], datetime] = steady_clock) -> None:
        self._broker = broker
        self._books = books
        self._clock = clock
        self._rate = OrderRate()
        self._asked: dict[UUID, tuple[str | Terms, datetime]] = {}
        self._settled: dict[str, tuple[VenueState, int]] = {}
        self._suspects: frozenset[str] = frozenset()
        self._halted_for: frozenset[str] = frozenset()

    def submit(self, market_time: datetime | None, state: TradingState) -> None:
        """Hand over what is new, as fast as the venue's rate lets; halted, it is cancelled instead."""
        new = self._books.new_orders()
        if state is TradingState.HALTED:
            self._book((order, Cancelled("halted before it was sent")) for order in new)
            return
        if self._broker.max_orders_a_second is None:
            self._send(new, market_time)
            return
        for order in new:  # one by one: a slow venue must not keep the answers of the others
            if not self._has_room():
                return
            self._send([order], market_time)

    def ask(self, market_time: datetime | None) -> None:
        """Hand over the cancels and changes that are asked for, again after a while without an answer."""
        answers: list[Booking] = []
        asked = self._asked
        self._asked = {}
        for order in self._books.current():
            wanted = CANCEL if order.is_cancel_requested else order.change
            if wanted is None or order.venue_order_id is None:
                continue
            last, at = asked.get(order.order_id, (None, self._clock()))
            if last == wanted and self._clock() - at < ASK_AGAIN:
                self._asked[order.order_id] = wanted, at
                continue
            if isinstance(wanted, Terms) and not self._has_room():
                continue  # a cancel never waits
            self._asked[order.order_id] = wanted, self._clock()
            self._rate = self._rate.after(self._clock())
            answer = (
                self._broker.modify(order, wanted, market_time)
                if isinstance(wanted, Terms)
                else self._broker.cancel(order, market_time)
            )
            if isinstance(answer, OutcomeUnknown):
                DOUBT.labels("modify" if isinstance(wanted, Terms) else "cancel").inc()
            elif answer is not None:
                answers.append((order, answer))
        self._book(answers)

    def reconcile(self, market_time: datetime | None) -> None:
        """Book what the venue has done, ask for what is in doubt, and halt when twice in a row nothing explains it."""
        working = [order for order in self._books.current() if order.is_working]
        theirs = self._broker.snapshot(working, market_time)
        if theirs is None:
            return
        self._compare(theirs, market_time)
        sent = [order for order in self._books.current() if order.status is not Status.INITIALIZED]
        doubtful = [order for order in sent if order.venue_order_id is None]
        answers = [(order, self._broker.query(order, market_time)) for order in doubtful]
        self._book((order, answer) for order, answer in answers if answer is not None)

    def _send(self, new: Sequence[Order], market_time: datetime | None) -> None:
        noted_at = self._clock()
        answers: list[Booking] = []
        for order in self._book((order, Submitted()) for order in new):
            if self._clock() - noted_at > SEND_WITHIN:
                answers.append((order, Cancelled("not sent in time after it was noted")))
                continue
            self._rate = self._rate.after(self._clock())
            answer = self._broker.submit(order, market_time)
            if isinstance(answer, OutcomeUnknown):
                DOUBT.labels("submit").inc()
            answers.append((order, answer))
        self._book(answers)

    def _compare(self, theirs: Sequence[VenueOrder], market_time: datetime | None) -> None:
        ours = {tag_of(order): order for order in self._books.current()}
        told = [one for one in theirs if one.tag in ours or self._settled.get(one.tag) != _place(one)]
        closed = self._books.tagged([one.tag for one in told if one.tag and one.tag not in ours])
        findings = compare([*ours.values(), *closed], told, market_time)
        self._book((report.order, report.event) for report in findings.news)
        alarms = frozenset(findings.alarms)
        self._judge(alarms)
        if not alarms:
            still_open = {tag_of(order) for order in self._books.current()}
            self._settled = {one.tag: _place(one) for one in theirs if one.tag not in still_open}

    def _judge(self, alarms: frozenset[str]) -> None:
        """Halt for what two snapshots in a row say: one may have been taken amid a change."""
        certain = alarms & self._suspects
        self._suspects = alarms
        ALARMS.set(len(certain))
        for alarm in sorted(certain - self._halted_for):
            log.error("the venue and our books contradict each other", extra={"alarm": alarm})
            self._books.halt(alarm)
        self._halted_for |= certain

    def _has_room(self) -> bool:
        most = self._broker.max_orders_a_second
        return most is None or self._rate.count(self._clock()) < most

    def _book(self, events: Iterable[Booking]) -> Sequence[Order]:
        listed = list(events)
        return self._books.book(listed) if listed else []


def _place(order: VenueOrder) -> tuple[VenueState, int]:
    """What changes when anything happens to an order that is over in our books."""
    return order.state, len(order.trades)
