"""Sessions of people who logged in, and the refresh tokens that carry them on."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from trading.storage.connection import Connection


class Ended(StrEnum):
    """Why a session ended before its time."""

    LOGOUT = "logout"
    REUSE = "reuse"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a presented refresh token led to.

    Attributes:
        session: the token's; None when the token or its session is not good.
        name: whose session it is; empty when the token is unknown.
        reused: the token had been used before, and the whole session was ended for it just now.
    """

    session: UUID | None
    name: str = ""
    reused: bool = False


def begin(connection: Connection, session: UUID, name: str, expires_at: datetime, token: bytes) -> bool:
    """Begin a session with its first refresh token (its hash); False when it was begun before."""
    is_new = connection.execute(
        "INSERT INTO user_session (id, user_name, expires_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (session, name, expires_at),
    ).rowcount
    if is_new:
        connection.execute("INSERT INTO refresh_token (hash, session) VALUES (%s, %s)", (token, session))
    return bool(is_new)


def refresh(connection: Connection, presented: bytes, fresh: bytes) -> Refreshed:
    """Exchange a refresh token (hashes). One that was exchanged before ends its session: one of its two users stole it.

    The same exchange again, as after a commit with an unknown outcome, is the one that was made.
    """
    row = connection.execute(
        "SELECT session, user_name, replaced_by, ended_at IS NULL AND expires_at > clock_timestamp() "
        "FROM refresh_token JOIN user_session ON id = session WHERE hash = %s FOR UPDATE",
        (presented,),
    ).fetchone()
    if row is None:
        return Refreshed(None)
    session, name, replaced_by, is_open = row
    if replaced_by == fresh:
        return Refreshed(session, name)
    if replaced_by is not None:
        return Refreshed(None, name, reused=end(connection, session, Ended.REUSE))
    if not is_open:
        return Refreshed(None, name)
    connection.execute("UPDATE refresh_token SET replaced_by = %s WHERE hash = %s", (fresh, presented))
    connection.execute("INSERT INTO refresh_token (hash, session) VALUES (%s, %s)", (fresh, session))
    return Refreshed(session, name)


def is_open(connection: Connection, session: UUID, name: str) -> bool:
    """Whether the session is this person's and goes on."""
    return bool(
        connection.execute(
            "SELECT 1 FROM user_session WHERE id = %s AND user_name = %s AND ended_at IS NULL "
            "AND expires_at > clock_timestamp()",
            (session, name),
        ).fetchone()
    )


def end(connection: Connection, session: UUID, because: Ended) -> bool:
    """End a session; False when it had ended."""
    return bool(
        connection.execute(
            "UPDATE user_session SET ended_at = clock_timestamp(), ended_because = %s "
            "WHERE id = %s AND ended_at IS NULL",
            (because.value, session),
        ).rowcount
    )


def end_all(connection: Connection, name: str, because: Ended) -> int:
    """End every session of a person; returns how many."""
    return connection.execute(
        "UPDATE user_session SET ended_at = clock_timestamp(), ended_because = %s "
        "WHERE user_name = %s AND ended_at IS NULL",
        (because.value, name),
    ).rowcount
