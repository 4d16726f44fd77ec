"""Pre-trade checks: stable codes, one line each, the first that fails decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.domain.instruments import Instrument
from trading.domain.orders import OrderRequest, Product, Side
from trading.domain.prices import is_on_tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one account may do.

    Attributes:
        max_quantity: shares in one order.
        max_notional: rupees in one order.
        max_position: rupees in one symbol, open orders counted as filled.
        max_orders_a_second: orders placed; ten is where SEBI's rules for retail algorithms begin to ask for more.
        duplicate_window_s: an equal order within it is taken for a double dispatch; the spacing of ten a second.
    """

    max_quantity: int = 10_000
    max_notional: Decimal = Decimal(1_000_000)
    max_position: Decimal = Decimal(2_500_000)
    max_orders_a_second: int = 10
    duplicate_window_s: Decimal = Decimal("0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The state of the world that a check may look at, all of one moment.

    Attributes:
        instrument: None when the symbol is not listed.
        reference_price: last close in rupees; None before the first bar.
        position: shares held in this symbol and product, below 0 when short.
        open_buy, open_sell: shares in open orders of this symbol and product, not yet filled.
        orders_last_second: orders of the account in the second before, denied ones left out.
        duplicates: equal orders of the account within the duplicate window, denied ones left out.
    """

    instrument: Instrument | None
    reference_price: Decimal | None
    position: int
    open_buy: int
    open_sell: int
    orders_last_second: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Denial:
    """Why an order is denied: a stable code and the numbers behind it."""

    code: str
    detail: str

    def __str__(self) -> str:
        """`CODE: key=value ...`."""
        return f"{self.code}: {self.detail}"


Check = Callable[[OrderRequest, Context, Limits], Denial | None]


def check(request: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    """The first denial, or None when the order may go."""
    return next((denial for one in CHECKS if (denial := one(request, context, limits))), None)


def _symbol(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    return Denial("RISK_SYMBOL", f"symbol={request.symbol} is not listed") if context.instrument is None else None


def _rate(_: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    if context.orders_last_second < limits.max_orders_a_second:
        return None
    return Denial("RISK_RATE", f"orders_last_second={context.orders_last_second} max={limits.max_orders_a_second}")


def _duplicate(_: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    if not context.duplicates:
        return None
    return Denial("RISK_DUPLICATE", f"equal_orders={context.duplicates} window_s={limits.duplicate_window_s}")


def _quantity(request: OrderRequest, _: Context, limits: Limits) -> Denial | None:
    if request.quantity <= limits.max_quantity:
        return None
    return Denial("RISK_QTY", f"qty={request.quantity} max={limits.max_quantity}")


def _lot(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    lot = context.instrument.lot_size if context.instrument else 1
    return Denial("RISK_LOT", f"qty={request.quantity} lot={lot}") if request.quantity % lot else None


def _tick(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    price = request.limit_price
    if price is None or context.instrument is None or is_on_tick(price, context.instrument.tick_size):
        return None
    return Denial("RISK_TICK", f"price={price} tick={context.instrument.tick_size}")


def _price(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    if context.reference_price is None:
        return Denial("RISK_NO_PRICE", f"symbol={request.symbol} has not traded yet")
    return None


def _notional(request: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    notional = request.quantity * _worst_price(request, context)
    if notional <= limits.max_notional:
        return None
    return Denial("RISK_NOTIONAL", f"notional={notional} max={limits.max_notional}")


def _holding(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    free = context.position - context.open_sell
    if request.product is not Product.CNC or request.side is not Side.SELL or request.quantity <= free:
        return None
    return Denial("RISK_HOLDING", f"sell_qty={request.quantity} free={max(free, 0)} product=CNC")


def _position(request: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    # An order that shrinks a position passes: its side's sum stays at or below 0.
    pending = context.open_buy if request.side is Side.BUY else context.open_sell
    after = context.position * request.side.sign + pending + request.quantity
    value = after * _worst_price(request, context)
    if value <= limits.max_position:
        return None
    return Denial("RISK_POSITION", f"value={value} max={limits.max_position}")


def _worst_price(request: OrderRequest, context: Context) -> Decimal:
    return max(request.limit_price or Decimal(0), context.reference_price or Decimal(0))


CHECKS: Sequence[Check] = (
    _symbol,
    _rate,
    _duplicate,
    _quantity,
    _lot,
    _tick,
    _price,
    _notional,
    _holding,
    _position,
)
