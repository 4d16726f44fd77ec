"""The execution role: hands orders to the broker, books what it answers, and plays the market to it step by step."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack

from prometheus_client import Gauge, Histogram

from trading.cache.client import Cache
from trading.domain.errors import IllegalTransition, TradingError
from trading.domain.instruments import Instrument
from trading.domain.orders import Order
from trading.execution.broker import BrokerAdapter
from trading.execution.desk import book_reports
from trading.execution.dispatch import Dispatcher
from trading.marketdata.bars import Step
from trading.services.bars import BarReader
from trading.services.books import PostgresBooks, halt
from trading.services.leader import Reign
from trading.storage import orders
from trading.storage.broker import Broker, enter
from trading.storage.market import Progress, active_progress, decided_step, instruments, save_progress
from trading.storage.tradingstate import trading_state
from trading.storage.wakeups import DECIDED, PLAYED, announce, listen, wait

log = logging.getLogger(__name__)
STEP = Gauge("trading_execution_step", "Number of the last step played")
STEP_SECONDS = Histogram(
    "trading_execution_step_seconds", "Time to play a step, commit included", buckets=(0.005, 0.02, 0.05, 0.2, 1, 5)
)
WAITING = Gauge("trading_execution_waiting", "1 while the market waits for the engine to decide on the last step")

POLL_S = 0.2  # how long a new order may wait when nobody has said that it does
CHECK_S = 2.0

OpenBroker = Callable[[Mapping[str, Instrument]], AbstractContextManager[BrokerAdapter]]


class BookDisagrees(TradingError):
    """The events of an order and its row contradict each other, so that nothing is traded on the book."""

    code = "BOOK_DISAGREES"


class Execution:
    """See the module.

    Args:
        open_broker: from the instruments on record to the venue, until the body ends.
        wanted: what is opened so.
    """

    def __init__(self, cache: Cache, open_broker: OpenBroker, wanted: Broker) -> None:
        self._cache = cache
        self._open_broker = open_broker
        self._wanted = wanted

    def lead(self, reign: Reign) -> None:
        """Trade the active feed until done; a change of feed ends one round and begins the next.

        The broker is open as long as this leads; it is opened anew when other instruments are listed.

        Raises:
            BookDisagrees: the kill switch is on now.
            BrokerRefused: the broker cannot take over what is in the books.
        """
        with reign.writing():
            is_other = enter(reign.connection, self._wanted)
        if is_other:
            log.warning("orders go to another broker", extra={"broker": self._wanted.name, "mode": self._wanted.mode})
        listen(reign.connection, DECIDED)
        with ExitStack() as stack:
            listed: Mapping[str, Instrument] | None = None
            while not reign.done():
                progress = active_progress(reign.connection)
                if progress is None:
                    reign.alive()
                    reign.pause(POLL_S)
                    continue
                books = PostgresBooks(reign.connection, reign.token, _open_orders(reign))
                found = instruments(reign.connection)
                if found != listed:
                    stack.close()
                    broker, listed = stack.enter_context(self._open_broker(found)), found
                _Round(reign, broker, books, progress).run(self._cache)


class _Round:
    """One feed, traded from where its progress is."""

    def __init__(self, reign: Reign, broker: BrokerAdapter, books: PostgresBooks, progress: Progress) -> None:
        self._reign = reign
        self._connection = reign.connection
        self._broker = broker
        self._books = books
        self._dispatcher = Dispatcher(broker, books)
        self._progress = progress
        self._decided = 0

    def run(self, cache: Cache) -> None:
        """Until done, or until another feed is active."""
        feed_id, open_orders = self._progress.feed_id, len(self._books.open_orders())
        log.info("trading", extra={"feed": feed_id, "step": self._progress.step, "open": open_orders})
        check_at = time.monotonic()
        with BarReader(cache, feed_id, self._progress.step, hears_orders=True) as reader:
            while not self._reign.done():
                if time.monotonic() >= check_at or self._broker.has_news():
                    check_at = time.monotonic() + CHECK_S
                    self._dispatcher.reconcile(self._progress.at)
                    active = active_progress(self._connection)
                    if active and active.feed_id != feed_id:
                        return
                # Before the orders are looked at, so that none of a decided step is overlooked.
                is_decided = self._is_decided()
                self._hand_over()
                if not is_decided:
                    wait(self._connection, POLL_S)
                elif step := reader.get(POLL_S):
                    self._hand_over()
                    self._play(step)
                self._reign.alive()

    def _is_decided(self) -> bool:
        """Whether the strategies have seen the last step: the market waits for them, so that every run is the same."""
        if self._decided < self._progress.step:
            self._decided = decided_step(self._connection, self._progress.feed_id)
        is_decided = self._decided >= self._progress.step
        WAITING.set(not is_decided)
        return is_decided

    def _hand_over(self) -> None:
        self._dispatcher.submit(self._progress.at, trading_state(self._connection))
        self._dispatcher.ask(self._progress.at)

    def _play(self, step: Step) -> None:
        """Everything that the venue does in a step and the note that it is played, in one transaction."""
        if step.number <= self._progress.step:
            return
        feed_id = self._progress.feed_id
        with STEP_SECONDS.time(), self._reign.writing():
            save_progress(self._connection, feed_id, step)
            self._books.catch_up()
            book_reports(self._broker, step, self._progress.at, self._books)
            announce(self._connection, PLAYED)
        STEP.set(step.number)
        self._progress = Progress(feed_id, step.number, step.at)


def _open_orders(reign: Reign) -> Sequence[Order]:
    """The open orders from their events; where these contradict the rows, nothing is traded any more."""
    try:
        with reign.connection.transaction():
            # All of one moment: between its row and its events the API may book a cancel of an order.
            reign.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return orders.replay_open(reign.connection)
    except IllegalTransition as error:
        halt(reign.connection, reign.token, str(error))
        raise BookDisagrees(str(error)) from error
