"""Bodies and parameters of orders and trades."""

from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StrictInt

from trading.api.schemas.base import (
    Account,
    Amount,
    At,
    Model,
    Page,
    PageQuery,
    Percent,
    Price,
    Reason,
    Symbol,
    example,
)
from trading.domain.orders import MARKET_PROTECTION_PERCENT, Mode, OrderType, Product, Side, Status, TimeInForce
from trading.storage.queries import EventRow, OrderRow, TradeRow

MAIN = "main"  # the account of those who name none
EVERY_ORDER = {
    "id": "5a3a3a3e-2f64-5d0b-8f0a-5a2f6c9f2b11",
    "account": "main",
    "client_order_id": "my-order-1",
    "symbol": "RELIANCE",
    "side": "BUY",
    "type": "LIMIT",
    "product": "CNC",
    "time_in_force": "DAY",
    "quantity": 10,
    "limit_price": "2901.10",
    "trigger_price": None,
    "market_protection_percent": None,
    "strategy_id": None,
    "mode": "PAPER",
    "status": "PARTIALLY_FILLED",
    "filled_quantity": 4,
    "average_price": "2901.0500",
    "reason": None,
    "created_at": "2026-01-05T09:20:00Z",
}

Quantity = Annotated[StrictInt, Field(gt=0, le=10_000_000, description="Shares.", examples=[10])]
AskedPrice = Annotated[Price, Field(gt=0, max_digits=12, decimal_places=4)]


class Ticket(Model):
    """What an order is about, whoever names it."""

    model_config = example(symbol="RELIANCE", side="BUY", type="LIMIT", quantity=10, limit_price="2901.10")

    account: Account = MAIN
    symbol: Symbol
    side: Side
    type: OrderType = OrderType.MARKET
    product: Product = Product.MIS
    time_in_force: TimeInForce = TimeInForce.DAY
    quantity: Quantity
    limit_price: AskedPrice | None = Field(
        default=None, description="Rupees, on the symbol's tick; with LIMIT and SL only.", examples=["2901.10"]
    )
    trigger_price: AskedPrice | None = Field(
        default=None, description="Rupees, on the symbol's tick; with SL and SL-M only.", examples=["2895.00"]
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


class PlaceOrder(Ticket):
    """An order to be placed."""

    model_config = example(
        client_order_id="my-order-1", symbol="RELIANCE", side="BUY", type="LIMIT", quantity=10, limit_price="2901.10"
    )

    client_order_id: str = Field(
        pattern=r"^[A-Za-z0-9_.:-]{1,64}$",
        description="Your own name for the order. Sent again with the same content it gives the same order.",
        examples=["my-order-1"],
    )


class ModifyOrder(Model):
    """New terms of an open order; what is left out stays as it is."""

    model_config = example(limit_price="2899.50")

    quantity: Quantity | None = Field(default=None, description="Shares in total, those filled already included.")
    limit_price: AskedPrice | None = Field(default=None, description="Rupees; of LIMIT and SL orders only.")
    trigger_price: AskedPrice | None = Field(default=None, description="Rupees; of SL and SL-M orders only.")


class CancelOrders(Model):
    """Which open orders to cancel; all of the account when there is no filter."""

    model_config = example(account="main", symbol="RELIANCE")

    account: Account = MAIN
    symbol: Symbol | None = None
    reason: Reason = "asked for over the API"


class OrderOut(Model):
    """An order and what has become of it; quantity and prices as they are now, after modifications."""

    model_config = example(**EVERY_ORDER)

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
    created_at: At

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


class OrderList(Page):
    """A page of orders, newest first."""

    model_config = example(orders=[EVERY_ORDER], next_cursor="WzQyXQ")

    orders: list[OrderOut]


class OrdersOut(Model):
    """The orders that a request has made or changed; denied ones are among them, with the code as their reason."""

    model_config = example(orders=[EVERY_ORDER])

    orders: list[OrderOut]


class OrderQuery(PageQuery):
    """Which orders to list."""

    account: Account | None = None
    symbol: Symbol | None = None
    status: Status | None = None
    strategy_id: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,40}$", examples=["ema-crossover"])
    is_open: bool | None = Field(default=None, description="Only those that may still be filled, or only the others.")


