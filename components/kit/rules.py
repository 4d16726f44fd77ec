"""Rules that several components and the policy pack share: pure functions from values to problems."""

import ipaddress
import re
from collections.abc import Iterable

from components.kit.errors import Problem

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
DNS_NAME = re.compile(rf"{DNS_LABEL.pattern}(\.{DNS_LABEL.pattern})*")
MAX_DNS_NAME = 253


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


def dns_name(field: str, value: str, example: str) -> list[Problem]:
    """The value must be DNS labels joined by dots (RFC 1123), as host names and the names of most objects are."""
    if len(value) <= MAX_DNS_NAME and DNS_NAME.fullmatch(value):
        return []
    rule = f"labels of small letters, digits and '-' joined by dots, {MAX_DNS_NAME} characters at most (RFC 1123)"
    return [Problem(field, value, rule, f"give a name such as {example!r}")]


def cidr(field: str, text: str) -> list[Problem]:
    """The text must be an IPv4 or IPv6 address block without host bits, as NetworkPolicy asks."""
    try:
        ipaddress.ip_network(text, strict=True)
    except ValueError as error:
        return [Problem(field, text, f"an address block in CIDR notation ({error})", "give one such as '10.0.0.0/8'")]
    return []


def allowlist(field: str, cidrs: Iterable[str]) -> list[Problem]:
    """Each must be an address block, and none may be the whole internet: such a list would promise what it does not."""
    found = []
    for text in cidrs:
        wrong = cidr(field, text)
        if not wrong and ipaddress.ip_network(text).prefixlen == 0:
            wrong = [Problem(field, text, "an allowlist that allows every address", "name the blocks, or leave it out")]
        found += wrong
    return found


def one_of(field: str, value: str, allowed: Iterable[str]) -> list[Problem]:
    """The value must be one of a fixed set."""
    choices = sorted(allowed)
    if value in choices:
        return []
    return [Problem(field, value, f"one of {', '.join(choices)}", f"give {choices[0]!r} or another of them")]


CRON_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 6))
CRON_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")


def cron(field: str, text: str) -> list[Problem]:
    """The text must be a schedule of five fields, in numbers: minute, hour, day of month, month, day of week."""
    parts = text.split()
    fix = "give five fields such as '30 20 * * 0', Sundays at 20:30"
    if len(parts) != len(CRON_FIELDS):
        return [Problem(field, text, "a cron schedule of five fields", fix)]
    wrong = [
        f"{name} {part!r} is none from {low} to {high}"
        for part, (name, low, high) in zip(parts, CRON_FIELDS, strict=True)
        if not all(_cron_part(one, low, high) for one in part.split(","))
    ]
    return [Problem(field, text, f"a cron schedule: {'; '.join(wrong)}", fix)] if wrong else []


def _cron_part(text: str, low: int, high: int) -> bool:
    match = CRON_PART.fullmatch(text)
    if match is None or match[3] == "0":
        return False
    ends = [int(end) for end in match.groups()[:2] if end is not None]
    return ends == sorted(ends) and all(low <= end <= high for end in ends)
