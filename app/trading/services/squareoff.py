"""Intraday (MIS) positions are closed before the session ends, whoever opened them."""

from datetime import datetime

from trading.domain.orders import (
    MARKET_PROTECTION_PERCENT,
    Order,
    OrderRequest,
    OrderType,
    Product,
    Side,
    TimeInForce,
)
from trading.marketdata.bars import IST
from trading.marketdata.calendar import Calendar, CalendarError, Session, regular_session
from trading.risk.checks import Limits
from trading.storage import orders
from trading.storage.broker import addressed
from trading.storage.connection import Connection
from trading.storage.market import Progress

REASON = "square-off before the session ends"
OPEN_POSITIONS = (
    "SELECT account, symbol, quantity, EXISTS (SELECT FROM strategy WHERE name = account) FROM position "
    "WHERE product = 'MIS' AND quantity <> 0 ORDER BY account, symbol"
)


def market_session(calendar: Calendar, at: datetime) -> Session:
    """The session of a market time; a regular one where the calendar has none, as a replay may play on any day."""
    day = at.astimezone(IST).date()
    try:
        return calendar.session(day) or regular_session(day)
    except CalendarError:
        return regular_session(day)


def is_due(calendar: Calendar, at: datetime) -> bool:
    """Whether intraday positions must be closed at a market time, which is the begin of the last bar."""
    session = market_session(calendar, at)
    return calendar.square_off(session) <= at < session.close


def square_off(connection: Connection, progress: Progress, limits: Limits) -> list[Order]:
    """Cancel what would open intraday positions and place what closes them; returns the new orders.

    Inside the caller's transaction. Safe to repeat: an order is placed only where none is under way, and it is named
    after the step, so that what is left of a position is closed by the next.
    """
    busy = set()
    for order in orders.open_orders(connection):
        request = order.request
        if request.product is not Product.MIS:
            continue
        if request.client_order_id.startswith("square-off-"):
            busy.add((request.account, request.symbol))
        else:
            orders.request_cancel(connection, order.order_id, REASON)
    placed = []
    for account, symbol, quantity, is_strategy in connection.execute(OPEN_POSITIONS).fetchall():
        if (account, symbol) in busy:
            continue
        request = OrderRequest(
            account=account,
            client_order_id=f"square-off-{progress.feed_id}-{progress.step}-{symbol}",
            symbol=symbol,
            side=Side.SELL if quantity > 0 else Side.BUY,
            order_type=OrderType.MARKET,
            product=Product.MIS,
            time_in_force=TimeInForce.DAY,
            quantity=min(abs(quantity), limits.max_quantity),
            market_protection_percent=MARKET_PROTECTION_PERCENT,
            strategy_id=account if is_strategy else None,
        )
        placed.append(orders.place(connection, addressed(connection, request), limits, paced=True)[0])
    return placed
