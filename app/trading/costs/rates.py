"""The rates of one product and side on one day, and what a trade costs at them.

Amounts are unrounded rupees: sums over parts and strategies must stay exact. What a contract note shows is another
matter, see `Charges.rounded`. Each rate is a fraction of the traded value, 0.001 for 0.1 %.
"""

from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal

from trading.domain.orders import ZERO

PAISA = Decimal("0.01")
RUPEE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """What one trade costs, item by item, rupees.

    Attributes:
        stt: securities transaction tax.
        ipft: the exchange's investor protection fund.
        gst: on brokerage, exchange, ipft and sebi.
    """

    brokerage: Decimal = ZERO
    stt: Decimal = ZERO
    stamp: Decimal = ZERO
    exchange: Decimal = ZERO
    ipft: Decimal = ZERO
    sebi: Decimal = ZERO
    gst: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """The sum of the items."""
        return self.brokerage + self.stt + self.stamp + self.exchange + self.ipft + self.sebi + self.gst

    def __add__(self, other: "Charges") -> "Charges":
        return Charges(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def rounded(self) -> "Charges":
        """As a contract note shows them: STT and stamp duty in whole rupees, all else in paise, halves up.

        Of a whole day's sums, never of single trades: a rounded part is not a part of a rounded sum.
        """
        whole = {"stt", "stamp"}
        return Charges(
            **{
                field.name: getattr(self, field.name).quantize(RUPEE if field.name in whole else PAISA, ROUND_HALF_UP)
                for field in fields(self)
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """All rates of one product and side on one day.

    Attributes:
        brokerage_cap: rupees an order; None for none.
        depository: rupees for the first delivery sale of a scrip on a day, GST included; on no contract note.
        turnover: all that is in proportion to the value, GST on it included; derived, so that the whole is one product.
    """

    brokerage: Decimal
    brokerage_cap: Decimal | None
    stt: Decimal
    stamp: Decimal
    exchange: Decimal
    ipft: Decimal
    sebi: Decimal
    gst: Decimal
    depository: Decimal
    turnover: Decimal

    @classmethod
    def of(cls, rates: dict[str, Decimal], cap: Decimal | None, depository: Decimal) -> "Rates":
        """The rates by name; a charge that does not apply is 0."""
        brokerage, stt, stamp, exchange, ipft, sebi, gst = (
            rates.get(name, ZERO) for name in ("brokerage", "stt", "stamp", "exchange", "ipft", "sebi", "gst")
        )
        return cls(
            brokerage=brokerage,
            brokerage_cap=cap,
            stt=stt,
            stamp=stamp,
            exchange=exchange,
            ipft=ipft,
            sebi=sebi,
            gst=gst,
            depository=depository,
            turnover=stt + stamp + (exchange + ipft + sebi) * (1 + gst),
        )

    def total(self, value: Decimal, before: Decimal = ZERO) -> Decimal:
        """What a trade costs, rupees; exactly the total of `charges`, at a fraction of the work.

        Args:
            value: price times quantity of the trade.
            before: value that the same order has traded before, as brokerage is capped by the order.
        """
        total = value * self.turnover
        if self.brokerage:
            total += self._brokerage(value, before) * (1 + self.gst)
        return total

    def charges(self, value: Decimal, before: Decimal = ZERO) -> Charges:
        """The same, item by item."""
        brokerage = self._brokerage(value, before)
        exchange, ipft, sebi = value * self.exchange, value * self.ipft, value * self.sebi
        return Charges(
            brokerage=brokerage,
            stt=value * self.stt,
            stamp=value * self.stamp,
            exchange=exchange,
            ipft=ipft,
            sebi=sebi,
            gst=(brokerage + exchange + ipft + sebi) * self.gst,
        )

    def _brokerage(self, value: Decimal, before: Decimal) -> Decimal:
        return self._brokerage_until(before + value) - (self._brokerage_until(before) if before else ZERO)

    def _brokerage_until(self, value: Decimal) -> Decimal:
        brokerage = value * self.brokerage
        return brokerage if self.brokerage_cap is None else min(brokerage, self.brokerage_cap)
