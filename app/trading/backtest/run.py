"""One backtest: the broker, desk, risk checks, charges and book that trade live, over stored bars.

Two ways give the same orders. Step by step, each strategy is asked after every step, as the engine does. By arrays, a
strategy that can say all it wants at once does so, and only those moments are played at which something can happen: an
order is open, or what is wanted and what is held differ enough to be traded. What is played is played by the same code.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from trading.backtest.columns import Columns
from trading.backtest.ledger import MemoryLedger, Trade
from trading.backtest.moments import ArrayStrategy, Moments, StepHistory, arrays_of
from trading.backtest.orderlist import digest
from trading.costs.table import CostTable, nse_equity
from trading.domain.errors import TradingError
from trading.domain.orders import ZERO, Product
from trading.execution.desk import Desk, book_reports, decide
from trading.execution.paper import PaperBroker
from trading.execution.scenario import Scenario
from trading.execution.sizing import CAPITAL
from trading.marketdata.history import History
from trading.portfolio.equity import EquityPoint
from trading.risk.checks import Limits
from trading.strategies.arrays import Wants
from trading.strategies.base import Strategy

INTRADAY = timedelta(hours=1)  # bars longer than this do not tell when a session ends
Progress = Callable[[float], None]


class BacktestError(TradingError):
    """A backtest that cannot be run as it was asked for."""

    code = "BACKTEST_INVALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a run is made of beside its bars.

    Attributes:
        capital: rupees that each strategy begins with, and that its shares are shares of.
        by_arrays: whether strategies that can are played by arrays; the orders are the same.
    """

    strategies: Sequence[Strategy]
    scenario: Scenario = field(default_factory=Scenario)
    limits: Limits = field(default_factory=Limits)
    capital: Decimal = CAPITAL
    by_arrays: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came out.

    Attributes:
        equity: of all strategies together at the end of each session, rupees, after the capital before the first.
        orders: the order list, one line each in the order of placing.
        digest: of the order list.
        statuses: orders by their last state; `denials` by deny code.
        by_arrays: how it was played.
    """

    feed_id: str
    capital: Decimal
    bars: int
    steps: int
    equity: Sequence[EquityPoint]
    orders: Sequence[str]
    trades: Sequence[Trade]
    statuses: Mapping[str, int]
    denials: Mapping[str, int]
    by_arrays: bool

    @property
    def digest(self) -> str:
        """SHA-256 over the order list."""
        return digest(self.orders)


def silent(_: float) -> None:
    """Progress that nobody looks at."""


def run(columns: Columns, setup: Setup, progress: Progress = silent, costs: CostTable | None = None) -> Outcome:
    """Play all bars.

    Args:
        progress: called with the part that is done, 0 to 1, a hundred times or fewer.

    Raises:
        BacktestError: no strategy, two of one name, or an intraday one on bars that do not show the end of a session.
    """
    _check(columns, setup)
    costs = costs or nse_equity()
    ledger = MemoryLedger(columns, costs, setup.limits, setup.capital)
    broker = PaperBroker(setup.scenario, columns.instruments, costs)
    play = _Play(columns, setup, ledger, broker, progress)
    arrays = [arrays_of(strategy, columns) for strategy in setup.strategies] if setup.by_arrays else []
    fast = [one for one in arrays if one is not None]
    if fast and len(fast) == len(setup.strategies):
        play.moments(fast)
    else:
        play.steps()
    ledger.close()
    return Outcome(
        feed_id=columns.feed_id,
        capital=setup.capital * len(setup.strategies),
        bars=columns.bars,
        steps=len(columns.times),
        equity=play.equity,
        orders=ledger.lines,
        trades=ledger.trades,
        statuses=Counter({status.value: count for status, count in ledger.statuses.items()}),
        denials=ledger.denials,
        by_arrays=bool(fast) and len(fast) == len(setup.strategies),
    )


class _Play:
    """The loop of one run."""

    def __init__(
        self, columns: Columns, setup: Setup, ledger: MemoryLedger, broker: PaperBroker, progress: Progress
    ) -> None:
        self._columns = columns
        self._strategies = setup.strategies
        self._capital = setup.capital
        self._ledger = ledger
        self._broker = broker
        self._progress = progress
        self._symbols = list(columns.columns)
        self._ends = frozenset(_session_ends(columns))
        self._tick = max(1, len(columns.times) // 100)
        self.equity = [EquityPoint(columns.times[0], setup.capital * len(setup.strategies))]

    def steps(self) -> None:
        """Ask every strategy after every step."""
        desk = Desk(self._strategies, self._columns.instruments, capital=self._capital)
        history = History(desk.window)
        for number in range(1, len(self._columns.times) + 1):
            self._one(desk, history, number, self._symbols)
            if number % self._tick == 0:
                self._progress(number / len(self._columns.times))

    def moments(self, arrays: Sequence[Mapping[str, Wants]]) -> None:
        """Play only the steps, and of them only the symbols, at which something can happen."""
        last = len(self._columns.times)
        fast = [ArrayStrategy(s, self._columns, wants) for s, wants in zip(self._strategies, arrays, strict=True)]
        desk = Desk(fast, self._columns.instruments, capital=self._capital)
        history = StepHistory()
        finders = {
            (strategy.name, symbol): Moments(self._columns, symbol, wants[symbol], self._capital)
            for strategy, wants in zip(fast, arrays, strict=True)
            for symbol in wants
        }
        waiting = [(finder.next(0, 0), key) for key, finder in finders.items()]
        heapq.heapify(waiting)
        busy: set[tuple[str, str]] = set()
        ends = iter([*sorted(self._ends), last + 1])
        number, told, end = 0, 0, next(ends)
        while True:
            number = min(waiting[0][0] if waiting else end, number + 1 if busy else end, end)
            if number > last:
                return
            if number == end:
                end = next(ends)
            asked = set(busy)
            while waiting and waiting[0][0] == number:
                asked.add(heapq.heappop(waiting)[1])
            self._one(desk, history, number, sorted({symbol for _, symbol in asked}))
            busy = {(order.request.account, order.request.symbol) for order in self._ledger.open_orders()}
            for key in asked - busy:
                held = self._ledger.holdings(key[0]).get(key[1], 0)
                heapq.heappush(waiting, (finders[key].next(number, held), key))
            if number - told >= self._tick:
                told = number
                self._progress(number / last)

    def _one(self, desk: Desk, history: History, number: int, symbols: Sequence[str]) -> None:
        """One step, in the order of the roles: hand over, book what the venue did, decide."""
        previous = self._columns.times[number - 2] if number > 1 else None
        ledger, feed_id = self._ledger, self._columns.feed_id
        ledger.send(self._broker, previous)
        ledger.now = number
        if symbols:
            step = self._columns.step(number, symbols)
            history.push(step)
            book_reports(self._broker, step, previous, ledger)
            decide(desk, step, history, ledger, feed_id)
        if number in self._ends:
            equity = sum((ledger.equity(s.name) for s in self._strategies), ZERO)
            self.equity.append(EquityPoint(self._columns.times[number - 1], equity))


def _check(columns: Columns, setup: Setup) -> None:
    names = [strategy.name for strategy in setup.strategies]
    if not names:
        raise BacktestError("strategies: there is none; name one at least")
    if len(set(names)) != len(names):
        raise BacktestError(f"strategies={', '.join(names)}: two have the same name; rename one")
    intraday = [strategy.name for strategy in setup.strategies if strategy.product is Product.MIS]
    shortest = min((b - a for a, b in pairwise(columns.times)), default=timedelta(0)) if intraday else timedelta(0)
    if shortest > INTRADAY:
        raise BacktestError(
            f"strategy={intraday[0]}: trades intraday, bars are {shortest} apart; give bars of an hour or less"
        )


def _session_ends(columns: Columns) -> list[int]:
    """Numbers of the last steps of the days in India, ascending."""
    days = [at.toordinal() for at in columns.times]
    return [n for n, (day, after) in enumerate(zip(days, [*days[1:], 0], strict=True), start=1) if day != after]
