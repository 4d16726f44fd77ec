"""Which migrations this version knows, and whether a database has them; `trading.storage.migrate` applies them."""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

from trading.storage.connection import Connection

NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, name and text."""

    version: int
    name: str
    sql: str

    @property
    def revision(self) -> str:
        """What Alembic calls it."""
        return f"{self.version:04d}"

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


def is_current(connection: Connection) -> bool:
    """Whether the schema has every migration of this version (a newer schema is fine: changes only add)."""
    if connection.execute("SELECT to_regclass('schema_migration')").fetchone() == (None,):
        return False
    done = {row[0] for row in connection.execute("SELECT version FROM schema_migration")}
    return all(migration.version in done for migration in migrations())
