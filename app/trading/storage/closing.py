"""Closing positions at the market: as many orders as the limits ask for, for what no open order closes already."""

from collections.abc import Iterator
from decimal import Decimal

from trading.domain.orders import (
    HUNDRED,
    MARKET_PROTECTION_PERCENT,
    Order,
    OrderRequest,
    OrderType,
    Product,
    Side,
    TimeInForce,
)
from trading.risk.checks import Limits
from trading.storage.broker import addressed
from trading.storage.connection import Connection
from trading.storage.orders import place
from trading.storage.riskcontext import OPEN

# What a position needs to be flat once the open orders of the closing side are filled, and the last price and the
# instrument's limits that the orders for it must keep.
NEEDED = f"""
SELECT p.symbol, p.product,
    sign(p.quantity) * greatest(0, abs(p.quantity) - coalesce((
        SELECT sum(coalesce(o.modified_quantity, o.quantity) - o.filled_quantity) FROM orders o
          WHERE o.account = p.account AND o.symbol = p.symbol AND o.product = p.product AND o.status IN {OPEN}
            AND o.side = CASE WHEN p.quantity > 0 THEN 'SELL' ELSE 'BUY' END), 0)),
    (SELECT (f.closes ->> p.symbol)::numeric FROM feed JOIN feed_progress f USING (feed_id)
      ORDER BY activated_at DESC LIMIT 1),
    i.freeze_quantity, i.lot_size
  FROM position p LEFT JOIN instrument i USING (symbol)
  WHERE p.account = %(account)s AND p.quantity <> 0
    AND (%(symbol)s::text IS NULL OR p.symbol = %(symbol)s) AND (%(product)s::text IS NULL OR p.product = %(product)s)
  ORDER BY p.symbol, p.product
"""  # noqa: S608 - only constants of this file are put in


def close(
    connection: Connection,
    account: str,
    limits: Limits,
    *,
    request_id: str,
    symbol: str | None = None,
    product: Product | None = None,
) -> list[Order]:
    """Place the orders that close an account's positions.

    The account is locked, so that what is closed twice at once is closed once. The order rate is not looked at: a way
    out must not be narrow. Every other check is made, and an order that it denies comes back as DENIED.

    Args:
        request_id: begins the orders' client order ids; a new one for every request, 16 characters or less.
    """
    connection.execute("SELECT FROM account WHERE account = %s FOR NO KEY UPDATE", (account,))
    rows = connection.execute(
        NEEDED, {"account": account, "symbol": symbol, "product": product.value if product else None}
    ).fetchall()
    placed = []
    for name, kind, needed, price, freeze, lot in rows:
        side = Side.SELL if needed > 0 else Side.BUY
        most = part(limits, price, freeze, lot or 1)
        for number, quantity in enumerate(parts(int(abs(needed)), most), start=1):
            request = OrderRequest(
                account=account,
                client_order_id=f"close:{request_id}:{name}:{kind}:{number}",
                symbol=name,
                side=side,
                order_type=OrderType.MARKET,
                product=Product(kind),
                time_in_force=TimeInForce.DAY,
                quantity=quantity,
                market_protection_percent=MARKET_PROTECTION_PERCENT,
            )
            placed.append(place(connection, addressed(connection, request), limits, paced=True)[0])
    return placed


def part(limits: Limits, price: Decimal | None, freeze: int | None, lot: int) -> int:
    """The most shares that one closing order may have, in whole lots."""
    most = min(limits.max_quantity, freeze or limits.max_quantity)
    if price:
        most = min(most, int(limits.max_notional / (price * (1 + MARKET_PROTECTION_PERCENT / HUNDRED))))
    return max(most // lot * lot, lot)


def parts(quantity: int, most: int) -> Iterator[int]:
    """A quantity in parts of at most so many."""
    while quantity > 0:
        yield min(quantity, most)
        quantity -= most
