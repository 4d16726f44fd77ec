"""The engine role: after each step that has been played the strategies decide, and their orders are placed."""

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal

from prometheus_client import Counter, Gauge, Histogram

from trading.cache.client import Cache
from trading.domain.errors import TradingError
from trading.domain.orders import Product
from trading.execution.desk import Desk, Signal, decide
from trading.marketdata.bars import Step
from trading.marketdata.history import History, Market
from trading.risk.checks import Limits
from trading.services.bars import BarReader
from trading.services.books import StrategyBooks
from trading.services.leader import Reign
from trading.services.modelwatch import ModelWatch, forget
from trading.storage import orders, strategies
from trading.storage.bars import last_bars, saved_step
from trading.storage.market import Progress, active_progress, decided_step, instruments, save_decided
from trading.storage.signals import save_signals
from trading.storage.strategies import StrategyRow
from trading.storage.tradingstate import trading_state
from trading.storage.wakeups import DECIDED, PLAYED, announce, listen, wait
from trading.strategies.base import Strategy, Target
from trading.strategies.registry import DEFAULTS, build

log = logging.getLogger(__name__)
STEP = Gauge("trading_engine_step", "Number of the last step decided on")
STEP_SECONDS = Histogram(
    "trading_engine_step_seconds", "Time to decide on a step, commit included", buckets=(0.005, 0.02, 0.05, 0.2, 1, 5)
)
SIGNALS = Counter("trading_signals_total", "Signals that changed", ["strategy"])
FAILURES = Counter("trading_strategy_failures_total", "Times that a strategy could not be made or asked", ["strategy"])
ENABLED = Gauge("trading_strategy_enabled", "1 for a strategy that trades", ["strategy"])

POLL_S = 0.5  # the wake-up comes sooner


class Engine:
    """See the module."""

    def __init__(self, cache: Cache, limits: Limits) -> None:
        self._cache = cache
        self._limits = limits

    def lead(self, reign: Reign) -> None:
        """Decide until done; another feed or other strategies end one round and begin the next."""
        listen(reign.connection, PLAYED)
        with reign.writing():
            strategies.seed(reign.connection, [StrategyRow(d.name, d.kind, d.enabled, d.parameters) for d in DEFAULTS])
        while not reign.done():
            progress = active_progress(reign.connection)
            if progress is None:
                reign.alive()
                reign.pause(POLL_S)
                continue
            _Round(reign, progress, self._limits).run(self._cache)


class _Round:
    """One feed and one set of strategies."""

    def __init__(self, reign: Reign, progress: Progress, limits: Limits) -> None:
        self._limits = limits
        self._reign = reign
        self._connection = reign.connection
        self._feed_id = progress.feed_id
        self._rows = strategies.strategies(self._connection)
        self._desk = Desk(_built(self._rows), instruments(self._connection))
        self._history = History(self._desk.window)
        self._after = self._warm_up(progress)
        self._decided = decided_step(self._connection, self._feed_id)
        self._signals: dict[tuple[str, str], Decimal] = {}

    def run(self, cache: Cache) -> None:
        """Until done, or until feed or strategies have changed."""
        with self._reign.writing():
            for row in self._rows:
                orders.open_account(self._connection, row.name)
        log.info("deciding", extra={"feed": self._feed_id, "step": self._decided, "strategies": self._names()})
        with BarReader(cache, self._feed_id, self._after) as reader:
            while not self._reign.done():
                played = active_progress(self._connection)
                if played is None or played.feed_id != self._feed_id:
                    return
                if played.step <= self._decided:
                    wait(self._connection, POLL_S)
                else:
                    if strategies.strategies(self._connection) != self._rows:
                        return
                    if step := self._read(reader, played.step):
                        self._decide(step)
                self._reign.alive()

    def _warm_up(self, progress: Progress) -> int:
        """Fill the history with bars that are kept, of before the step played last; the number of their last step.

        What follows comes from the stream, which need not reach back any further.
        """
        if progress.at is None:  # nothing is played yet, however much is kept already: it is all in the future
            return 0
        kept = saved_step(self._connection, self._feed_id)
        self._history.fill(last_bars(self._connection, self._feed_id, self._desk.window, progress.at))
        return max(0, min(kept, progress.step - 1))

    def _names(self) -> Sequence[str]:
        return [strategy.name for strategy in self._desk.strategies]

    def _read(self, reader: BarReader, number: int) -> Step | None:
        """The bars up to and with a step; None when they are not all there yet."""
        while step := reader.get(POLL_S):
            self._history.push(step)
            if step.number >= number:
                return step
        return None

    def _decide(self, step: Step) -> None:
        """What the strategies want, the orders for it, and the note that the step is decided, in one transaction."""
        with STEP_SECONDS.time(), self._reign.writing():
            ledger = StrategyBooks(self._connection, self._limits)
            state = trading_state(self._connection)
            wanted = decide(self._desk, step, self._history, ledger, self._feed_id, state)
            news = [signal for signal in wanted if self._is_news(signal)]
            save_signals(self._connection, self._feed_id, step, news)
            save_decided(self._connection, self._feed_id, step.number)
            announce(self._connection, DECIDED)
        for signal in news:
            self._signals[signal.strategy, signal.symbol] = signal.target.share
            SIGNALS.labels(signal.strategy).inc()
        STEP.set(step.number)
        self._decided = step.number

    def _is_news(self, signal: Signal) -> bool:
        return self._signals.get((signal.strategy, signal.symbol)) != signal.target.share


class _Guarded:
    """A strategy whose failure costs its own signals only: the market and the other strategies go on."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._watch = ModelWatch(strategy)
        self._failed = False

    @property
    def name(self) -> str:
        """See `Strategy.name`."""
        return self._strategy.name

    @property
    def kind(self) -> str:
        """See `Strategy.kind`."""
        return self._strategy.kind

    @property
    def window(self) -> int:
        """See `Strategy.window`."""
        return self._strategy.window

    @property
    def product(self) -> Product:
        """See `Strategy.product`."""
        return self._strategy.product

    def targets(self, market: Market) -> Mapping[str, Target]:
        """See `Strategy.targets`; nothing when it fails, which is logged when it begins."""
        try:
            wanted = self._strategy.targets(market)
            self._watch.look(market)
        except Exception as error:  # a plug-in of somebody else may raise anything
            FAILURES.labels(self.name).inc()
            if not self._failed:
                log.error("strategy fails", extra={"strategy": self.name, "error": f"{type(error).__name__}: {error}"})
            self._failed = True
            return {}
        self._failed = False
        return wanted


def _built(rows: Sequence[StrategyRow]) -> list[Strategy]:
    """The enabled strategies, but for those that cannot be made."""
    built: list[Strategy] = []
    forget()
    for row in rows:
        ENABLED.labels(row.name).set(row.enabled)
        if not row.enabled:
            continue
        try:
            built.append(_Guarded(build(row.kind, row.name, row.parameters)))
        except TradingError as error:
            FAILURES.labels(row.name).inc()
            log.error("strategy cannot be made", extra={"strategy": row.name, "error": str(error)})
    return built
