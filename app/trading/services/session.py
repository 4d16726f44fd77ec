"""One reign of a leading engine: replay, reconcile, then trade step by step."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter, Gauge, Histogram

from trading.cache.client import Cache
from trading.domain.errors import IllegalTransition
from trading.domain.events import Cancelled, OrderEvent, Submitted
from trading.domain.intake import is_news
from trading.domain.orders import Order, OrderRequest, Status
from trading.execution.broker import BrokerAdapter
from trading.execution.desk import Desk, book_reports, decide
from trading.execution.paper import PaperBroker
from trading.execution.scenario import Scenario
from trading.marketdata.bars import Step
from trading.marketdata.history import History
from trading.risk.checks import Limits
from trading.risk.killswitch import Cause, TradingState, tighten
from trading.services.bars import BarReader
from trading.storage import orders
from trading.storage.connection import Connection
from trading.storage.leadership import require_token
from trading.storage.market import Progress, active_progress, instruments, save_progress
from trading.storage.tradingstate import lock_state, record, trading_state
from trading.strategies.registry import DEFAULTS, build

log = logging.getLogger(__name__)
STEP = Gauge("trading_engine_step", "Number of the last step played")
STEP_SECONDS = Histogram(
    "trading_engine_step_seconds", "Time to play a step, commit included", buckets=(0.005, 0.02, 0.05, 0.2, 1, 5)
)
EVENTS = Counter("trading_order_events_total", "Order events booked by this engine", ["kind"])
MISSED = Counter("trading_engine_missed_steps_total", "Steps that were gone from the stream before they were read")

POLL_S = 0.2  # how long a new order of the API may wait
FEED_CHECK_S = 2.0


class PostgresLedger:
    """A `Ledger` on the session's connection, with the open orders at hand."""

    def __init__(self, connection: Connection, open_orders: Iterable[Order], limits: Limits) -> None:
        self._connection = connection
        self._open: dict[UUID, Order] = {order.order_id: order for order in open_orders}
        self._limits = limits

    def open_orders(self) -> Sequence[Order]:
        """See `Ledger.open_orders`."""
        return list(self._open.values())

    def holdings(self, account: str) -> Mapping[str, int]:
        """See `Ledger.holdings`."""
        return orders.holdings(self._connection, account)

    def place(self, request: OrderRequest) -> Order:
        """See `Ledger.place`."""
        order, _ = orders.place(self._connection, request, self._limits, paced=True)
        self._keep(order)
        return order

    def append(self, order: Order, event: OrderEvent) -> Order:
        """See `Ledger.append`."""
        after = orders.append(self._connection, order, event)
        EVENTS.labels(event.kind).inc()
        self._keep(after)
        return after

    def _keep(self, order: Order) -> None:
        if order.is_open:
            self._open[order.order_id] = order
        else:
            self._open.pop(order.order_id, None)


class Session:
    """See the module. Any error ends it; what was in memory is then worth nothing.

    Args:
        token: fencing token; every transaction proves it.
        alive: called whenever all is well: it trades, or waits for a feed.
    """

    def __init__(
        self, connection: Connection, token: int, cache: Cache, *, seed: int, alive: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._token = token
        self._cache = cache
        self._seed = seed
        self._alive = alive

    def run(self, done: Callable[[], bool]) -> None:
        """Trade the active feed until done; a change of feed ends one round and begins the next."""
        while not done():
            progress = active_progress(self._connection)
            if progress is None:
                self._alive()
                time.sleep(POLL_S)
                continue
            self._trade(progress, done)

    def _trade(self, progress: Progress, done: Callable[[], bool]) -> None:
        listed = instruments(self._connection)
        desk = Desk([build(i.kind, i.name, i.parameters) for i in DEFAULTS if i.enabled], listed)
        broker = PaperBroker(Scenario(seed=self._seed), listed)
        with self._connection.writing():
            require_token(self._connection, self._token)
            for strategy in desk.strategies:
                orders.open_account(self._connection, strategy.name)
        ledger = PostgresLedger(self._connection, self._open_orders(), Limits())
        log.info("trading", extra={"feed": progress.feed_id, "step": progress.step, "open": len(ledger.open_orders())})
        self._reconcile(broker, ledger, progress.at)
        history = History(desk.window)
        check_at = time.monotonic() + FEED_CHECK_S
        last = max(0, progress.step - desk.window)
        with BarReader(self._cache, progress.feed_id, last) as reader:
            while not done():
                step = reader.get(POLL_S)
                self._submit(broker, ledger, progress.at)
                if step:
                    _count_missed(last, step.number)
                    last = step.number
                    history.push(step)
                    progress = self._play(desk, broker, ledger, history, progress, step)
                self._alive()
                if time.monotonic() >= check_at:
                    check_at = time.monotonic() + FEED_CHECK_S
                    self._reconcile(broker, ledger, progress.at)
                    active = active_progress(self._connection)
                    if active and active.feed_id != progress.feed_id:
                        return

    def _open_orders(self) -> Sequence[Order]:
        """The open orders from their events; where these contradict the rows, nothing is traded any more."""
        try:
            return orders.replay_open(self._connection)
        except IllegalTransition as error:
            with self._connection.writing():
                require_token(self._connection, self._token)
                state = lock_state(self._connection)
                change = tighten(state, TradingState.HALTED, Cause.RECONCILIATION, str(error), "engine")
                if change:
                    record(self._connection, change)
            raise

    def _reconcile(self, broker: BrokerAdapter, ledger: PostgresLedger, market_time: datetime | None) -> None:
        """Ask the broker about every order whose answer we do not have."""
        doubtful = [o for o in ledger.open_orders() if o.venue_order_id is None and o.status is not Status.INITIALIZED]
        answers = [(order, broker.query(order, market_time)) for order in doubtful]
        self._book(ledger, [(order, event) for order, event in answers if event])

    def _submit(self, broker: BrokerAdapter, ledger: PostgresLedger, market_time: datetime | None) -> None:
        """Hand new orders to the broker: noted before, answered after, so that a crash between leaves a question."""
        new = orders.initialized(self._connection)
        if new and trading_state(self._connection) is TradingState.HALTED:
            self._book(ledger, [(order, Cancelled("halted before it was sent")) for order in new])
            return
        submitted = self._book(ledger, [(order, Submitted()) for order in new])
        self._book(ledger, [(order, broker.submit(order, market_time)) for order in submitted])

    def _book(self, ledger: PostgresLedger, events: Sequence[tuple[Order, OrderEvent]]) -> list[Order]:
        if not events:
            return []
        with self._connection.writing():
            require_token(self._connection, self._token)
            return [ledger.append(order, event) for order, event in events if is_news(order, event)]

    def _play(
        self,
        desk: Desk,
        broker: BrokerAdapter,
        ledger: PostgresLedger,
        history: History,
        progress: Progress,
        step: Step,
    ) -> Progress:
        """Everything that a step causes and the note that it is played, in one transaction."""
        if step.number <= progress.step:
            return progress
        with STEP_SECONDS.time(), self._connection.writing():
            require_token(self._connection, self._token)
            save_progress(self._connection, progress.feed_id, step)
            book_reports(broker, step, progress.at, ledger)
            decide(desk, step, history, ledger, progress.feed_id, trading_state(self._connection))
        STEP.set(step.number)
        return Progress(progress.feed_id, step.number, step.at)


def _count_missed(last: int, number: int) -> None:
    """Say so when the stream no longer had what comes between two steps: signals may differ from then on."""
    if number > last + 1:
        MISSED.inc(number - last - 1)
        log.warning("steps are gone from the stream", extra={"after": last, "next": number})
