"""What can be traded."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from trading.domain.prices import to_tick

HUNDRED = Decimal(100)


class PriceBand(NamedTuple):
    """The prices that the exchange takes on a day, rupees, both ends included."""

    lower: Decimal
    upper: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A listed equity.

    Attributes:
        symbol: the exchange's own name, such as `RELIANCE`.
        exchange: `NSE`.
        tick_size: smallest price step, rupees.
        lot_size: smallest quantity step, shares (1 in the cash segment).
        isin: the security's number; None when the source does not say.
        series: the exchange's series; `EQ` trades intraday and for delivery.
        freeze_quantity: the most shares that the exchange takes in one order; None when not known.
        lower_band_percent, upper_band_percent: circuit limits from the previous close; None when not known.
    """

    symbol: str
    exchange: str
    tick_size: Decimal
    lot_size: int = 1
    isin: str | None = None
    series: str = "EQ"
    freeze_quantity: int | None = None
    lower_band_percent: Decimal | None = None
    upper_band_percent: Decimal | None = None

    def band(self, previous_close: Decimal) -> PriceBand | None:
        """The day's price band in whole ticks within the percentages; None when these are not known."""
        if self.lower_band_percent is None or self.upper_band_percent is None:
            return None
        lower = previous_close * (1 - self.lower_band_percent / HUNDRED)
        upper = previous_close * (1 + self.upper_band_percent / HUNDRED)
        return PriceBand(
            max(to_tick(lower, self.tick_size, ROUND_CEILING), self.tick_size),
            to_tick(upper, self.tick_size, ROUND_FLOOR),
        )


def is_isin(text: str) -> bool:
    """Whether the text is an Indian ISIN with a right check digit (ISO 6166: Luhn over letters as 10 to 35)."""
    if len(text) != 12 or not text.startswith("IN") or not text.isalnum() or not text.isupper():
        return False
    digits = [int(digit) for char in text for digit in str(int(char, 36))]
    doubled = (digit * 2 if place % 2 else digit for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
