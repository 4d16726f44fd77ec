"""The ledger of one backtest: the order state machine, the risk checks and the book that trade live, in memory.

An order that has ended is kept as its line in the order list and no longer, so that a run of millions of bars needs
the memory of its open orders.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from trading.backtest.columns import Columns
from trading.backtest.orderlist import line
from trading.costs.table import CostTable
from trading.domain.events import Denied, Filled, Initialized, OrderEvent, Submitted
from trading.domain.lifecycle import apply, start
from trading.domain.orders import ZERO, Order, OrderRequest, Side, Status
from trading.execution.broker import BrokerAdapter
from trading.portfolio.book import Book, BookKey
from trading.risk.checks import Context, Limits, check


class Trade(NamedTuple):
    """One fill and what it closed, rupees; `profit` is before charges."""

    at: datetime
    account: str
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    charges: Decimal
    profit: Decimal


@dataclass(slots=True)
class _Open:
    """An open order, where its line goes, and the trades that it has had."""

    order: Order
    number: int
    trade_ids: list[str]


class MemoryLedger:
    """A `Ledger` for one run.

    Args:
        capital: rupees that each account begins with; its buying power follows from there.
    """

    def __init__(self, columns: Columns, costs: CostTable, limits: Limits, capital: Decimal) -> None:
        self._columns = columns
        self._costs = costs
        self._limits = limits
        self._capital = capital
        self._open: dict[UUID, _Open] = {}
        self._held: dict[str, dict[str, int]] = {}
        self._keys: dict[str, dict[str, BookKey]] = {}
        self._profit: dict[str, Decimal] = {}  # realised and after charges, by account
        self.book = Book(costs)
        self.now = 0  # number of the step that is being played
        self.lines: list[str] = []
        self.trades: list[Trade] = []
        self.statuses: Counter[Status] = Counter()
        self.denials: Counter[str] = Counter()

    def open_orders(self) -> Sequence[Order]:
        """See `Ledger.open_orders`."""
        return [entry.order for entry in self._open.values()]

    def holdings(self, account: str) -> Mapping[str, int]:
        """See `Ledger.holdings`."""
        return self._held.get(account, {})

    def place(self, request: OrderRequest) -> Order:
        """See `Ledger.place`."""
        order = start(request, Initialized())
        self._open[order.order_id] = _Open(order, len(self.lines), [])
        self.lines.append("")
        denial = check(request, self._context(request), self._limits)
        if denial:
            self.denials[denial.code] += 1
            return self.append(order, Denied(str(denial)))
        return order

    def append(self, order: Order, event: OrderEvent) -> Order:
        """See `Ledger.append`."""
        entry = self._open[order.order_id]
        after = entry.order = apply(entry.order, event)
        if isinstance(event, Filled):
            entry.trade_ids.append(event.trade_id)
            self._book(after.request, event)
        if not after.is_open:
            self.statuses[after.status] += 1
            self.lines[entry.number] = line(after, entry.trade_ids)
            del self._open[order.order_id]
        return after

    def send(self, broker: BrokerAdapter, market_time: datetime | None) -> None:
        """Hand over what is new, and ask for what is in doubt, as the execution role does before a step."""
        for order in self.open_orders():
            if order.venue_order_id is not None:
                continue
            if order.status is Status.INITIALIZED:
                submitted = self.append(order, Submitted())
                self.append(submitted, broker.submit(submitted, market_time))
            elif answer := broker.query(order, market_time):
                self.append(order, answer)

    def close(self) -> None:
        """Give what is still open at the end of the data its line."""
        for entry in self._open.values():
            self.statuses[entry.order.status] += 1
            self.lines[entry.number] = line(entry.order, entry.trade_ids)

    def price(self, symbol: str) -> Decimal | None:
        """The last close up to the present step."""
        column = self._columns.columns[symbol]
        index = column.place(self.now)
        return column.price(index) if index >= 0 else None

    def equity(self, account: str) -> Decimal:
        """Capital, cash that the trades have brought in, and the positions at the last prices, rupees."""
        equity = self._capital
        for key, position in self.book.positions(account=account).items():
            equity += position.cash + position.quantity * (self.price(key.symbol) or ZERO)
        return equity

    def _book(self, request: OrderRequest, fill: Filled) -> None:
        key = self._keys.setdefault(request.account, {}).setdefault(request.symbol, _key(request))
        before = self.book.position(key)
        after = self.book.book(request, fill)
        held = self._held.setdefault(request.account, {})
        held[request.symbol] = after.quantity
        if not after.quantity:
            del held[request.symbol]
        charges, profit = after.charges - before.charges, after.realised_pnl - before.realised_pnl
        self._profit[request.account] = self._profit.get(request.account, ZERO) + profit - charges
        self.trades.append(
            Trade(
                fill.market_time,
                request.account,
                request.symbol,
                request.side,
                fill.quantity,
                fill.price,
                charges,
                profit,
            )
        )

    def _context(self, request: OrderRequest) -> Context:
        """What `trading.storage.riskcontext` asks the database for. Orders of strategies are paced by the desk."""
        account, symbol = request.account, request.symbol
        rivals = [e.order for e in self._open.values() if e.order.request.account == account]
        pending = {name: [0, 0] for name in {order.request.symbol for order in rivals}}
        for order in rivals:
            if order.request is not request:
                pending[order.request.symbol][order.request.side is Side.SELL] += order.remaining
        held = self._held.get(account, {}).get(symbol, 0)
        buy, sell = pending[symbol]
        context = Context(
            instrument=self._columns.instruments.get(symbol),
            reference_price=self.price(symbol),
            position=held,
            open_buy=buy,
            open_sell=sell,
            rates=self._costs.rates(self._columns.times[self.now - 1].date(), request.product, request.side),
        )
        if request.quantity <= -(held * request.side.sign) - pending[symbol][request.side is Side.SELL]:
            return context  # it only shrinks the position, so no sum over the account is looked at
        exposure, free = self._sums(account, pending)
        return context._replace(
            exposure=exposure,
            strategy_exposure=exposure,
            buying_power=self._capital + self._profit.get(account, ZERO) + free,
        )

    def _sums(self, account: str, pending: Mapping[str, Sequence[int]]) -> tuple[Decimal, Decimal]:
        """Rupees in positions and open orders, and what these leave of the buying power (0 or less)."""
        exposure = free = ZERO
        keys, held = self._keys.get(account, {}), self._held.get(account, {})
        for symbol in dict.fromkeys((*held, *pending)):
            quantity, (buy, sell) = held.get(symbol, 0), pending.get(symbol, (0, 0))
            cost = abs(self.book.position(keys[symbol]).cost) if quantity else ZERO
            price = self.price(symbol) or ZERO
            most = max(abs(quantity + buy), abs(quantity - sell))
            if quantity:
                price = max(price, cost / abs(quantity))
            exposure += most * price
            free -= cost + (most - abs(quantity)) * price
        return exposure, free


def _key(request: OrderRequest) -> BookKey:
    return BookKey(request.account, request.strategy_id, request.symbol, request.product)
