"""Who may write as the engine: one session holds an advisory lock, and every write proves its token."""

import logging

from trading.storage.connection import Connection
from trading.storage.errors import LeadershipLost

log = logging.getLogger(__name__)
ENGINE = "engine"
LOCK_KEY = 7_301_002


def acquire(connection: Connection, holder: str) -> int | None:
    """Try to lead: the fencing token, higher than any before, or None when another session leads.

    The lock lives as long as the session; the token makes a leader harmless that does not know its session is gone.
    """
    if connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone() != (True,):
        return None
    with connection.writing():
        row = connection.execute(
            "INSERT INTO leadership VALUES (%(name)s, 1, %(holder)s, clock_timestamp()) "
            "ON CONFLICT (name) DO UPDATE SET token = leadership.token + 1, holder = excluded.holder, "
            "acquired_at = excluded.acquired_at RETURNING token",
            {"name": ENGINE, "holder": holder},
        ).fetchone()
    if row is None:
        raise LeadershipLost("no row of leadership came back")
    return int(row[0])


def require_token(connection: Connection, token: int) -> None:
    """Inside a transaction: go on only while `token` is the newest, and keep it so until the commit.

    Raises:
        LeadershipLost: another engine has taken over.
    """
    row = connection.execute("SELECT token FROM leadership WHERE name = %s FOR SHARE", (ENGINE,)).fetchone()
    if row != (token,):
        raise LeadershipLost(f"token={token}: the newest is {row[0] if row else 'none'}")
