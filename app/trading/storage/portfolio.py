"""An account's positions at the last prices."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from trading.domain.orders import ZERO
from trading.portfolio.book import Summary, summarise
from trading.portfolio.positions import Position
from trading.storage.connection import Connection
from trading.storage.listings import LastPrices, last_prices
from trading.storage.paging import Page
from trading.storage.queries import PositionRow, positions

EVERYTHING = Page(2**31 - 1)


class Valuation(NamedTuple):
    """What an account holds and what that is worth.

    Attributes:
        at: market time of the prices; None before the first bar.
        summary: sums at the last prices; a symbol without one counts at its book price.
    """

    at: datetime | None
    rows: list[PositionRow]
    prices: LastPrices
    summary: Summary


def valuation(connection: Connection, account: str) -> Valuation:
    """See `Valuation`."""
    prices, rows = last_prices(connection), positions(connection, EVERYTHING, account=account)
    worth = ((row.position, price_of(prices, row.symbol, row.position)) for row in rows)
    return Valuation(prices.at, rows, prices, summarise(worth))


def price_of(prices: LastPrices, symbol: str, position: Position) -> Decimal:
    """The last price of a symbol in rupees, else the position's own: what it was bought for is all that is known."""
    return prices.closes.get(symbol) or position.average_price or ZERO


def holdings(connection: Connection, account: str) -> Mapping[str, int]:
    """Shares by symbol, over all products."""
    rows = connection.execute(
        "SELECT symbol, sum(quantity) FROM position WHERE account = %s GROUP BY symbol", (account,)
    )
    return {symbol: int(quantity) for symbol, quantity in rows}
