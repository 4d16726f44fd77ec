"""The constituents of the NIFTY 50 as data with an as-of date.

Membership changes twice a year: a new list is a new file beside the others, named by its date, and a list once shipped
never changes. Columns: symbol, ISIN and series as in NSE's own list of constituents; sector, a coarse group for the
synthetic market; start price, only its order of magnitude; tick size after the exchange's price bands of April 2025;
circuit limits in percent of the previous close (10, the dynamic band of shares with derivatives); freeze quantity in
shares, empty for not known and so not enforced: it is in the exchange's daily security file, which is not public (the
list that is public is of derivatives).
"""

import csv
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib import resources

from trading.domain.errors import TradingError
from trading.domain.instruments import Instrument, is_isin

NAME = re.compile(r"nifty50_(\d{4}-\d\d-\d\d)\.csv")


class UniverseError(TradingError):
    """There is no list for a day, or a list is wrong."""

    code = "UNIVERSE"


@dataclass(frozen=True, slots=True)
class Constituent:
    """One member of the index: its instrument, sector, and where its synthetic price starts, in rupees."""

    instrument: Instrument
    sector: str
    start_price: Decimal


def versions() -> tuple[date, ...]:
    """The as-of dates of the lists, oldest first."""
    folder = resources.files("trading.marketdata") / "data"
    return tuple(sorted(date.fromisoformat(m[1]) for file in folder.iterdir() if (m := NAME.fullmatch(file.name))))


def nifty50(on: date | None = None) -> tuple[Constituent, ...]:
    """The 50 members, in symbol order, by the newest list, or by the one that was in force on a day.

    Raises:
        UniverseError: the day is before the first list.
    """
    known = [version for version in versions() if on is None or version <= on]
    if not known:
        raise UniverseError(f"no list of constituents for {on}: the first is of {versions()[0]}; add an older file")
    path = resources.files("trading.marketdata") / "data" / f"nifty50_{known[-1]}.csv"
    return tuple(_constituent(row) for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def _constituent(row: dict[str, str]) -> Constituent:
    if not is_isin(row["isin"]):
        raise UniverseError(f"isin={row['isin']} of {row['symbol']}: the check digit is wrong; correct the list")
    instrument = Instrument(
        symbol=row["symbol"],
        exchange="NSE",
        tick_size=Decimal(row["tick_size"]),
        isin=row["isin"],
        series=row["series"],
        freeze_quantity=int(row["freeze_quantity"]) if row["freeze_quantity"] else None,
        lower_band_percent=Decimal(row["lower_band_percent"]),
        upper_band_percent=Decimal(row["upper_band_percent"]),
    )
    return Constituent(instrument, row["sector"], Decimal(row["start_price"]))
