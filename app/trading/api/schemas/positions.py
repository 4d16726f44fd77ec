"""Bodies and parameters of positions."""

from typing import Self

from trading.api.schemas.base import Account, Amount, Model, Page, PageQuery, Price, Symbol, example
from trading.api.schemas.orders import MAIN
from trading.domain.orders import Product
from trading.storage.queries import PositionRow


class PositionOut(Model):
    """A position; `quantity` is below 0 when short. Profit is before charges, which are not rounded."""

    account: str
    symbol: str
    product: Product
    quantity: int
    average_price: Price | None
    realised_pnl: Amount
    charges: Amount

    @classmethod
    def of(cls, row: PositionRow) -> Self:
        """The body for a stored position."""
        return cls(
            account=row.account,
            symbol=row.symbol,
            product=Product(row.product),
            quantity=row.position.quantity,
            average_price=row.position.average_price,
            realised_pnl=row.position.realised_pnl,
            charges=row.position.charges,
        )


class PositionList(Page):
    """A page of the positions that were ever opened, by account, symbol and product."""

    model_config = example(
        positions=[
            {
                "account": "main",
                "symbol": "RELIANCE",
                "product": "CNC",
                "quantity": 10,
                "average_price": "2901.0500",
                "realised_pnl": "0",
                "charges": "13.40",
            }
        ],
        next_cursor=None,
    )

    positions: list[PositionOut]


class PositionQuery(PageQuery):
    """Which positions to list."""

    account: Account | None = None
    symbol: Symbol | None = None
    is_open: bool | None = None


class ClosePosition(Model):
    """A position to be closed at the market."""

    model_config = example(account="main", symbol="RELIANCE", product="CNC")

    account: Account = MAIN
    symbol: Symbol
    product: Product


class SquareOff(Model):
    """The positions to be closed at the market: all intraday ones, unless `product` says otherwise."""

    model_config = example(account="main", product="MIS")

    account: Account = MAIN
    product: Product | None = Product.MIS
