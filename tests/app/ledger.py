"""A ledger in memory, to run the desk without a database, and the digest of what it has booked."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from trading.backtest.orderlist import line
from trading.domain.events import Denied, Filled, Initialized, OrderEvent, Submitted
from trading.domain.instruments import Instrument
from trading.domain.lifecycle import apply, start
from trading.domain.orders import Order, OrderRequest, Side, Status
from trading.execution.broker import BrokerAdapter
from trading.execution.desk import Desk, book_reports, decide
from trading.marketdata.bars import Step
from trading.marketdata.history import History
from trading.portfolio.positions import Position, after_fill
from trading.risk.checks import Context, Limits, check
from trading.risk.killswitch import TradingState

Key = tuple[str, str, str]


def key_of(request: OrderRequest) -> Key:
    """What a position is kept by."""
    return request.account, request.symbol, request.product.value


class MemoryLedger:
    """A `Ledger` for one process and one run."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self.prices: dict[str, Decimal] = {}
        self.orders: dict[UUID, Order] = {}
        self.events: dict[UUID, list[OrderEvent]] = {}
        self.positions: dict[Key, Position] = {}

    def open_orders(self) -> Sequence[Order]:
        return [order for order in self.orders.values() if order.is_open]

    def holdings(self, account: str) -> Mapping[str, int]:
        return {symbol: p.quantity for (owner, symbol, _), p in self.positions.items() if owner == account}

    def place(self, request: OrderRequest) -> Order:
        assert request.order_id not in self.orders
        order = start(request, Initialized())
        self.events[order.order_id] = [Initialized()]
        self.orders[order.order_id] = order
        denial = check(request, self._context(request), Limits())
        return self.append(order, Denied(str(denial))) if denial else order

    def append(self, order: Order, event: OrderEvent) -> Order:
        after = apply(self.orders[order.order_id], event)
        self.orders[order.order_id] = after
        self.events[order.order_id].append(event)
        if isinstance(event, Filled):
            key, held = key_of(order.request), self.positions.get(key_of(order.request), Position())
            self.positions[key] = after_fill(held, order.request.side, event.quantity, event.price)
        return after

    def _context(self, request: OrderRequest) -> Context:
        key = key_of(request)
        rivals = [o for o in self.open_orders() if key_of(o.request) == key and o.request != request]
        pending = {side: sum(o.remaining for o in rivals if o.request.side is side) for side in Side}
        return Context(
            instrument=self._instruments.get(request.symbol),
            reference_price=self.prices.get(request.symbol),
            position=self.positions.get(key, Position()).quantity,
            open_buy=pending[Side.BUY],
            open_sell=pending[Side.SELL],
        )


def run(
    desk: Desk,
    broker: BrokerAdapter,
    steps: Iterable[Step],
    feed_id: str,
    *,
    after: int = 0,
    state: TradingState = TradingState.ACTIVE,
) -> MemoryLedger:
    """Play steps as the engine does: submit what is new, ask for what is in doubt, then the step.

    Args:
        state: of the kill switch after so many steps; ACTIVE before.
    """
    ledger, history, previous = MemoryLedger(desk.instruments), History(desk.window), None
    for step in steps:
        for order in ledger.open_orders():
            if order.status is Status.INITIALIZED:
                submitted = ledger.append(order, Submitted())
                ledger.append(submitted, broker.submit(submitted, previous))
            elif order.venue_order_id is None:
                answer = broker.query(order, previous)
                if answer:
                    ledger.append(order, answer)
        history.push(step)
        ledger.prices |= {bar.symbol: bar.close for bar in step.bars}
        now = state if step.number > after else TradingState.ACTIVE
        book_reports(broker, step, previous, ledger)
        decide(desk, step, history, ledger, feed_id, now)
        previous = step.at
    return ledger


def lines(ledger: MemoryLedger) -> list[str]:
    """All orders in the order of placing."""
    return [
        line(order, [e.trade_id for e in ledger.events[order_id] if isinstance(e, Filled)])
        for order_id, order in ledger.orders.items()
    ]
