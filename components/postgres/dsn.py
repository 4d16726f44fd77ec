"""The connection string that every client should use. Pure."""

from collections.abc import Sequence
from typing import Literal


def dsn(
    hosts: Sequence[str], database: str, user: str, *, session: Literal["read-write", "standby"] = "read-write"
) -> str:
    """A libpq connection string without a password.

    It names every member, and libpq finds the right one by itself, so a client waits neither for a label nor for a
    Service. A member that is gone costs 2 s at connecting; one that falls silent later is noticed within 10 s, where
    Linux alone would wait some 15 minutes for an acknowledgement.

    Args:
        hosts: `host:port` of every member.
        database: name of the database.
        user: login role, with its slot: `trading_a`.
        session: `read-write` for the primary, `standby` for reads that may be a moment old.
    """
    names, ports = zip(*(host.rsplit(":", 1) for host in hosts), strict=True)
    settings = {
        "host": ",".join(names),
        "port": ",".join(ports),
        "dbname": database,
        "user": user,
        "sslmode": "require",
        "target_session_attrs": session,
        "connect_timeout": 2,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
    return " ".join(f"{key}={value}" for key, value in settings.items())
