"""The commands `trading user` and `trading audit`: people who may use the API, and whether their record holds.

Who may run them has the database's password in reach, and counts as an administrator.
"""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg

from trading.domain.errors import TradingError
from trading.security.audit import Entry, first_broken
from trading.security.credentials import MountedCredential
from trading.security.passwords import Passwords
from trading.security.people import User
from trading.security.principal import Role
from trading.settings import Settings
from trading.storage import audit, sessions, users
from trading.storage.connection import Connection, logins
from trading.storage.errors import StorageUnavailable
from trading.storage.sessions import Ended

PAGE = 500


class AuditBroken(TradingError):
    """An entry of the audit was changed, put in or taken out."""

    code = "AUDIT_BROKEN"


def add(settings: Settings, name: str, role: Role, accounts: frozenset[str] | None, password: str, actor: str) -> str:
    """Add somebody who may log in; again with the same is nothing new.

    Raises:
        InvalidPassword: too short or too long.
        UserExists: the name is taken by somebody else.
        UserNotFound: there is no such account.
    """
    passwords = Passwords()
    kept = passwords.hash(password)
    with _connection(settings) as connection, connection.writing():
        before = users.user(connection, name)
        same = before and (before.role, before.accounts, before.disabled) == (role, accounts, False)
        if same and before and passwords.matches(before.password_hash, password):
            return f"{name} is there already"
        if unknown := users.unknown_accounts(connection, accounts or frozenset()):
            raise users.UserNotFound(f"accounts: there is no account {', '.join(unknown)}; leave it out")
        users.add_user(connection, name, role, accounts, kept)
        detail = {"role": role.value, "accounts": None if accounts is None else sorted(accounts)}
        audit.append(connection, Entry(actor, "user.create", name, detail=detail))
    return f"{name} may log in as {role}"


def set_password(settings: Settings, name: str, password: str, actor: str) -> str:
    """Give somebody a new password and end their sessions.

    Raises:
        InvalidPassword: too short or too long.
        UserNotFound: nobody has the name.
    """
    kept = Passwords().hash(password)
    with _connection(settings) as connection, connection.writing():
        found = users.user(connection, name, lock=True)
        if found is None:
            raise users.UserNotFound(f"name={name}: nobody has it; see `trading user list`")
        users.change_user(connection, replace(found, password_hash=kept))
        ended = sessions.end_all(connection, name, Ended.CHANGE)
        audit.append(connection, Entry(actor, "user.password", name))
    return f"{name} has a new password; sessions ended: {ended}"


def listed(settings: Settings) -> list[User]:
    """Everybody, by name."""
    found: list[User] = []
    with _connection(settings) as connection:
        while page := users.users(connection, after=found[-1].name if found else "", limit=PAGE):
            found += page
    return found


def check_audit(settings: Settings) -> str:
    """What the audit is like.

    Raises:
        AuditBroken: naming the first entry that does not fit.
    """
    with _connection(settings) as connection:
        last = audit.newest(connection, before=None, limit=1)
        broken = first_broken(audit.whole(connection))
    if broken is not None:
        raise AuditBroken(f"audit: entry {broken} does not follow from the one before; the database was tampered with")
    return f"{last[0].seq} entries, the chain holds; the last hash is {last[0].hash.hex()}" if last else "no entries"


def read_password() -> str:
    """A password from a terminal without showing it, or the first line of a pipe; never an argument."""
    if sys.stdin.isatty():
        return getpass.getpass("password: ")
    return sys.stdin.readline().rstrip("\n")


@contextmanager
def _connection(settings: Settings) -> Iterator[Connection]:
    credential = MountedCredential(settings.credentials_dir, "postgres-app")
    try:
        with Connection.connect(logins=logins(settings, credential, "trading-user")) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise StorageUnavailable(f"no writable PostgreSQL answers: {str(error).strip().splitlines()[0]}") from error
