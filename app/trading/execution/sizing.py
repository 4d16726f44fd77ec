"""From a wanted direction to an order, or to none."""

from decimal import Decimal

from trading.domain.instruments import Instrument
from trading.domain.orders import Side
from trading.strategies.base import Direction

ORDER_VALUE = Decimal(100_000)  # rupees that a strategy puts into one symbol


def order_for(
    direction: Direction | None, quantity: int, price: Decimal, instrument: Instrument
) -> tuple[Side, int] | None:
    """Side and shares that bring a holding of `quantity` shares to the direction; None when it is there already.

    A new position is as many lots as `ORDER_VALUE` pays at `price`; fewer than one lot is none.
    """
    if direction is None:
        return None
    if direction is Direction.FLAT:
        return (Side.SELL, quantity) if quantity > 0 else None
    if quantity > 0:
        return None
    shares = int(ORDER_VALUE / price / instrument.lot_size) * instrument.lot_size
    return (Side.BUY, shares) if shares else None
