"""Changes of access: made and noted in one transaction."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from trading.api.access import principal
from trading.api.addresses import address
from trading.api.deps import dependencies
from trading.api.knownkeys import known_keys
from trading.api.problems import refuse
from trading.security.audit import Entry
from trading.storage.audit import append
from trading.storage.connection import Connection

T = TypeVar("T")


def written(work: Callable[[Connection], T]) -> T:
    """The result of `work` in one transaction; it is made again when its outcome is unknown, so it must be safe to.

    It holds for the next request here, and in the other processes as soon as they ask the store again.
    """

    def write(connection: Connection) -> T:
        with connection.writing():
            return work(connection)

    try:
        return dependencies().database.run(write)
    finally:  # whatever is known of its outcome
        known_keys().forget()


def note(connection: Connection, action: str, subject: str, *, actor: str | None = None, **detail: Any) -> None:  # noqa: ANN401 - JSON values
    """Put into the audit what whoever asks has done in this transaction."""
    append(connection, Entry(actor or principal().name, action, subject, address(), detail))


def person() -> str:
    """The name of whoever asks, who must have logged in: a key must not make keys, or it could outlive its end."""
    if principal().session is None:
        refuse(HTTPStatus.FORBIDDEN, "LOGIN_NEEDED", "log in as a user for this; a key cannot do it")
    return principal().name
