"""Versions of the allowlist in PostgreSQL: append-only, the newest is in force."""

from psycopg.types.json import Jsonb

from trading.security.allowlist import Version
from trading.storage.connection import Connection

LOCK = "SELECT pg_advisory_xact_lock(7301005)"  # one version at a time, each made on the one before


def newest(connection: Connection, *, lock: bool = False) -> Version:
    """The version in force; with `lock` nobody adds another until the transaction ends."""
    if lock:
        connection.execute(LOCK)
    row = connection.execute(
        "SELECT version, enforced, networks FROM allowlist_version ORDER BY version DESC LIMIT 1"
    ).fetchone()
    return Version(*row) if row else Version()


def add(connection: Connection, version: Version, actor: str) -> None:
    """Put a version in force that was made on what `newest` has returned in this transaction."""
    connection.execute(
        "INSERT INTO allowlist_version (version, enforced, networks, actor) VALUES (%s, %s, %s, %s)",
        (version.number, version.enforced, Jsonb(dict(version.networks)), actor),
    )
