"""One step of the market, played through: the venue's reports first, then what the strategies want next.

The same two functions run in the engine (on PostgreSQL) and over any other ledger; they have no clock and no I/O of
their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import NamedTuple, Protocol

from trading.domain.events import OrderEvent
from trading.domain.instruments import Instrument
from trading.domain.intake import is_news
from trading.domain.orders import (
    MARKET_PROTECTION_PERCENT,
    ZERO,
    Mode,
    Order,
    OrderRequest,
    OrderType,
    Product,
    Side,
    TimeInForce,
)
from trading.execution.broker import BrokerAdapter
from trading.execution.sizing import CAPITAL, order_for
from trading.marketdata.bars import IST, Bar, Step
from trading.marketdata.history import History
from trading.risk.killswitch import TradingState
from trading.strategies.base import Strategy, Target

MAX_ORDERS_A_STEP = 10  # of all strategies, their rate in market time; what is left is wanted again at the next bar
# Intraday strategies go flat by themselves before the scheduler closes what is left; begin of the bar that decides it.
FLAT_FROM = time(15, 14)


class Reported(Protocol):
    """Where the venue's reports are booked; everything that one step books becomes true at once or not at all."""

    def open_orders(self) -> Sequence[Order]:
        """The orders that are not terminal, oldest first."""
        ...

    def append(self, order: Order, event: OrderEvent) -> Order:
        """Book an event of an order and return its new state."""
        ...


class Decided(Protocol):
    """Where the orders of strategies are booked."""

    def open_orders(self) -> Sequence[Order]:
        """The orders that are not terminal, oldest first."""
        ...

    def holdings(self, account: str) -> Mapping[str, int]:
        """Shares by symbol, below 0 when short."""
        ...

    def place(self, request: OrderRequest) -> Order:
        """Book a new order, denied by the risk check or not."""
        ...


class Ledger(Reported, Decided, Protocol):
    """Both."""


class Signal(NamedTuple):
    """What a strategy wants of a symbol after a step."""

    strategy: str
    symbol: str
    target: Target


@dataclass(frozen=True, slots=True)
class Desk:
    """What decides: strategies, the instruments that they may trade, and what their orders are for.

    Attributes:
        mode: of the orders.
        capital: rupees that each strategy's shares are shares of.
    """

    strategies: Sequence[Strategy]
    instruments: Mapping[str, Instrument]
    mode: Mode = Mode.PAPER
    capital: Decimal = CAPITAL

    @property
    def window(self) -> int:
        """Closed bars that the hungriest strategy needs."""
        return max((strategy.window for strategy in self.strategies), default=0)


def book_reports(broker: BrokerAdapter, step: Step, previous_at: datetime | None, ledger: Reported) -> None:
    """Book what the venue did up to and in a step.

    Args:
        previous_at: time of the step before, None at the first.
    """
    latest = {order.order_id: order for order in ledger.open_orders()}
    working = [order for order in latest.values() if order.is_working]
    for report in broker.reports(step, previous_at, working):
        order = latest[report.order.order_id]
        if is_news(order, report.event):
            latest[order.order_id] = ledger.append(order, report.event)


def decide(
    desk: Desk,
    step: Step,
    history: History,
    ledger: Decided,
    feed_id: str,
    state: TradingState = TradingState.ACTIVE,
) -> list[Signal]:
    """Book the orders that the strategies place after a step; returns what they want.

    Args:
        history: closed bars including this step's.
        state: of the kill switch; strategies place nothing that it would deny at every bar.
    """
    signals: list[Signal] = []
    left = 0 if state is TradingState.HALTED else MAX_ORDERS_A_STEP
    for strategy in desk.strategies:
        targets = _targets(strategy, step, history)
        signals += [Signal(strategy.name, symbol, target) for symbol, target in targets.items()]
        if left and targets:
            left -= _place(desk, strategy, step, targets, ledger, feed_id, left, state)
    return signals


def _targets(strategy: Strategy, step: Step, history: History) -> Mapping[str, Target]:
    if strategy.product is Product.MIS and step.at.astimezone(IST).time() >= FLAT_FROM:
        flat = Target(ZERO, {"reason": "the session ends"})
        return {bar.symbol: flat for bar in step.bars}
    return strategy.targets(history.market(step, strategy.window))


def _place(
    desk: Desk,
    strategy: Strategy,
    step: Step,
    targets: Mapping[str, Target],
    ledger: Decided,
    feed_id: str,
    most: int,
    state: TradingState,
) -> int:
    """Place what a strategy wants, at most so many orders; returns how many."""
    holdings = ledger.holdings(strategy.name)
    busy = {o.request.symbol for o in ledger.open_orders() if o.request.account == strategy.name}
    placed = 0
    for bar in step.bars:
        target = targets.get(bar.symbol)
        if target is None or bar.symbol in busy or placed == most:
            continue
        held = holdings.get(bar.symbol, 0)
        instrument = desk.instruments[bar.symbol]
        wanted = order_for(target.share, held, bar.close, instrument, strategy.product, desk.capital)
        if wanted and state is not TradingState.ACTIVE:
            wanted = _shrinking(held, *wanted)
        if wanted:
            ledger.place(_request(strategy, step, bar, feed_id, desk.mode, *wanted))
            placed += 1
    return placed


def _shrinking(held: int, side: Side, quantity: int) -> tuple[Side, int] | None:
    """What of an order makes a holding smaller, or None."""
    return (side, min(quantity, abs(held))) if held * side.sign < 0 else None


def _request(
    strategy: Strategy, step: Step, bar: Bar, feed_id: str, mode: Mode, side: Side, quantity: int
) -> OrderRequest:
    """The order's name is a function of why it exists, so that a repeated step cannot make another."""
    return OrderRequest(
        account=strategy.name,
        client_order_id=f"{strategy.name}-{feed_id}-{step.number}-{bar.symbol}",
        symbol=bar.symbol,
        side=side,
        order_type=OrderType.MARKET,
        product=strategy.product,
        time_in_force=TimeInForce.DAY,
        quantity=quantity,
        market_protection_percent=MARKET_PROTECTION_PERCENT,
        strategy_id=strategy.name,
        mode=mode,
    )