class ChargesOut(Model):
    """What a trade costs, item by item, rupees, unrounded; the tariff is dated and shipped with the engine."""

    brokerage: Amount
    stt: Amount
    stamp: Amount
    exchange: Amount
    ipft: Amount
    sebi: Amount
    gst: Amount
    total: Amount


class PreviewOut(Model):
    """What would become of an order now. Nothing is booked, and the next moment may answer otherwise."""

    model_config = example(
        is_allowed=False,
        code="RISK_CASH",
        detail="needed=29011.00 left=12000.00",
        price="2901.10",
        value="29011.00",
        charges={
            "brokerage": "8.70",
            "stt": "29.01",
            "stamp": "4.35",
            "exchange": "0.86",
            "ipft": "0.00",
            "sebi": "0.03",
            "gst": "1.73",
            "total": "44.68",
        },
        buying_power="12000.00",
        position=0,
    )

    is_allowed: bool
    code: str | None = Field(description="The risk code (`RISK_*`) that would deny it.")
    detail: str | None
    price: Price | None = Field(description="Rupees a share: the limit, or the last price; null before the first bar.")
    value: Amount | None = Field(description="Rupees of the whole order at that price.")
    charges: ChargesOut | None
    buying_power: Amount | None = Field(description="Rupees that are left for orders; null when no cash is kept.")
    position: int = Field(description="Shares held now of this symbol and product; below 0 when short.")


class EventOut(Model):
    """One event of an order; `data` depends on the kind."""

    seq: int
    kind: str
    recorded_at: At
    data: dict[str, Any]

    @classmethod
    def of(cls, row: EventRow) -> Self:
        """The body for a stored event."""
        return cls(seq=row.seq, kind=row.kind, recorded_at=row.recorded_at, data=row.payload)


class EventList(Page):
    """A page of the events of an order, oldest first."""

    model_config = example(
        events=[{"seq": 1, "kind": "INITIALIZED", "recorded_at": "2026-01-05T09:20:00Z", "data": {}}], next_cursor=None
    )

    events: list[EventOut]


class TradeOut(Model):
    """A trade: one fill of an order, as the venue told it."""

    trade_id: str
    venue: str
    order_id: UUID
    account: str
    symbol: str
    side: Side
    product: Product
    strategy_id: str | None
    quantity: int
    price: Price
    charges: Amount
    market_time: At
    recorded_at: At

    @classmethod
    def of(cls, row: TradeRow) -> Self:
        """The body for a stored fill."""
        return cls(
            trade_id=row.fill.trade_id,
            venue=row.fill.venue,
            order_id=row.order_id,
            account=row.account,
            symbol=row.symbol,
            side=Side(row.side),
            product=Product(row.product),
            strategy_id=row.strategy_id,
            quantity=row.fill.quantity,
            price=row.fill.price,
            charges=row.fill.charges,
            market_time=row.fill.market_time,
            recorded_at=row.recorded_at,
        )


class TradeList(Page):
    """A page of trades, newest first."""

    model_config = example(
        trades=[
            {
                "trade_id": "17-1",
                "venue": "paper",
                "order_id": EVERY_ORDER["id"],
                "account": "main",
                "symbol": "RELIANCE",
                "side": "BUY",
                "product": "CNC",
                "strategy_id": None,
                "quantity": 4,
                "price": "2901.05",
                "charges": "13.40",
                "market_time": "2026-01-05T09:20:00+05:30",
                "recorded_at": "2026-01-05T03:50:01Z",
            }
        ],
        next_cursor=None,
    )

    trades: list[TradeOut]


class TradeQuery(PageQuery):
    """Which trades to list."""

    account: Account | None = None
    symbol: Symbol | None = None
    order_id: UUID | None = None
