"""Roles, database and grants of the platform, kept in step with the mounted credentials.

Everything is compared first and changed only where it differs, so that a pass that has nothing to do writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from components.postgres.image.member import scram
from components.postgres.image.member.credentials import SLOTS, Credential

Connection = psycopg.Connection[TupleRow]
LOGIN_PREFIX = "trading"
REPLICATION_PREFIX = "replicator"
OWNER = "trading_owner"
LOCK_KEY = 8009  # of this database's own advisory locks; any number will do
# what pg_rewind calls on its source, as PostgreSQL documents it for a role that is no superuser
REWIND_FUNCTIONS: tuple[LiteralString, ...] = (
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)


@dataclass(frozen=True)
class Login:
    """A login role that stands for one slot of a credential."""

    name: str
    password: str
    replication: bool

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.name!r})"


def logins(app: Credential, replication: Credential) -> list[Login]:
    """The four login roles: one per slot of the application's and of the replication credential."""
    return [
        *(Login(f"{LOGIN_PREFIX}_{slot}", app.passwords[slot], replication=False) for slot in SLOTS),
        *(Login(f"{REPLICATION_PREFIX}_{slot}", replication.passwords[slot], replication=True) for slot in SLOTS),
    ]


def verifiers(connection: Connection) -> Mapping[str, str | None]:
    """Role name to what the server keeps of its password; works on a standby too."""
    rows = connection.execute("SELECT rolname, rolpassword FROM pg_authid").fetchall()
    return dict(rows)


def in_step(connection: Connection, wanted: list[Login]) -> bool:
    """Whether every login exists with its password."""
    kept = verifiers(connection)
    return all(scram.matches(kept.get(login.name), login.password) for login in wanted)


def apply_roles(connection: Connection, wanted: list[Login], database: str) -> list[str]:
    """Make the primary's roles, passwords, database and grants what they should be.

    One at a time: while a cluster is made, its bootstrap and its agent both come here.

    A password travels as a verifier. Roles come before the database, which takes a second to make, so that standbys
    can follow at once.

    Returns: what was changed, for the log; no secret is in it.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
    try:
        return apply_locked(connection, wanted, database)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))


def apply_locked(connection: Connection, wanted: list[Login], database: str) -> list[str]:
    """What `apply_roles` does once it is alone."""
    kept = verifiers(connection)
    changed = []
    if OWNER not in kept:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(OWNER)))
        changed.append(f"role {OWNER}")
    for login in wanted:
        if login.name not in kept:
            create_login(connection, login)
            changed.append(f"role {login.name}")
        elif not scram.matches(kept[login.name], login.password):
            set_password(connection, login)
            changed.append(f"password of {login.name}")
    changed += apply_rewind_grants(connection, [login.name for login in wanted if login.replication])
    return changed + apply_database(connection, database)


def create_login(connection: Connection, login: Login) -> None:
    """Create a login role with its password and, for the application, its membership in the owner role."""
    name = sql.Identifier(login.name)
    with connection.transaction():
        option = sql.SQL("REPLICATION" if login.replication else "NOREPLICATION")
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN {}").format(name, option))
        if not login.replication:
            owner = sql.Identifier(OWNER)
            connection.execute(sql.SQL("GRANT {} TO {}").format(owner, name))
            # whatever a slot creates belongs to the role that both slots share
            connection.execute(sql.SQL("ALTER ROLE {} SET role TO {}").format(name, owner))
        set_password(connection, login)


def set_password(connection: Connection, login: Login) -> None:
    """Set a login's password, as a verifier."""
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(login.name), sql.Literal(scram.verifier(login.password))))


def apply_rewind_grants(connection: Connection, names: list[str]) -> list[str]:
    """Let the replication roles call what pg_rewind calls."""
    changed = []
    for name in names:
        for function in REWIND_FUNCTIONS:
            asked = "SELECT has_function_privilege(%s, %s, 'EXECUTE')"
            row = connection.execute(asked, (name, f"pg_catalog.{function}")).fetchone()
            if row is not None and not row[0]:
                grant = sql.SQL("GRANT EXECUTE ON FUNCTION pg_catalog." + function + " TO {}")
                connection.execute(grant.format(sql.Identifier(name)))
                changed.append(f"{name} may call {function.partition('(')[0]}")
    return changed


def apply_database(connection: Connection, database: str) -> list[str]:
    """The application's database, owned by the owner role, whose members alone may connect."""
    changed = []
    name = sql.Identifier(database)
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
        changed.append(f"database {database}")
    public = "SELECT has_database_privilege('public', %s, 'CONNECT')"
    if (row := connection.execute(public, (database,)).fetchone()) and row[0]:
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        changed.append(f"no public access to {database}")
    return changed
