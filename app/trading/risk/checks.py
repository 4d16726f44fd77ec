"""Pre-trade checks: stable codes, one line each, the first that fails decides.

A check that raises denies: what cannot be checked does not pass. Cancels are never checked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from trading.costs.rates import Rates
from trading.domain.instruments import Instrument
from trading.domain.orders import HUNDRED, ZERO, Mode, Order, OrderRequest, Product, Side, Terms
from trading.domain.prices import is_on_tick
from trading.risk.codes import DenyCode
from trading.risk.killswitch import TradingState


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one account may do.

    Attributes:
        max_quantity: shares in one order.
        max_notional: rupees in one order.
        max_position: rupees in one symbol, open orders counted as filled.
        max_exposure: rupees in all positions of the account, open orders counted as filled.
        max_strategy_exposure: the same of one strategy.
        max_deviation_percent: of a price from the last one.
        max_protection_percent: of market protection.
        max_orders_a_second: orders placed and changed in all accounts, which are one client at the broker; ten is where
            SEBI's rules for retail algorithms begin to ask for more. At most 1000.
        duplicate_window_s: an equal order within it is taken for a double dispatch; the spacing of ten a second.
    """

    max_quantity: int = 10_000
    max_notional: Decimal = Decimal(1_000_000)
    max_position: Decimal = Decimal(2_500_000)
    max_exposure: Decimal = Decimal(20_000_000)
    max_strategy_exposure: Decimal = Decimal(10_000_000)
    max_deviation_percent: Decimal = Decimal(10)
    max_protection_percent: Decimal = Decimal(5)
    max_orders_a_second: int = 10
    duplicate_window_s: Decimal = Decimal("0.1")


class Context(NamedTuple):
    """The state of the world that a check may look at, all of one moment; made for every order, hence a tuple.

    Attributes:
        instrument: None when the symbol is not listed.
        reference_price: last close in rupees; None before the first bar.
        position: shares held in this symbol and product, below 0 when short.
        open_buy, open_sell: shares in open orders of this symbol and product, not yet filled.
        orders_last_second: orders of the client in the second before, over all accounts, denied ones left out.
        duplicates: equal orders of the account within the duplicate window, denied ones left out.
        previous_close: of the session before, rupees; None when not known, and no price band is checked then.
        exposure: rupees in positions and open orders of the account, each symbol at its larger side.
        strategy_exposure: the same of the order's strategy.
        buying_power: rupees that are left for this order; None when the account keeps no cash.
        rates: the charges of the day for this product and side; None for none.
        trading_state: of the kill switch.
        is_session_open: whether the exchange takes orders; a venue that keeps them until it does may say True.
    """

    instrument: Instrument | None
    reference_price: Decimal | None
    position: int = 0
    open_buy: int = 0
    open_sell: int = 0
    orders_last_second: int = 0
    duplicates: int = 0
    previous_close: Decimal | None = None
    exposure: Decimal = ZERO
    strategy_exposure: Decimal = ZERO
    buying_power: Decimal | None = None
    rates: Rates | None = None
    trading_state: TradingState = TradingState.ACTIVE
    is_session_open: bool = True


@dataclass(frozen=True, slots=True)
class Denial:
    """Why an order is denied: a stable code and the numbers behind it."""

    code: DenyCode
    detail: str

    def __str__(self) -> str:
        """`CODE: key=value ...`."""
        return f"{self.code}: {self.detail}"


Check = Callable[[OrderRequest, Context, Limits], Denial | None]


