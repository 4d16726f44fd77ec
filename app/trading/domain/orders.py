"""An order as the client asked for it, and what has become of it."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from trading.domain.errors import InvalidOrder

ORDER_NAMESPACE = uuid.UUID("6f1c3c0e-93c5-5d0b-8f0a-5a2f6c9f2b11")
ZERO = Decimal(0)
HUNDRED = Decimal(100)
MARKET_PROTECTION_PERCENT = Decimal(
    3
)  # where nobody asks for another: SEBI wants one on every market order of a program


class Side(StrEnum):
    """Direction of an order; `sign` is +1 for BUY and -1 for SELL."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 or -1."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How the price is decided. SL and SL-M sleep at the venue until the trigger price trades."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    SL_M = "SL-M"

    @property
    def has_limit(self) -> bool:
        """Whether it carries a limit price (LIMIT, SL)."""
        return self is OrderType.LIMIT or self is OrderType.SL

    @property
    def has_trigger(self) -> bool:
        """Whether it carries a trigger price (SL, SL-M)."""
        return self is OrderType.SL or self is OrderType.SL_M


class Product(StrEnum):
    """The exchange's product: CNC is delivery, MIS is intraday."""

    CNC = "CNC"
    MIS = "MIS"


class TimeInForce(StrEnum):
    """DAY works until the session ends; IOC fills at once and cancels the rest."""

    DAY = "DAY"
    IOC = "IOC"


class Mode(StrEnum):
    """Whether an order is for a simulated venue or for real money; fixed when the order is made."""

    PAPER = "PAPER"
    LIVE = "LIVE"


class Status(StrEnum):
    """Where an order is. DENIED is our own refusal, REJECTED the venue's; UNKNOWN is a venue's answer that was lost."""

    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    SUBMITTED = "SUBMITTED"
    UNKNOWN = "UNKNOWN"
    TRIGGER_PENDING = "TRIGGER_PENDING"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_MODIFY = "PENDING_MODIFY"
    PENDING_CANCEL = "PENDING_CANCEL"
    FILLED = "FILLED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


TERMINAL = frozenset({Status.DENIED, Status.FILLED, Status.REJECTED, Status.CANCELLED, Status.EXPIRED})


class Terms(NamedTuple):
    """What a modification may change: shares in total (filled ones included) and the prices of the order's type."""

    quantity: int
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None

    def check(self, order_type: OrderType, side: Side) -> None:
        """Whether they suit the type and side of an order.

        Raises:
            InvalidOrder: the first rule that they break.
        """
        quantity, limit, trigger = self
        if quantity <= 0:
            raise InvalidOrder("quantity", quantity, "must be a whole number above 0")
        if (limit is not None) is not order_type.has_limit or (limit is not None and limit <= 0):
            raise InvalidOrder("limit_price", limit, _price_rule(order_type, order_type.has_limit))
        if (trigger is not None) is not order_type.has_trigger or (trigger is not None and trigger <= 0):
            raise InvalidOrder("trigger_price", trigger, _price_rule(order_type, order_type.has_trigger))
        if limit is not None and trigger is not None and (limit - trigger) * side.sign < 0:
            rule = f"must not be {'above' if side is Side.BUY else 'below'} limit_price={limit} of a {side} order"
            raise InvalidOrder("trigger_price", trigger, rule)


class Change(NamedTuple):
    """What is to become of an order's terms; what is None stays as it is."""

    quantity: int | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None

    def of(self, order: "Order") -> Terms:
        """The whole terms that the order would have then."""
        now = order.terms
        return Terms(
            now.quantity if self.quantity is None else self.quantity,
            now.limit_price if self.limit_price is None else self.limit_price,
            now.trigger_price if self.trigger_price is None else self.trigger_price,
        )


