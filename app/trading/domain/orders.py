"""An order as the client asked for it, and what has become of it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading.domain.errors import InvalidOrder

ORDER_NAMESPACE = uuid.UUID("6f1c3c0e-93c5-5d0b-8f0a-5a2f6c9f2b11")


class Side(StrEnum):
    """Direction of an order; `sign` is +1 for BUY and -1 for SELL."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 or -1."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How the price is decided."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class Product(StrEnum):
    """The exchange's product: CNC is delivery, MIS is intraday."""

    CNC = "CNC"
    MIS = "MIS"


class TimeInForce(StrEnum):
    """DAY works until the session ends; IOC fills at once and cancels the rest."""

    DAY = "DAY"
    IOC = "IOC"


class Status(StrEnum):
    """Where an order is. DENIED is our own refusal, REJECTED the venue's; UNKNOWN is a venue's answer that was lost."""

    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    SUBMITTED = "SUBMITTED"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


TERMINAL = frozenset({Status.DENIED, Status.FILLED, Status.REJECTED, Status.CANCELLED, Status.EXPIRED})
WORKING = frozenset({Status.ACCEPTED, Status.PARTIALLY_FILLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What the client asked for; two equal requests are the same order.

    Attributes:
        account: whose order it is.
        client_order_id: the client's own name for it, unique within the account for ever.
        quantity: shares.
        limit_price: rupees; with LIMIT only.

    Raises:
        InvalidOrder: the request is wrong by itself.
    """

    account: str
    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    product: Product
    time_in_force: TimeInForce
    quantity: int
    limit_price: Decimal | None = None

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise InvalidOrder("quantity", self.quantity, "must be a whole number above 0")
        if self.order_type is OrderType.LIMIT and (self.limit_price is None or self.limit_price <= 0):
            raise InvalidOrder("limit_price", self.limit_price, "a LIMIT order needs a price above 0")
        if self.order_type is OrderType.MARKET and self.limit_price is not None:
            raise InvalidOrder("limit_price", self.limit_price, "a MARKET order has none; leave it out")

    @property
    def order_id(self) -> uuid.UUID:
        """The order's id, a function of account and client order id, so that a repeated request cannot get another."""
        return uuid.uuid5(ORDER_NAMESPACE, f"{self.account}\n{self.client_order_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The state of an order after its first `seq` events.

    Attributes:
        filled_value: sum of price times quantity over the fills, rupees.
        accepted_at: market time of the last bar before the venue took the order; None before the first bar.
        reason: why it was denied, rejected or cancelled, or what is unknown.
    """

    request: OrderRequest
    status: Status
    seq: int
    filled_quantity: int = 0
    filled_value: Decimal = Decimal(0)
    accepted_at: datetime | None = None
    reason: str | None = None
    trade_ids: frozenset[str] = frozenset()

    @property
    def order_id(self) -> uuid.UUID:
        """See `OrderRequest.order_id`."""
        return self.request.order_id

    @property
    def remaining(self) -> int:
        """Shares not yet filled."""
        return self.request.quantity - self.filled_quantity

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.status not in TERMINAL

    @property
    def average_price(self) -> Decimal | None:
        """Mean fill price in rupees, to four decimals; None before the first fill."""
        if not self.filled_quantity:
            return None
        return (self.filled_value / self.filled_quantity).quantize(Decimal("0.0001"))