def check(request: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    """The first denial, or None when the order may go."""
    for one in CHECKS:
        try:
            denial = one(request, context, limits)
        except Exception as error:  # whatever it is, see the module
            return Denial(DenyCode.ERROR, f"check={one.__name__.strip('_')} error={type(error).__name__}")
        if denial is not None:
            return denial
    return None


def check_change(order: Order, terms: Terms, context: Context, limits: Limits) -> Denial | None:
    """The same for new terms of an open order: what is left of them is checked like an order of its own.

    Args:
        context: the world without this order.
    """
    if terms.quantity <= order.quantity and terms[1:] == (order.limit_price, order.trigger_price):
        return None  # less of the same is as good as a cancel
    left = terms.quantity - order.filled_quantity
    wanted = replace(order.request, quantity=left, limit_price=terms.limit_price, trigger_price=terms.trigger_price)
    return check(wanted, context, limits)


def reduces(request: OrderRequest, context: Context) -> bool:
    """Whether the order can only shrink the position, whatever else of its side is filled before."""
    if request.side is Side.SELL:
        return request.quantity <= context.position - context.open_sell
    return request.quantity <= -context.position - context.open_buy


def growth(request: OrderRequest, context: Context) -> int:
    """Shares by which the order makes the largest position larger that all open orders could lead to."""
    most, least = context.position + context.open_buy, context.position - context.open_sell
    before = max(abs(most), abs(least))
    if request.side is Side.BUY:
        most += request.quantity
    else:
        least -= request.quantity
    return max(abs(most), abs(least)) - before


def worst_price(request: OrderRequest, context: Context) -> Decimal:
    """The highest price at which the order may have to be valued, rupees."""
    highest = context.reference_price or ZERO
    for price in (request.limit_price, request.trigger_price):
        if price is not None and price > highest:
            highest = price
    if request.market_protection_percent is not None and request.side is Side.BUY:
        highest += highest * request.market_protection_percent / HUNDRED
    return highest


def _state(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    if context.trading_state is TradingState.ACTIVE:
        return None
    if context.trading_state is TradingState.HALTED:
        return Denial(DenyCode.HALTED, "state=HALTED")
    if reduces(request, context):
        return None
    return Denial(DenyCode.REDUCING, f"state=REDUCING side={request.side} position={context.position}")


def _session(_: OrderRequest, context: Context, __: Limits) -> Denial | None:
    return None if context.is_session_open else Denial(DenyCode.SESSION, "session=closed")


def _algo(request: OrderRequest, _: Context, __: Limits) -> Denial | None:
    if request.mode is Mode.PAPER or request.algo_id:
        return None
    return Denial(DenyCode.ALGO, f"mode={request.mode} strategy={request.strategy_id} algo_id=None")


def _symbol(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    if context.instrument is not None:
        return None
    return Denial(DenyCode.SYMBOL, f"symbol={request.symbol} is not listed")


def _rate(_: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    if context.orders_last_second < limits.max_orders_a_second:
        return None
    return rate_denial(context.orders_last_second, limits.max_orders_a_second)


def rate_denial(orders: int, most: int) -> Denial:
    """The denial of one order more than `most` in a second."""
    return Denial(DenyCode.RATE, f"orders_last_second={orders} max={most}")


def _duplicate(_: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    if not context.duplicates:
        return None
    return Denial(DenyCode.DUPLICATE, f"equal_orders={context.duplicates} window_s={limits.duplicate_window_s}")


def _quantity(request: OrderRequest, _: Context, limits: Limits) -> Denial | None:
    if request.quantity <= limits.max_quantity:
        return None
    return Denial(DenyCode.QUANTITY, f"qty={request.quantity} max={limits.max_quantity}")


def _freeze(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    freeze = context.instrument.freeze_quantity if context.instrument else None
    if freeze is None or request.quantity <= freeze:
        return None
    return Denial(DenyCode.FREEZE, f"qty={request.quantity} freeze={freeze}")


def _lot(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    lot = context.instrument.lot_size if context.instrument else 1
    return Denial(DenyCode.LOT, f"qty={request.quantity} lot={lot}") if request.quantity % lot else None


def _tick(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    for price in (request.limit_price, request.trigger_price):
        if price is not None and context.instrument and not is_on_tick(price, context.instrument.tick_size):
            return Denial(DenyCode.TICK, f"price={price} tick={context.instrument.tick_size}")
    return None


def _protection(request: OrderRequest, _: Context, limits: Limits) -> Denial | None:
    percent = request.market_protection_percent
    if request.order_type.has_limit or (percent is not None and percent <= limits.max_protection_percent):
        return None
    return Denial(DenyCode.PROTECTION, f"market_protection_percent={percent} max={limits.max_protection_percent}")


def _price(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    if context.reference_price is not None:
        return None
    return Denial(DenyCode.NO_PRICE, f"symbol={request.symbol} has not traded yet")


def _band(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    prices = [price for price in (request.limit_price, request.trigger_price) if price is not None]
    if not prices or context.previous_close is None or context.instrument is None:
        return None
    band = context.instrument.band(context.previous_close)
    for price in prices:
        if band is not None and not band.lower <= price <= band.upper:
            return Denial(DenyCode.BAND, f"price={price} lower={band.lower} upper={band.upper}")
    return None


def _deviation(request: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    last = context.reference_price
    for price in (request.limit_price, request.trigger_price):
        if price is not None and last and abs(price - last) * HUNDRED > last * limits.max_deviation_percent:
            return Denial(DenyCode.DEVIATION, f"price={price} last={last} max_percent={limits.max_deviation_percent}")
    return None


def _notional(request: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    notional = request.quantity * worst_price(request, context)
    if notional <= limits.max_notional:
        return None
    return Denial(DenyCode.NOTIONAL, f"notional={notional} max={limits.max_notional}")


def _holding(request: OrderRequest, context: Context, _: Limits) -> Denial | None:
    free = context.position - context.open_sell
    if request.product is not Product.CNC or request.side is not Side.SELL or request.quantity <= free:
        return None
    return Denial(DenyCode.HOLDING, f"sell_qty={request.quantity} free={max(free, 0)} product=CNC")


def _position(request: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    # An order that shrinks a position passes: its side's sum stays at or below 0.
    pending = context.open_buy if request.side is Side.BUY else context.open_sell
    after = context.position * request.side.sign + pending + request.quantity
    value = after * worst_price(request, context)
    if value <= limits.max_position:
        return None
    return Denial(DenyCode.POSITION, f"value={value} max={limits.max_position}")


def _money(request: OrderRequest, context: Context, limits: Limits) -> Denial | None:
    """Exposure of account and strategy, and cash: all of what the order adds, so all at once."""
    grown = growth(request, context)
    if grown <= 0:
        return None
    added = grown * worst_price(request, context)
    if context.exposure + added > limits.max_exposure:
        return Denial(DenyCode.EXPOSURE, f"value={context.exposure + added} max={limits.max_exposure}")
    if request.strategy_id is not None and context.strategy_exposure + added > limits.max_strategy_exposure:
        value = context.strategy_exposure + added
        return Denial(DenyCode.STRATEGY, f"value={value} max={limits.max_strategy_exposure}")
    if context.buying_power is None:
        return None
    needed = added + (context.rates.total(added) if context.rates else ZERO)
    if needed <= context.buying_power:
        return None
    return Denial(DenyCode.CASH, f"needed={needed:.2f} left={context.buying_power:.2f}")


CHECKS: Sequence[Check] = (
    _state,
    _session,
    _algo,
    _symbol,
    _rate,
    _duplicate,
    _quantity,
    _freeze,
    _lot,
    _tick,
    _protection,
    _price,
    _band,
    _deviation,
    _notional,
    _holding,
    _position,
    _money,
)
