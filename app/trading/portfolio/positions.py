"""Positions as a fold over fills, in average-cost accounting.

Book cost is kept as a sum, not as a price, so that nothing is lost to division: at every moment
`realised_pnl - cost` equals the cash that the fills have brought in, exactly.
"""

from dataclasses import dataclass
from decimal import Decimal

from trading.domain.orders import Side

COST_STEP = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What an account holds of one symbol in one product.

    Attributes:
        quantity: shares; below 0 when short.
        cost: signed book cost of the open quantity, rupees; below 0 when short.
        realised_pnl: profit of what has been closed, rupees, before charges.
    """

    quantity: int = 0
    cost: Decimal = Decimal(0)
    realised_pnl: Decimal = Decimal(0)

    @property
    def average_price(self) -> Decimal | None:
        """Book cost a share in rupees, to four decimals; None when flat."""
        return (self.cost / self.quantity).quantize(Decimal("0.0001")) if self.quantity else None


def after_fill(position: Position, side: Side, quantity: int, price: Decimal) -> Position:
    """The position after one fill; a fill through zero closes it and opens the other side at the fill price."""
    signed = side.sign * quantity
    if position.quantity * signed >= 0:
        return Position(
            quantity=position.quantity + signed,
            cost=position.cost + price * signed,
            realised_pnl=position.realised_pnl,
        )
    closing = min(quantity, abs(position.quantity))
    whole = closing == abs(position.quantity)
    freed = position.cost if whole else (position.cost * closing / abs(position.quantity)).quantize(COST_STEP)
    closed = Position(
        quantity=position.quantity + side.sign * closing,
        cost=position.cost - freed,
        realised_pnl=position.realised_pnl - price * side.sign * closing - freed,
    )
    left = quantity - closing
    return after_fill(closed, side, left, price) if left else closed
