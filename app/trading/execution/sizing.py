"""From a wanted share of the capital to an order, or to none."""

from decimal import Decimal

from trading.domain.instruments import Instrument
from trading.domain.orders import Product, Side

CAPITAL = Decimal(5_000_000)  # rupees that a strategy's shares are shares of
DRIFT = 2  # a position is left as it is up to so many times what is wanted, and down to the inverse


def order_for(
    share: Decimal, held: int, price: Decimal, instrument: Instrument, product: Product, capital: Decimal = CAPITAL
) -> tuple[Side, int] | None:
    """Side and shares that bring a holding to a share of the capital; None when it is there already.

    A position on the wanted side is changed only when its value is off by more than `DRIFT`, so that the drift of
    prices is not traded. What is wanted is rounded down to whole lots. Delivery (CNC) is never short: below 0 is 0.

    Args:
        held: shares, below 0 when short.
        price: rupees a share.
    """
    if share < 0 and product is Product.CNC:
        share = Decimal(0)
    asked, value = abs(share) * capital, abs(held) * price
    if share * held > 0 and asked <= DRIFT * value and value <= DRIFT * asked:
        return None
    change = int(share * capital / price / instrument.lot_size) * instrument.lot_size - held
    if not change:
        return None
    return (Side.BUY, change) if change > 0 else (Side.SELL, -change)
