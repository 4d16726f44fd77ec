"""One step of the market, played through: the venue's reports first, then what the strategies want next.

The same function runs in the engine (on PostgreSQL) and over any other ledger; it has no clock and no I/O of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trading.domain.events import OrderEvent
from trading.domain.instruments import Instrument
from trading.domain.intake import is_news
from trading.domain.orders import (
    MARKET_PROTECTION_PERCENT,
    Mode,
    Order,
    OrderRequest,
    OrderType,
    Product,
    Side,
    TimeInForce,
)
from trading.execution.broker import BrokerAdapter
from trading.execution.sizing import order_for
from trading.marketdata.bars import Bar, Step
from trading.marketdata.history import History
from trading.risk.killswitch import TradingState
from trading.strategies.base import Strategy

MAX_ORDERS_A_STEP = 10  # of all strategies, their rate in market time; what is left is wanted again at the next bar


class Ledger(Protocol):
    """Where orders are booked; everything that one step books becomes true at once or not at all."""

    def open_orders(self) -> Sequence[Order]:
        """The orders that are not terminal, oldest first."""
        ...

    def holdings(self, account: str) -> Mapping[str, int]:
        """Shares by symbol."""
        ...

    def place(self, request: OrderRequest) -> Order:
        """Book a new order, denied by the risk check or not."""
        ...

    def append(self, order: Order, event: OrderEvent) -> Order:
        """Book an event of an order and return its new state."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What trades: strategies, and the broker that takes their orders."""

    broker: BrokerAdapter
    strategies: Sequence[Strategy]
    instruments: Mapping[str, Instrument]

    @property
    def window(self) -> int:
        """Closed bars that the hungriest strategy needs."""
        return max(strategy.window for strategy in self.strategies)

    def play(
        self,
        step: Step,
        previous_at: datetime | None,
        history: History,
        ledger: Ledger,
        feed_id: str,
        state: TradingState = TradingState.ACTIVE,
    ) -> None:
        """Book what the venue did in this step, then the orders that the strategies place after it.

        Args:
            previous_at: time of the step before, None at the first.
            history: closed bars including this step's.
            state: of the kill switch; strategies place nothing that it would deny at every bar.
        """
        latest = {order.order_id: order for order in ledger.open_orders()}
        working = [order for order in latest.values() if order.is_working]
        for report in self.broker.reports(step, previous_at, working):
            order = latest[report.order.order_id]
            if is_news(order, report.event):
                latest[order.order_id] = ledger.append(order, report.event)
        if state is TradingState.HALTED:
            return
        left = MAX_ORDERS_A_STEP
        for strategy in self.strategies:
            left -= self._decide(strategy, step, history, ledger, feed_id, left, state)

    def _decide(
        self,
        strategy: Strategy,
        step: Step,
        history: History,
        ledger: Ledger,
        feed_id: str,
        most: int,
        state: TradingState,
    ) -> int:
        """Place what a strategy wants, at most so many orders; returns how many."""
        holdings = ledger.holdings(strategy.name)
        busy = {o.request.symbol for o in ledger.open_orders() if o.request.account == strategy.name}
        placed = 0
        for bar in step.bars:
            bars = history.last(bar.symbol, strategy.window)
            if bars is None or bar.symbol in busy or placed == most:
                continue
            direction = strategy.direction(bars)
            held = holdings.get(bar.symbol, 0)
            wanted = order_for(direction, held, bar.close, self.instruments[bar.symbol])
            if wanted and (state is TradingState.ACTIVE or held * wanted[0].sign < 0):
                ledger.place(_request(strategy, step, bar, feed_id, self.broker.mode, *wanted))
                placed += 1
        return placed


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
        product=Product.CNC,
        time_in_force=TimeInForce.DAY,
        quantity=quantity,
        market_protection_percent=MARKET_PROTECTION_PERCENT,
        strategy_id=strategy.name,
        mode=mode,
    )
