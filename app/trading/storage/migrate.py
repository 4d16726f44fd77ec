"""Schema migrations: numbered SQL files, each applied once, in order, forward only.

Any number of processes may migrate at once: an advisory lock lets one work while the others wait and then find it done.
"""

import hashlib
import logging
import re
import time
from dataclasses import dataclass
from importlib import resources

import psycopg

from trading.domain.errors import TradingError
from trading.storage.connection import Connection, Logins

log = logging.getLogger(__name__)
LOCK_KEY = 7_301_001
PAUSE_S = 1.0
NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class MigrationError(TradingError):
    """The schema cannot be brought to this version."""

    code = "MIGRATION"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, name and text."""

    version: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, to notice a file that was changed after it had been applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """The migrations of this version, oldest first."""
    folder = resources.files("trading.storage") / "migrations"
    found = [
        Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := NAME.fullmatch(file.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


def migrate(logins: Logins, *, wait_s: float) -> list[str]:
    """Bring the schema to this version; returns the names of what was applied.

    Args:
        wait_s: how long to wait for a writable database, seconds.

    Raises:
        MigrationError: no writable database in time, or the schema's history differs from this version's files.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with Connection.connect(logins=logins) as connection:
                return _apply(connection, migrations())
        except psycopg.OperationalError as error:
            if time.monotonic() >= deadline:
                reason = str(error).strip().splitlines()[0]
                raise MigrationError(
                    f"no writable PostgreSQL at {logins.parameters['host']} within {wait_s:g} s ({reason}); "
                    "look at its members, then run this again"
                ) from error
            log.info("waiting for a writable PostgreSQL")
            time.sleep(PAUSE_S)


def _apply(connection: Connection, known: list[Migration]) -> list[str]:
    applied = []
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = 0")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration (version integer PRIMARY KEY, name text NOT NULL, "
            "sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        done = dict(connection.execute("SELECT version, sha256 FROM schema_migration").fetchall())
        _check(done, known)
        for migration in known:
            if migration.version not in done:
                connection.execute(migration.sql.encode())
                connection.execute(
                    "INSERT INTO schema_migration (version, name, sha256) VALUES (%s, %s, %s)",
                    (migration.version, migration.name, migration.digest),
                )
                applied.append(migration.name)
    return applied


def _check(done: dict[int, str], known: list[Migration]) -> None:
    for migration in known:
        if done.get(migration.version, migration.digest) != migration.digest:
            raise MigrationError(
                f"migration {migration.name}: differs from what was applied to this database; "
                "restore the file and put the change into a new migration"
            )


def is_current(connection: Connection) -> bool:
    """Whether the schema has every migration of this version (a newer schema is fine: changes only add)."""
    if connection.execute("SELECT to_regclass('schema_migration')").fetchone() == (None,):
        return False
    done = {row[0] for row in connection.execute("SELECT version FROM schema_migration")}
    return all(migration.version in done for migration in migrations())
