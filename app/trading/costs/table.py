"""The dated table of charges: rows with a first day and a source, never changed, only followed by newer ones."""

import csv
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources

from trading.costs.rates import Rates
from trading.domain.errors import TradingError
from trading.domain.orders import HUNDRED, ZERO, Product, Side

CHARGES = ("brokerage", "stt", "stamp", "exchange", "ipft", "sebi", "gst", "depository")
REQUIRED = ("stt", "exchange", "sebi", "gst")
ANY = "*"


class CostTableError(TradingError):
    """A table that cannot be used."""

    code = "COST_TABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """One rate from one day on, until a newer row for the same charge, product and side.

    Attributes:
        product, side: `*` for all.
        percent: of the traded value; of the other charges for gst.
        rupees: the amount for depository, the cap an order for brokerage.
        source: who says so.
    """

    effective_from: date
    charge: str
    product: str
    side: str
    percent: Decimal
    rupees: Decimal | None
    source: str


class CostTable:
    """Rates by day, product and side.

    A day before `begins` has the rates of `begins`: the table does not reach further back.

    Raises:
        CostTableError: a row names no charge, or a charge that every trade pays is missing.
    """

    def __init__(self, rows: Iterable[CostRow]) -> None:
        self.rows = tuple(sorted(rows, key=lambda row: row.effective_from))
        for row in self.rows:
            if row.charge not in CHARGES:
                raise CostTableError(f"charge={row.charge}: not one of {', '.join(CHARGES)}; correct the row")
        missing = [charge for charge in REQUIRED if charge not in {row.charge for row in self.rows}]
        if missing:
            raise CostTableError(f"charges {', '.join(missing)}: have no row; add one with its source")
        firsts: dict[tuple[str, str, str], date] = {}
        for row in self.rows:
            firsts.setdefault((row.charge, row.product, row.side), row.effective_from)
        self.begins = max(firsts.values())
        self._days = sorted({max(row.effective_from, self.begins) for row in self.rows})
        self._rates = [
            {(product, side): self._at(day, product, side) for product in Product for side in Side}
            for day in self._days
        ]

    def rates(self, day: date, product: Product, side: Side) -> Rates:
        """The rates of a product and side on a day."""
        return self._rates[max(bisect_right(self._days, day) - 1, 0)][product, side]

    def _at(self, day: date, product: Product, side: Side) -> Rates:
        found: dict[str, CostRow] = {}
        for row in self.rows:
            if row.effective_from <= day and row.product in (product, ANY) and row.side in (side, ANY):
                found[row.charge] = row
        rates: Mapping[str, Decimal] = {charge: row.percent / HUNDRED for charge, row in found.items()}
        brokerage, depository = found.get("brokerage"), found.get("depository")
        cap = brokerage.rupees if brokerage else None
        return Rates.of(dict(rates), cap, (depository.rupees or ZERO) if depository else ZERO)


@cache
def nse_equity() -> CostTable:
    """The table that is shipped: NSE, cash segment, a discount broker's tariff."""
    path = resources.files("trading.costs") / "data" / "nse_equity.csv"
    return CostTable(_row(row) for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def _row(row: Mapping[str, str]) -> CostRow:
    return CostRow(
        effective_from=date.fromisoformat(row["effective_from"]),
        charge=row["charge"],
        product=row["product"],
        side=row["side"],
        percent=Decimal(row["percent"] or 0),
        rupees=Decimal(row["rupees"]) if row["rupees"] else None,
        source=row["source"],
    )
