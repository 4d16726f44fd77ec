"""Kubernetes quantities, as far as comparing two of them needs: the server stores `1000m` as `1`."""

import re
from fractions import Fraction
from typing import Any, Final

PATTERN: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?")
FACTORS: Final[dict[str, Fraction]] = {
    **{suffix: Fraction(10) ** power for suffix, power in zip("num", (-9, -6, -3), strict=True)},
    **{suffix: Fraction(1000) ** (n + 1) for n, suffix in enumerate("kMGTPE")},
    **{f"{suffix}i": Fraction(1024) ** (n + 1) for n, suffix in enumerate("KMGTPE")},
}
KEYS: Final = frozenset(
    {
        "limits",
        "requests",
        "hard",
        "capacity",
        "podFixed",
        "max",
        "min",
        "default",
        "defaultRequest",
        "maxLimitRequestRatio",
    }
    | {"sizeLimit", "divisor", "averageValue", "value"}
)
"""A path with one of these keys may hold quantities."""


def parse(value: Any) -> Fraction | None:  # noqa: ANN401
    """The exact number that a quantity stands for; None for what is no quantity."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Fraction(value)
    match = PATTERN.fullmatch(str(value)) if isinstance(value, str | float) else None
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    scale = Fraction(10) ** int(exponent[1:]) if exponent else FACTORS.get(suffix or "", Fraction(1))
    return Fraction(number) * scale


def same(path: tuple[str | int, ...], one: Any, other: Any) -> bool:  # noqa: ANN401
    """Whether two values at a path are the same quantity written in two ways."""
    if not isinstance(one, str | int | float) or not isinstance(other, str | int | float) or KEYS.isdisjoint(path):
        return False
    number = parse(one)
    return number is not None and number == parse(other)
