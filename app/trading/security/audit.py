"""The record of who changed access: each entry's hash covers its content and the entry before. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

START = bytes(32)


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody did.

    Attributes:
        actor: name of the user, `platform`, or who ran a command.
        action: such as `user.create`.
        subject: what it was done to.
        address: from which it came; None for a command.
        detail: JSON values, never a secret.
    """

    actor: str
    action: str
    subject: str
    address: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as it is kept: its place in the chain, from 1 on, when it was, and its hash."""

    seq: int
    at: datetime
    entry: Entry
    hash: bytes


def link_hash(previous: bytes, seq: int, at: datetime, entry: Entry) -> bytes:
    """SHA-256 of the hash before and the content, as JSON with sorted keys, times in UTC."""
    content = [
        seq,
        at.astimezone(UTC).isoformat(),
        entry.actor,
        entry.action,
        entry.subject,
        entry.address,
        dict(entry.detail),
    ]
    return hashlib.sha256(previous + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()


def first_broken(links: Iterable[Link]) -> int | None:
    """The place from which the chain does not hold; None when all of it does. The links come oldest first."""
    previous = START
    for number, link in enumerate(links, 1):
        if link.seq != number or link_hash(previous, link.seq, link.at, link.entry) != link.hash:
            return number
        previous = link.hash
    return None
