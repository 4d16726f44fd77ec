"""Kubernetes quantities as numbers."""

import re
from decimal import Decimal

UNITS: dict[str, Decimal | int] = {
    "": 1,
    "m": Decimal("0.001"),
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}
QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")
GIB = 1024**3
MIB = 1024**2


def quantity(text: object) -> Decimal:
    """The number that a quantity stands for, in its base unit (cores, bytes). Raises ValueError."""
    match = QUANTITY.fullmatch(str(text))
    if match is None or match[2] not in UNITS:
        raise ValueError("not a quantity")
    return Decimal(match[1]) * UNITS[match[2]]
