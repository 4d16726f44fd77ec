"""Rules that several components and the policy pack share: pure functions from values to problems."""

import re
from collections.abc import Iterable

from components.kit.errors import Problem

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def at_least(field: str, value: int, minimum: int, unit: str, why: str = "") -> list[Problem]:
    """The value must not be below `minimum`; `unit` is what one of it is (`GiB`, `pods`, `s`)."""
    if value >= minimum:
        return []
    rule = f"at least {minimum} {unit}" + (f" ({why})" if why else "")
    return [Problem(field, value, rule, f"give {minimum} or more")]


def at_most(field: str, value: int, maximum: int, unit: str, why: str = "") -> list[Problem]:
    """The value must not be above `maximum`."""
    if value <= maximum:
        return []
    rule = f"at most {maximum} {unit}" + (f" ({why})" if why else "")
    return [Problem(field, value, rule, f"give {maximum} or less")]


def odd(field: str, value: int, why: str) -> list[Problem]:
    """The value must be odd: an even number of voters survives no more failures than the odd number below it."""
    if value % 2:
        return []
    return [Problem(field, value, f"an odd number ({why})", f"give {value + 1}")]


def dns_label(field: str, value: str) -> list[Problem]:
    """The value must be a DNS label (RFC 1123), as names of namespaces and Services are."""
    if DNS_LABEL.fullmatch(value):
        return []
    rule = "1 to 63 small letters, digits or '-', a letter or digit first and last (RFC 1123)"
    return [Problem(field, value, rule, "give a name such as 'trading'")]


def one_of(field: str, value: str, allowed: Iterable[str]) -> list[Problem]:
    """The value must be one of a fixed set."""
    choices = sorted(allowed)
    if value in choices:
        return []
    return [Problem(field, value, f"one of {', '.join(choices)}", f"give {choices[0]!r} or another of them")]
