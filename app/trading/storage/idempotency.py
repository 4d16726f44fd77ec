"""Requests that carry a key are done once: the answer is booked with what it did, and given again to a repetition.

An answer is kept for a day; the scheduler deletes it then, see `trading.storage.retention`.
"""

from collections.abc import Callable
from typing import Any

from psycopg.types.json import Jsonb

from trading.domain.errors import TradingError
from trading.storage.connection import Connection


class IdempotencyKeyReused(TradingError):
    """The key belongs to a request with another content."""

    code = "IDEMPOTENCY_KEY_REUSED"


Answer = tuple[int, dict[str, Any]]


def once(connection: Connection, principal: str, key: str, digest: str, work: Callable[[], Answer]) -> Answer:
    """The answer of `work()`, or the one that this key's first request was given.

    Call it inside a transaction: what `work` does and the answer become true together. A second request that comes
    while the first is under way waits for it.

    Raises:
        IdempotencyKeyReused: the key came with another content before.
    """
    is_new = connection.execute(
        "INSERT INTO idempotency_key (principal, key, request_sha256) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (principal, key, digest),
    ).rowcount
    if is_new:
        status, body = work()
        connection.execute(
            "UPDATE idempotency_key SET status = %s, answer = %s WHERE principal = %s AND key = %s",
            (status, Jsonb(body), principal, key),
        )
        return status, body
    row = connection.execute(
        "SELECT request_sha256, status, answer FROM idempotency_key WHERE principal = %s AND key = %s",
        (principal, key),
    ).fetchone()
    if row is None or row[0] != digest:
        raise IdempotencyKeyReused("Idempotency-Key: came with another request before; take a new one")
    return row[1], row[2]
