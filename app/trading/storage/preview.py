"""What would become of an order now, without booking it."""

from decimal import Decimal
from typing import NamedTuple

from trading.costs.rates import Charges
from trading.domain.orders import OrderRequest
from trading.risk.checks import Denial, Limits, check
from trading.storage.connection import Connection
from trading.storage.orders import columns
from trading.storage.riskcontext import risk_context


class Preview(NamedTuple):
    """What the risk check says, and what the order would cost.

    Attributes:
        denial: None when the order would pass.
        price: rupees a share at which it is valued: its limit, or the last price; None before the first bar.
        value: rupees of the whole order.
        charges: of the whole order, as one trade.
        buying_power: rupees that are left for orders; None when the account keeps no cash.
        position: shares held of the symbol and product.
    """

    denial: Denial | None
    price: Decimal | None
    value: Decimal | None
    charges: Charges | None
    buying_power: Decimal | None
    position: int


def preview(connection: Connection, request: OrderRequest, limits: Limits) -> Preview:
    """See `Preview`. Order rate and duplicates are looked at as for a real order."""
    context = risk_context(connection, columns(request), limits, paced=False)
    price = request.limit_price or context.reference_price
    value = price * request.quantity if price is not None else None
    charges = context.rates.charges(value) if context.rates and value is not None else None
    return Preview(check(request, context, limits), price, value, charges, context.buying_power, context.position)
