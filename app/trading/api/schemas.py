"""Bodies and parameters of the API. Prices are text in answers, so that no client makes floats of them by accident."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StrictInt

from trading.domain.orders import MARKET_PROTECTION_PERCENT, Mode, OrderType, Product, Side, Status, TimeInForce
from trading.storage.queries import EventRow, OrderRow, PositionRow

MAX_PAGE = 500
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9&-]{1,20}$", examples=["RELIANCE"])]
Account = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", examples=["main"])]
Price = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json"),
    Field(examples=["2901.10"]),
]
Percent = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json")]


class Model(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class PlaceOrder(Model):
    """An order to be placed in account `main`."""

    client_order_id: str = Field(
        pattern=r"^[A-Za-z0-9_.:-]{1,64}$",
        description="Your own name for the order. Sent again with the same content it gives the same order.",
        examples=["my-order-1"],
    )
    symbol: Symbol
    side: Side
    type: OrderType = OrderType.MARKET
    product: Product = Product.MIS
    time_in_force: TimeInForce = TimeInForce.DAY
    quantity: StrictInt = Field(gt=0, le=10_000_000, description="Shares.", examples=[10])
    limit_price: Price | None = Field(
        default=None,
        gt=0,
        max_digits=12,
        decimal_places=4,
        description="Rupees, on the symbol's tick; with LIMIT and SL only.",
        examples=["2901.10"],
    )
    trigger_price: Price | None = Field(
        default=None,
        gt=0,
        max_digits=12,
        decimal_places=4,
        description="Rupees, on the symbol's tick; with SL and SL-M only.",
        examples=["2895.00"],
    )
    market_protection_percent: Percent | None = Field(
        default=None,
        gt=0,
        lt=100,
        max_digits=4,
        decimal_places=2,
        description="How far from the last price MARKET and SL-M may trade; 3 when left out.",
        examples=["3"],
    )

    def protection(self) -> Decimal | None:
        """The protection of the order that is meant."""
        if self.market_protection_percent is None and not self.type.has_limit:
            return MARKET_PROTECTION_PERCENT
        return self.market_protection_percent


class OrderOut(Model):
    """An order and what has become of it; quantity and prices as they are now, after modifications."""

    id: UUID
    account: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    product: Product
    time_in_force: TimeInForce
    quantity: int
    limit_price: Price | None
    trigger_price: Price | None
    market_protection_percent: Percent | None
    strategy_id: str | None
    mode: Mode
    status: Status
    filled_quantity: int
    average_price: Price | None
    reason: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: OrderRow) -> Self:
        """The body for a stored order."""
        order, request = row.order, row.order.request
        return cls(
            id=order.order_id,
            account=request.account,
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            type=request.order_type,
            product=request.product,
            time_in_force=request.time_in_force,
            quantity=order.quantity,
            limit_price=order.limit_price,
            trigger_price=order.trigger_price,
            market_protection_percent=request.market_protection_percent,
            strategy_id=request.strategy_id,
            mode=request.mode,
            status=order.status,
            filled_quantity=order.filled_quantity,
            average_price=order.average_price,
            reason=order.reason,
            created_at=row.created_at,
        )


class OrderList(Model):
    """A page of orders, newest first; `next_cursor` asks for the next page and is null on the last."""

    orders: list[OrderOut]
    next_cursor: int | None


class OrderQuery(Model):
    """Which orders to list."""

    account: Account | None = None
    symbol: Symbol | None = None
    status: Status | None = None
    limit: int = Field(default=100, ge=1, le=MAX_PAGE)
    cursor: int | None = Field(default=None, ge=1, le=2**63 - 1)


class EventOut(Model):
    """One event of an order; `data` depends on the kind."""

    seq: int
    kind: str
    recorded_at: datetime
    data: dict[str, Any]

    @classmethod
    def of(cls, row: EventRow) -> Self:
        """The body for a stored event."""
        return cls(seq=row.seq, kind=row.kind, recorded_at=row.recorded_at, data=row.payload)


class EventList(Model):
    """All events of an order, oldest first."""

    events: list[EventOut]


class PositionOut(Model):
    """A position; `quantity` is below 0 when short. Profit is before charges, which are not rounded."""

    account: str
    symbol: str
    product: Product
    quantity: int
    average_price: Price | None
    realised_pnl: Price
    charges: Price

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


class PositionList(Model):
    """All positions that were ever opened."""

    positions: list[PositionOut]


class PositionQuery(Model):
    """Whose positions to list."""

    account: Account | None = None


class QuoteOut(Model):
    """The last quote of a symbol. `source` is `synthetic` for made-up data, `file` for a user's file."""

    symbol: str
    exchange: str
    last: Price
    bid: Price
    ask: Price
    volume: int
    at: datetime
    source: str


class QuoteList(Model):
    """The last quotes of all symbols."""

    quotes: list[QuoteOut]


class FieldProblem(Model):
    """A field of the request and the rule that it breaks."""

    field: str
    rule: str


class Problem(Model):
    """An error after RFC 9457; `code` is stable, the rest is for people."""

    type: str
    title: str
    status: int
    code: str = Field(examples=["RISK_QTY"])
    detail: str
    errors: list[FieldProblem] = []
    order_id: UUID | None = None


class Health(Model):
    """Whether the process is well, and each check: `ok` or why not."""

    status: str
    checks: dict[str, str]
