"""An order list as text, and its digest: two runs that trade the same have the same."""

import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal

from trading.domain.orders import Order


def line(order: Order, trade_ids: Iterable[str]) -> str:
    """An order and its trades as one line of text."""
    request = order.request
    facts = (
        request.client_order_id,
        request.side,
        request.quantity,
        order.status,
        order.filled_quantity,
        order.filled_value.normalize(),
        *trade_ids,
    )
    return " ".join(format(fact, "f") if isinstance(fact, Decimal) else str(fact) for fact in facts)


def digest(all_lines: Sequence[str]) -> str:
    """SHA-256 over an order list."""
    return hashlib.sha256("\n".join(all_lines).encode()).hexdigest()
