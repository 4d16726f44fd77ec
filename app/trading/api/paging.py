"""Cursors: where a list goes on, as an opaque text.

A cursor is the ordering key of the last row that was shown. It is neither secret nor signed: it only says where to go
on within what the request's own filters, and the caller's rights, let through.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

from trading.api.problems import refuse
from trading.api.schemas.base import FieldProblem, PageQuery
from trading.storage.paging import Page

T = TypeVar("T")
BIGGEST = 2**63 - 1


def number(value: object) -> int:
    """A part of a key that is a number as the database counts."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= BIGGEST:
        raise ValueError("no such number")
    return value


def text(value: object) -> str:
    """A part of a key that is a name."""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError("no such name")
    return value


def time(value: object) -> datetime:
    """A part of a key that is a moment."""
    found = datetime.fromisoformat(text(value))
    if found.tzinfo is None:
        raise ValueError("no time zone")
    return found


def uuid(value: object) -> UUID:
    """A part of a key that is an id."""
    return UUID(text(value))


def asked(query: PageQuery, *parts: Callable[[object], Any]) -> Page:
    """The page that a request asks for, with one row more than it shows, so that the last page is known to be it.

    Args:
        parts: the types of the ordering key's parts; a cursor that is no such key ends the request with 422.
    """
    return Page(query.limit + 1, _decode(query.cursor, parts) if query.cursor else ())


def shown(
    rows: Sequence[T], query: PageQuery, key: Callable[[T], tuple[object, ...]]
) -> tuple[Sequence[T], str | None]:
    """The rows to show, and the cursor of the next page; None on the last."""
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    return rows, _encode(key(rows[-1]))


def _encode(key: tuple[object, ...]) -> str:
    plain = [part if isinstance(part, int) else str(part) for part in key]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(cursor: str, parts: Sequence[Callable[[object], Any]]) -> tuple[Any, ...]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list):
            raise ValueError("no key")
        return tuple(part(value) for part, value in zip(parts, values, strict=True))
    except (ValueError, RecursionError, OverflowError, binascii.Error):
        errors = [FieldProblem(field="cursor", rule="must be a next_cursor of this list; leave it out to begin anew")]
        refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "REQUEST_INVALID", "the cursor is not of this list", errors=errors)