def _price_rule(order_type: OrderType, needed: bool) -> str:
    article = "an" if order_type.has_trigger else "a"
    if needed:
        return f"{article} {order_type} order needs a price above 0"
    return f"{article} {order_type} order has none; leave it out"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What the client asked for; two equal requests are the same order.

    Attributes:
        account: whose order it is.
        client_order_id: the client's own name for it, unique within the account for ever.
        quantity: shares.
        limit_price: rupees; with LIMIT and SL only.
        trigger_price: rupees; with SL and SL-M only.
        market_protection_percent: how far from the last price MARKET and SL-M may trade at most.
        strategy_id: the strategy that decided it; None when a person or another program did.
        algo_id: the exchange's tag of the algorithm; a LIVE order without one is denied.
        mode: where it may go, whatever the settings say later.
        order_id: a function of account and client order id, so that a repeated request cannot get another.

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
    trigger_price: Decimal | None = None
    market_protection_percent: Decimal | None = None
    strategy_id: str | None = None
    algo_id: str | None = None
    mode: Mode = Mode.PAPER
    order_id: uuid.UUID = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.terms.check(self.order_type, self.side)
        if self.order_type.has_trigger and self.time_in_force is TimeInForce.IOC:
            raise InvalidOrder("time_in_force", "IOC", f"an {self.order_type} order waits for its trigger; use DAY")
        protection = self.market_protection_percent
        if protection is not None and self.order_type.has_limit:
            raise InvalidOrder("market_protection_percent", protection, "its limit protects the order; leave it out")
        if protection is not None and not 0 < protection < HUNDRED:
            raise InvalidOrder("market_protection_percent", protection, "must be above 0 and below 100")
        name = f"{self.account}\n{self.client_order_id}"
        object.__setattr__(self, "order_id", uuid.uuid5(ORDER_NAMESPACE, name))  # once: it costs a hash

    @property
    def terms(self) -> Terms:
        """What was asked for of what can be modified."""
        return Terms(self.quantity, self.limit_price, self.trigger_price)

    def is_repeated_by(self, other: "OrderRequest") -> bool:
        """Whether the other request asks for this very order again.

        What we add to a request by our own settings does not count, as these may have changed in between: the order
        keeps the mode, the tag and the default protection that it was made with.
        """
        return self._asked() == other._asked() and (
            self.market_protection_percent in (None, other.market_protection_percent)
        )

    def _asked(self) -> tuple[object, ...]:
        return (
            self.account,
            self.client_order_id,
            self.symbol,
            self.side,
            self.order_type,
            self.product,
            self.time_in_force,
            self.terms,
        )


class Order(NamedTuple):
    """The state of an order after its first `seq` events.

    A named tuple and no dataclass: a copy with changes, the work of every event, costs a tenth.

    Attributes:
        filled_value: sum of price times quantity over the fills, rupees.
        accepted_at: market time of the last bar before the venue took the order; None before the first bar.
        reason: why it was denied, rejected or cancelled, or what is unknown.
        trade_ids: `venue/trade_id` of its fills.
        venue_order_id: the venue's name for it; None before the acknowledgement.
        is_triggered: whether the trigger price of an SL or SL-M order has traded.
        is_cancel_requested: whether a cancel is on its way.
        modified: the terms after a modification; None as long as they are those of the request.
        change: the terms of a modification that is on its way.
    """

    request: OrderRequest
    status: Status
    seq: int
    filled_quantity: int = 0
    filled_value: Decimal = ZERO
    accepted_at: datetime | None = None
    reason: str | None = None
    trade_ids: frozenset[str] = frozenset()
    venue_order_id: str | None = None
    is_triggered: bool = False
    is_cancel_requested: bool = False
    modified: Terms | None = None
    change: Terms | None = None

    @property
    def order_id(self) -> uuid.UUID:
        """See `OrderRequest.order_id`."""
        return self.request.order_id

    @property
    def quantity(self) -> int:
        """Shares in total, as asked for or as modified."""
        return self.request.quantity if self.modified is None else self.modified.quantity

    @property
    def limit_price(self) -> Decimal | None:
        """As asked for or as modified."""
        return self.request.limit_price if self.modified is None else self.modified.limit_price

    @property
    def trigger_price(self) -> Decimal | None:
        """As asked for or as modified."""
        return self.request.trigger_price if self.modified is None else self.modified.trigger_price

    @property
    def terms(self) -> Terms:
        """What the venue has of what can be modified, as far as is known."""
        return self.request.terms if self.modified is None else self.modified

    @property
    def remaining(self) -> int:
        """Shares not yet filled."""
        return self.quantity - self.filled_quantity

    @property
    def is_open(self) -> bool:
        """Whether the venue may still do anything with it."""
        return self.status not in TERMINAL

    @property
    def is_working(self) -> bool:
        """Whether it is open and the venue has acknowledged it."""
        return self.venue_order_id is not None and self.status not in TERMINAL

    @property
    def average_price(self) -> Decimal | None:
        """Mean fill price in rupees, to four decimals; None before the first fill."""
        if not self.filled_quantity:
            return None
        return (self.filled_value / self.filled_quantity).quantize(Decimal("0.0001"))
