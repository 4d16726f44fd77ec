"""What can be traded."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A listed equity.

    Attributes:
        symbol: the exchange's own name, such as `RELIANCE`.
        exchange: `NSE`.
        tick_size: smallest price step, rupees.
        lot_size: smallest quantity step, shares (1 in the cash segment).
    """

    symbol: str
    exchange: str
    tick_size: Decimal
    lot_size: int = 1
