"""What access leaves behind goes when its time is over: by the clock, not by market time, and a batch at a time.

Nonces are not among it: they are in Redis, which forgets each by itself.
"""

from collections.abc import Mapping
from typing import LiteralString

from trading.storage.connection import Connection

BATCH = 1000

# A session is kept for a day after the last moment at which it could have gone on, with every token that it ever had:
# as long as one of them is good, each of the used ones must be known again, because its second use ends the session.
# An answer is kept for a day, in which the request with its key may come again.
EXPIRED: Mapping[str, LiteralString] = {
    "refresh_token": "DELETE FROM refresh_token WHERE hash IN (SELECT hash FROM refresh_token "
    "JOIN user_session ON id = session WHERE expires_at < clock_timestamp() - interval '1 day' LIMIT %s)",
    "user_session": "DELETE FROM user_session WHERE id IN (SELECT id FROM user_session s "
    "WHERE expires_at < clock_timestamp() - interval '1 day' "
    "AND NOT EXISTS (SELECT FROM refresh_token WHERE session = s.id) LIMIT %s)",
    "idempotency_key": "DELETE FROM idempotency_key WHERE (principal, key) IN (SELECT principal, key "
    "FROM idempotency_key WHERE recorded_at < clock_timestamp() - interval '1 day' LIMIT %s)",
}
"""By table, in the order in which they go."""


def delete_expired(connection: Connection, table: str, batch: int) -> int:
    """Delete rows of a table of `EXPIRED` whose time is over, at most a batch; returns how many.

    Inside the caller's transaction.
    """
    return connection.execute(EXPIRED[table], (batch,)).rowcount
