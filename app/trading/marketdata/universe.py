"""The constituents of the NIFTY 50 as data with an as-of date.

Membership changes twice a year: a new list is a new file. Sectors are coarse groups for the synthetic market; start
prices are only its order of magnitude; tick sizes follow the exchange's price bands of April 2025.
"""

import csv
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources

from trading.domain.instruments import Instrument

AS_OF = "2025-09-30"


@dataclass(frozen=True, slots=True)
class Constituent:
    """One member of the index: its instrument, sector, and where its synthetic price starts, in rupees."""

    instrument: Instrument
    sector: str
    start_price: Decimal


def nifty50() -> tuple[Constituent, ...]:
    """The 50 members as of `AS_OF`, in symbol order."""
    path = resources.files("trading.marketdata") / "data" / f"nifty50_{AS_OF}.csv"
    return tuple(
        Constituent(
            Instrument(symbol=row["symbol"], exchange="NSE", tick_size=Decimal(row["tick_size"])),
            row["sector"],
            Decimal(row["start_price"]),
        )
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    )
