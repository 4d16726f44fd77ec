"""One reign of a leading engine: replay, reconcile, then trade step by step."""

import logging
import time
from collections.abc import Callable, Sequence

from prometheus_client import Counter, Gauge, Histogram

from trading.cache.client import Cache
from trading.domain.errors import IllegalTransition
from trading.domain.orders import Order
from trading.execution.broker import BrokerAdapter
from trading.execution.desk import Desk, book_reports, decide
from trading.execution.dispatch import Dispatcher
from trading.execution.paper import PaperBroker
from trading.execution.scenario import Scenario
from trading.marketdata.bars import Step
from trading.marketdata.history import History
from trading.risk.checks import Limits
from trading.services.bars import BarReader
from trading.services.books import PostgresBooks, halt
from trading.storage import orders
from trading.storage.connection import Connection
from trading.storage.leadership import require_token
from trading.storage.market import Progress, active_progress, instruments, save_progress
from trading.storage.tradingstate import trading_state
from trading.strategies.registry import DEFAULTS, build

log = logging.getLogger(__name__)
STEP = Gauge("trading_engine_step", "Number of the last step played")
STEP_SECONDS = Histogram(
    "trading_engine_step_seconds", "Time to play a step, commit included", buckets=(0.005, 0.02, 0.05, 0.2, 1, 5)
)
MISSED = Counter("trading_engine_missed_steps_total", "Steps that were gone from the stream before they were read")

POLL_S = 0.2  # how long a new order of the API may wait
FEED_CHECK_S = 2.0


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
        ledger = PostgresBooks(self._connection, self._token, self._open_orders(), Limits())
        dispatcher = Dispatcher(broker, ledger)
        log.info("trading", extra={"feed": progress.feed_id, "step": progress.step, "open": len(ledger.open_orders())})
        dispatcher.reconcile(progress.at)
        history = History(desk.window)
        check_at = time.monotonic() + FEED_CHECK_S
        last = max(0, progress.step - desk.window)
        with BarReader(self._cache, progress.feed_id, last) as reader:
            while not done():
                step = reader.get(POLL_S)
                dispatcher.submit(progress.at, trading_state(self._connection))
                dispatcher.ask(progress.at)
                if step:
                    _count_missed(last, step.number)
                    last = step.number
                    history.push(step)
                    progress = self._play(desk, broker, ledger, history, progress, step)
                self._alive()
                if time.monotonic() >= check_at or broker.has_news():
                    check_at = time.monotonic() + FEED_CHECK_S
                    dispatcher.reconcile(progress.at)
                    active = active_progress(self._connection)
                    if active and active.feed_id != progress.feed_id:
                        return

    def _open_orders(self) -> Sequence[Order]:
        """The open orders from their events; where these contradict the rows, nothing is traded any more."""
        try:
            return orders.replay_open(self._connection)
        except IllegalTransition as error:
            halt(self._connection, self._token, str(error))
            raise

    def _play(
        self,
        desk: Desk,
        broker: BrokerAdapter,
        ledger: PostgresBooks,
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
            ledger.catch_up()
            book_reports(broker, step, progress.at, ledger)
            decide(desk, step, history, ledger, progress.feed_id, trading_state(self._connection))
        STEP.set(step.number)
        return Progress(progress.feed_id, step.number, step.at)


def _count_missed(last: int, number: int) -> None:
    """Say so when the stream no longer had what comes between two steps: signals may differ from then on."""
    if number > last + 1:
        MISSED.inc(number - last - 1)
        log.warning("steps are gone from the stream", extra={"after": last, "next": number})
