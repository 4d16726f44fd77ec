"""Who may write as a role: one session holds the role's advisory lock, and every write proves its token."""

from typing import NamedTuple

from trading.storage.connection import Connection
from trading.storage.errors import LeadershipLost

EXECUTION, ENGINE, MARKETDATA, RISK, SCHEDULER = "execution", "engine", "marketdata", "risk", "scheduler"
# The execution role has the lock of the engine of version 0.1, which did its work: the two never lead side by side.
LOCK_KEYS = {EXECUTION: 7_301_002, ENGINE: 7_301_010, MARKETDATA: 7_301_011, RISK: 7_301_012, SCHEDULER: 7_301_013}


class Token(NamedTuple):
    """What one process leads a role with; its number is higher than any before."""

    role: str
    number: int


def acquire(connection: Connection, role: str, holder: str) -> Token | None:
    """Try to lead a role; None when another session leads.

    The lock lives as long as the session; the token makes a leader harmless that does not know its session is gone.

    Args:
        holder: who this is, for people.
    """
    if connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEYS[role],)).fetchone() != (True,):
        return None
    with connection.writing():
        row = connection.execute(
            "INSERT INTO leadership VALUES (%(name)s, 1, %(holder)s, clock_timestamp()) "
            "ON CONFLICT (name) DO UPDATE SET token = leadership.token + 1, holder = excluded.holder, "
            "acquired_at = excluded.acquired_at RETURNING token",
            {"name": role, "holder": holder},
        ).fetchone()
    if row is None:
        raise LeadershipLost("no row of leadership came back")
    return Token(role, int(row[0]))


def require_token(connection: Connection, token: Token) -> None:
    """Inside a transaction: go on only while `token` is the newest, and keep it so until the commit.

    Raises:
        LeadershipLost: another process has taken over.
    """
    row = connection.execute("SELECT token FROM leadership WHERE name = %s FOR SHARE", (token.role,)).fetchone()
    if row != (token.number,):
        raise LeadershipLost(f"role={token.role} token={token.number}: the newest is {row[0] if row else 'none'}")
