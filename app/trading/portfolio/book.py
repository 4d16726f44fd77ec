"""All positions of all accounts as one fold over fills, and what they are worth at the last prices.

A position is kept by account, strategy, symbol and product, so that delivery and intraday holdings of a symbol never
net, nor do those of two strategies. An account's figures are sums over its positions: its cash, charges and total
profit are what netting would give as well; only the split into realised and unrealised differs from a netted book
while two strategies hold opposite sides.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from trading.costs.table import CostTable
from trading.domain.events import Filled
from trading.domain.orders import ZERO, OrderRequest, Product
from trading.portfolio.positions import Position, book

FLAT = Position()


class BookKey(NamedTuple):
    """What a position is kept by; `strategy_id` is None for orders that no strategy decided."""

    account: str
    strategy_id: str | None
    symbol: str
    product: Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Sums over positions, rupees.

    Attributes:
        realised_pnl, unrealised_pnl: before charges.
        book_cost: sum of absolute book costs: what the open positions have tied up.
        gross_exposure: sum of absolute market values; `net_exposure` with their signs.
    """

    realised_pnl: Decimal = ZERO
    unrealised_pnl: Decimal = ZERO
    charges: Decimal = ZERO
    cash: Decimal = ZERO
    book_cost: Decimal = ZERO
    gross_exposure: Decimal = ZERO
    net_exposure: Decimal = ZERO

    @property
    def gross_pnl(self) -> Decimal:
        """Profit before charges."""
        return self.realised_pnl + self.unrealised_pnl

    @property
    def net_pnl(self) -> Decimal:
        """Profit after charges: equity less the capital put in."""
        return self.realised_pnl + self.unrealised_pnl - self.charges


class Book:
    """See the module. Booking is O(1), whatever has been closed; sums walk over what was ever opened.

    That a trade is booked once is what the order state machine sees to; the book takes what it is given.
    """

    __slots__ = ("_costs", "_marks", "_positions")

    def __init__(self, costs: CostTable) -> None:
        self._costs = costs
        self._positions: dict[BookKey, Position] = {}
        self._marks: dict[str, Decimal] = {}

    def book(self, request: OrderRequest, fill: Filled) -> Position:
        """Add a fill; returns the position after it."""
        key = BookKey(request.account, request.strategy_id, request.symbol, request.product)
        after = book(self._positions.get(key, FLAT), request, fill, self._costs)
        self._positions[key] = after
        self._marks.setdefault(request.symbol, fill.price)
        return after

    def mark(self, symbol: str, price: Decimal) -> None:
        """Value the symbol at a price; before the first mark it is worth what it was first traded at."""
        self._marks[symbol] = price

    def position(self, key: BookKey) -> Position:
        """The position of a key; flat when there was none."""
        return self._positions.get(key, FLAT)

    def positions(self, *, account: str | None = None) -> Mapping[BookKey, Position]:
        """All positions that were ever opened."""
        return dict(self._items(account))

    def summary(self, *, account: str | None = None) -> Summary:
        """Sums over an account, or over all."""
        return self._sum(self._items(account))

    def by_strategy(self, *, account: str | None = None) -> Mapping[str | None, Summary]:
        """Sums by strategy."""
        names = dict.fromkeys(key.strategy_id for key, _ in self._items(account))
        return {name: self._sum(item for item in self._items(account) if item[0].strategy_id == name) for name in names}

    def exposure(self, *, account: str | None = None) -> Mapping[str, Decimal]:
        """Market value by symbol, below 0 when short, rupees."""
        values: dict[str, Decimal] = {}
        for key, position in self._items(account):
            values[key.symbol] = values.get(key.symbol, ZERO) + position.quantity * self._marks[key.symbol]
        return values

    def _items(self, account: str | None) -> Iterator[tuple[BookKey, Position]]:
        return (item for item in self._positions.items() if account is None or item[0].account == account)

    def _sum(self, items: Iterator[tuple[BookKey, Position]]) -> Summary:
        return summarise((position, self._marks[key.symbol]) for key, position in items)


def summarise(positions: Iterable[tuple[Position, Decimal]]) -> Summary:
    """Sums over positions, each with the price that its symbol is worth."""
    realised = unrealised = charges = cash = book_cost = gross = net = ZERO
    for position, price in positions:
        realised += position.realised_pnl
        charges += position.charges
        cash += position.cash
        if position.quantity:
            value = price * position.quantity
            unrealised += value - position.cost
            book_cost += abs(position.cost)
            gross += abs(value)
            net += value
    return Summary(
        realised_pnl=realised,
        unrealised_pnl=unrealised,
        charges=charges,
        cash=cash,
        book_cost=book_cost,
        gross_exposure=gross,
        net_exposure=net,
    )
