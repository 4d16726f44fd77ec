"""Positions as a fold over fills, in average-cost accounting.

Book cost is kept as a sum, not as a price, so that nothing is lost to division: at every moment
`realised_pnl - cost - charges` equals the cash that the fills have brought in, exactly.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading.costs.table import CostTable
from trading.domain.events import Filled
from trading.domain.orders import ZERO, OrderRequest, Product, Side

COST_STEP = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Position:
    """What an account holds of one symbol in one product.

    Attributes:
        quantity: shares; below 0 when short.
        cost: signed book cost of the open quantity, rupees, before charges; below 0 when short.
        realised_pnl: profit of what has been closed, rupees, before charges.
        charges: all charges of its fills, rupees, unrounded.
        depository_day: the last day with a delivery sale, for which the depository has been paid.
    """

    quantity: int = 0
    cost: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    charges: Decimal = ZERO
    depository_day: date | None = None

    @property
    def average_price(self) -> Decimal | None:
        """Book cost a share in rupees, to four decimals; None when flat."""
        return (self.cost / self.quantity).quantize(Decimal("0.0001")) if self.quantity else None

    @property
    def net_realised_pnl(self) -> Decimal:
        """Profit of what has been closed less all charges, those of the open quantity included, rupees."""
        return self.realised_pnl - self.charges

    @property
    def cash(self) -> Decimal:
        """What its fills have brought in, rupees; below 0 for what they have cost."""
        return self.realised_pnl - self.cost - self.charges

    def unrealised_pnl(self, price: Decimal) -> Decimal:
        """Profit of the open quantity at a price, rupees, before charges."""
        return price * self.quantity - self.cost


def after_fill(position: Position, side: Side, quantity: int, price: Decimal) -> Position:
    """The position after one fill without its charges; one through zero closes it and opens the other side."""
    held = position.quantity
    signed = quantity if side is Side.BUY else -quantity
    if held * signed >= 0:
        return Position(
            held + signed,
            position.cost + price * signed,
            position.realised_pnl,
            position.charges,
            position.depository_day,
        )
    closing = min(quantity, abs(held))
    whole = closing == abs(held)
    freed = position.cost if whole else (position.cost * closing / abs(held)).quantize(COST_STEP)
    opened = signed + held if whole else 0
    return Position(
        held + signed,
        price * opened if whole else position.cost - freed,
        position.realised_pnl - price * (signed - opened) - freed,
        position.charges,
        position.depository_day,
    )


def book(position: Position, request: OrderRequest, fill: Filled, costs: CostTable) -> Position:
    """The position after one fill of an order, with the trade's charges and, once a day, the depository's."""
    after = after_fill(position, request.side, fill.quantity, fill.price)
    charges, paid = position.charges + fill.charges, position.depository_day
    if request.product is Product.CNC and request.side is Side.SELL:
        day = fill.market_time.date()
        if day != paid:
            charges += costs.rates(day, Product.CNC, Side.SELL).depository
            paid = day
    return Position(after.quantity, after.cost, after.realised_pnl, charges, paid)
