"""At which price an order trades within a bar: pure, and never better than what the bar could have given.

A bar says little of the order of its prices, so doubt goes against the order: a market is met at the far side of the
spread, a stop that triggers within a bar is not filled by an extreme that may have come before its trigger, and a limit
that is only touched stands behind the others at that price.
"""

from decimal import ROUND_UP, Decimal
from typing import NamedTuple

from trading.domain.orders import HUNDRED, Order, Side
from trading.domain.prices import BASIS_POINT, to_tick
from trading.marketdata.bars import Bar

HALF_SPREAD = 2 * BASIS_POINT


class Match(NamedTuple):
    """How an order meets a bar.

    Attributes:
        triggers: whether its trigger price trades in this bar.
        price: at which it trades, rupees; None when it does not.
        is_queued: whether its limit is touched and not passed, so that it is filled after those before it.
    """

    triggers: bool = False
    price: Decimal | None = None
    is_queued: bool = False


def match(order: Order, bar: Bar, tick: Decimal) -> Match:
    """How a working order meets the next bar of its symbol."""
    side = order.request.side
    sign = side.sign
    start, triggers = bar.open, False
    trigger = order.trigger_price
    if trigger is not None and not order.is_triggered:
        if (bar.high if side is Side.BUY else bar.low) * sign < trigger * sign:
            return Match()
        start, triggers = max(start * sign, trigger * sign) * sign, True
    half = max(tick, to_tick(start * HALF_SPREAD, tick, ROUND_UP)) * sign
    touch = max(start + half, tick)
    limit = order.limit_price
    if limit is None:
        limit = _protected(order, start)
    if limit is None or (limit - touch) * sign >= 0:
        return Match(triggers, touch)
    if triggers:
        return Match(triggers)
    passed = (limit - (bar.low if side is Side.BUY else bar.high) - half) * sign
    return Match(False, max(limit, tick), passed == 0) if passed >= 0 else Match()


def _protected(order: Order, start: Decimal) -> Decimal | None:
    """The limit that market protection gives an order without one: from its trigger, or from the market."""
    percent = order.request.market_protection_percent
    if percent is None:
        return None
    base = start if order.trigger_price is None else order.trigger_price
    return base + base * percent / HUNDRED * order.request.side.sign
