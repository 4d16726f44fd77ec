"""Exact prices: Decimal rupees on a tick grid."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

BASIS_POINT = Decimal("0.0001")


def parse_decimal(text: str) -> Decimal:
    """A finite Decimal from plain text such as `2901.05`.

    Raises:
        ValueError: not a number, infinite, or not a number on purpose (nan).
    """
    try:
        value = Decimal(text.strip())
    except InvalidOperation as error:
        raise ValueError("not a decimal number") from error
    if not value.is_finite():
        raise ValueError("not a finite number")
    return value


def is_on_tick(price: Decimal, tick_size: Decimal) -> bool:
    """Whether the price lies on the instrument's grid."""
    return price % tick_size == 0


def to_tick(price: Decimal, tick_size: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """The grid price nearest to `price`, or the next one down or up by a rounding mode of `decimal`."""
    return (price / tick_size).to_integral_value(rounding) * tick_size
