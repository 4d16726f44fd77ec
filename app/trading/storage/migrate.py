"""Schema migrations by Alembic: each revision runs an SQL file, once, in order, forward only.

Any number of processes may migrate at once: an advisory lock lets one work while the others wait and then find it done.
All that is missing is applied in one transaction, so that nothing is ever half done.

Beside Alembic's own table, `schema_migration` says which files were applied, and their digests: an engine of the
release before reads it, and Alembic notices no file that was changed afterwards.

Only `trading migrate` imports this module: Alembic is as much to load as all the rest of a role.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection as Session
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from trading.domain.errors import TradingError
from trading.storage.connection import Connection, Logins
from trading.storage.schema import Migration, migrations

log = logging.getLogger(__name__)
LOCK_KEY = 7_301_001
PAUSE_S = 1.0
HEAD = "head"
RECORD = "INSERT INTO schema_migration (version, name, sha256) VALUES (%s, %s, %s)"
RECORDS = (
    "CREATE TABLE IF NOT EXISTS schema_migration (version integer PRIMARY KEY, name text NOT NULL, "
    "sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
)


class MigrationError(TradingError):
    """The schema cannot be brought to this version."""

    code = "MIGRATION"


def migrate(logins: Logins, *, wait_s: float, to: str = HEAD) -> list[str]:
    """Bring the schema to this version; returns the names of what was applied.

    Args:
        wait_s: how long to wait for a writable database, seconds.
        to: the revision to stop at.

    Raises:
        MigrationError: no writable database in time, the schema's history differs from this version's files, or a file
            cannot be applied; nothing was changed.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with Connection.connect(logins=logins) as connection:
                return _upgrade(connection, to)
        except psycopg.OperationalError as error:
            if time.monotonic() >= deadline:
                raise MigrationError(
                    f"no writable PostgreSQL at {logins.parameters['host']} within {wait_s:g} s ({_line(error)}); "
                    "look at its members, then run this again"
                ) from error
            log.info("waiting for a writable PostgreSQL")
            time.sleep(PAUSE_S)


def _upgrade(connection: Connection, to: str) -> list[str]:
    connection.autocommit = False  # transactions are SQLAlchemy's to begin and to end
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool, use_native_hstore=False
    )
    applied: list[str] = []
    try:
        with engine.begin() as session:
            session.exec_driver_sql("SET LOCAL lock_timeout = 0")
            session.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
            _apply(session, to, applied)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.OperationalError):
            raise error.orig from error
        raise MigrationError(
            f"migration after {applied[-1] if applied else 'what was there'}: {_line(error.orig)}; nothing was changed"
        ) from error
    return applied


def _apply(session: Session, to: str, applied: list[str]) -> None:
    known = migrations()
    session.exec_driver_sql(RECORDS)
    rows = session.exec_driver_sql("SELECT version, sha256 FROM schema_migration")
    done: dict[int, str] = dict(tuple(row) for row in rows)
    _check(done, known)
    if all(migration.version in done for migration in known):
        return  # or a newer release has brought it further, of which Alembic here knows nothing
    folder = resources.files("trading.storage") / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {"connection": session, "applied": partial(_record, session, known, applied)}
    if done and session.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is None:
        command.stamp(config, f"{max(done):04d}")  # a release without Alembic has brought it this far
    command.upgrade(config, to)


def _check(done: Mapping[int, str], known: Sequence[Migration]) -> None:
    for migration in known:
        if done.get(migration.version, migration.digest) != migration.digest:
            raise MigrationError(
                f"migration {migration.name}: differs from what was applied to this database; "
                "restore the file and put the change into a new migration"
            )
        if migration.version not in done and migration.version < max(done, default=0):
            raise MigrationError(
                f"migration {migration.name}: was left out of this database, which has later ones; "
                "give it the next free number"
            )


def _record(
    session: Session, known: Sequence[Migration], applied: list[str], *, step: MigrationInfo, **_: object
) -> None:
    """Note down what Alembic has just applied."""
    if step.is_stamp:
        return
    (migration,) = (one for one in known if one.revision == step.up_revision_id)
    session.exec_driver_sql(RECORD, (migration.version, migration.name, migration.digest))
    applied.append(migration.name)


def _line(error: BaseException | None) -> str:
    return str(error).strip().splitlines()[0]
