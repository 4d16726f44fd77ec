"""Bodies and parameters of portfolios."""

from enum import StrEnum

from pydantic import Field

from trading.api.schemas.base import Account, Amount, AskedAt, At, Fraction, Model, Page, PageQuery, Price, example
from trading.api.schemas.orders import MAIN
from trading.domain.orders import Product

SUMS = {
    "realised_pnl": "1200.00",
    "unrealised_pnl": "-150.25",
    "charges": "84.10",
    "net_pnl": "965.65",
}


class AccountList(Page):
    """A page of accounts by name. Each strategy trades in an account of its own name."""

    model_config = example(accounts=["ema-crossover", "main"], next_cursor=None)

    accounts: list[str]


class AccountQuery(Model):
    """Whose portfolio."""

    account: Account = MAIN


class SummaryOut(Model):
    """What an account is worth at the last prices, rupees. Profit is since the account was opened.

    `equity` is capital and profit after charges; `net_pnl` is realised and unrealised profit less charges.
    """

    model_config = example(
        account="main",
        at="2026-01-05T09:20:00+05:30",
        capital="10000000",
        equity="10000965.65",
        cash="9971000.00",
        **SUMS,
        gross_exposure="29965.65",
        net_exposure="29965.65",
        open_positions=1,
    )

    account: str
    at: At | None = Field(description="Market time of the prices; null before the first bar.")
    capital: Amount
    equity: Amount
    cash: Amount
    realised_pnl: Amount
    unrealised_pnl: Amount
    charges: Amount
    net_pnl: Amount
    gross_exposure: Amount
    net_exposure: Amount
    open_positions: int


class PnlOut(Model):
    """Profit of one position, rupees."""

    symbol: str
    product: Product
    quantity: int
    average_price: Price | None
    last_price: Price | None = Field(description="Null when the symbol has no price yet.")
    realised_pnl: Amount
    unrealised_pnl: Amount
    charges: Amount
    net_pnl: Amount


class PnlList(Page):
    """A page of an account's positions with their profit, by symbol and product."""

    model_config = example(
        positions=[
            {
                "symbol": "RELIANCE",
                "product": "CNC",
                "quantity": 10,
                "average_price": "2901.0500",
                "last_price": "2886.02",
                **SUMS,
            }
        ],
        next_cursor=None,
    )

    positions: list[PnlOut]


class PnlQuery(PageQuery):
    """Whose profit."""

    account: Account = MAIN


class Order(StrEnum):
    """From which end a curve is read."""

    OLDEST = "oldest"
    NEWEST = "newest"


class EquityQuery(PageQuery):
    """Which part of a curve."""

    account: Account = MAIN
    since: AskedAt | None = Field(default=None, description="Not before this market time.")
    until: AskedAt | None = Field(default=None, description="Before this market time.")
    first: Order = Field(default=Order.OLDEST, description="Which end comes first.")


class EquityOut(Model):
    """What an account was worth at a market time, rupees."""

    at: At
    equity: Amount
    cash: Amount
    realised_pnl: Amount
    unrealised_pnl: Amount
    charges: Amount


class EquityList(Page):
    """A page of an equity curve."""

    model_config = example(
        points=[
            {
                "at": "2026-01-05T09:20:00+05:30",
                "equity": "10000965.65",
                "cash": "9971000.00",
                "realised_pnl": "1200.00",
                "unrealised_pnl": "-150.25",
                "charges": "84.10",
            }
        ],
        next_cursor="WyIyMDI2LTAxLTA1VDAzOjUwOjAwKzAwOjAwIl0",
    )

    points: list[EquityOut]


class ExposureOut(Model):
    """What an account holds of one symbol over all products, rupees."""

    symbol: str
    quantity: int
    value: Amount = Field(description="Below 0 when short.")
    share: Fraction | None = Field(description="Of equity; null when equity is 0 or less.")


class ExposureList(Model):
    """Open positions at the last prices, the largest first, and how much of the limits they use."""

    model_config = example(
        account="main",
        equity="10000965.65",
        gross_exposure="28860.20",
        net_exposure="28860.20",
        max_exposure="20000000",
        max_position="2500000",
        symbols=[{"symbol": "RELIANCE", "quantity": 10, "value": "28860.20", "share": "0.002886"}],
    )

    account: str
    equity: Amount
    gross_exposure: Amount
    net_exposure: Amount
    max_exposure: Amount
    max_position: Amount
    symbols: list[ExposureOut]
