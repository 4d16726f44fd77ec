"""People who may use the API, and their keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trading.domain.errors import TradingError
from trading.security.apikeys import PLATFORM
from trading.security.people import KeyRow, User
from trading.security.principal import Role
from trading.storage.connection import Connection

USER = "name, role, accounts, disabled, version, created_at, password_hash"
KEY = (
    "id, owner, label, api_key.role, api_key.accounts, api_key.created_at, expires_at, rotated_at, revoked_at, "
    "secret_hash, sealed, previous_hash, previous_sealed, previous_until"
)


class UserExists(TradingError):
    """The name is taken."""

    code = "USER_EXISTS"


class UserNotFound(TradingError):
    """Nobody has this name."""

    code = "USER_NOT_FOUND"


def user(connection: Connection, name: str, *, lock: bool = False) -> User | None:
    """The person of this name; with `lock` nobody else changes them until the transaction ends."""
    row = connection.execute(
        f"SELECT {USER} FROM user_account WHERE name = %s{' FOR UPDATE' if lock else ''}",  # noqa: S608 - constants
        (name,),
    ).fetchone()
    return _user(row) if row else None


def users(connection: Connection, *, after: str, limit: int) -> list[User]:
    """People in the order of their names, of which all come after `after`."""
    rows = connection.execute(
        f"SELECT {USER} FROM user_account WHERE name > %s ORDER BY name LIMIT %s",  # noqa: S608 - constants
        (after, limit),
    ).fetchall()
    return [_user(row) for row in rows]


def add_user(
    connection: Connection, name: str, role: Role, accounts: frozenset[str] | None, password_hash: str
) -> tuple[User, bool]:
    """The new person, and whether it is new: added again with the same hash, it is not.

    Raises:
        UserExists: somebody else has the name.
    """
    if name == PLATFORM:
        raise UserExists(f"name={name}: is the deployment's own; choose another")
    added = connection.execute(
        "INSERT INTO user_account (name, role, accounts, password_hash) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (name, role.value, _listed(accounts), password_hash),
    ).rowcount
    found = user(connection, name)
    if found is None or found.password_hash != password_hash:
        raise UserExists(f"name={name}: is taken; choose another, or change that user")
    return found, bool(added)


def change_user(connection: Connection, changed: User) -> None:
    """Give the person of this name these properties, as the next version."""
    connection.execute(
        "UPDATE user_account SET role = %s, accounts = %s, disabled = %s, password_hash = %s, version = version + 1 "
        "WHERE name = %s",
        (changed.role.value, _listed(changed.accounts), changed.disabled, changed.password_hash, changed.name),
    )


def unknown_accounts(connection: Connection, accounts: frozenset[str]) -> list[str]:
    """Those that do not exist."""
    rows = connection.execute("SELECT account FROM account WHERE account = ANY(%s)", (_listed(accounts),)).fetchall()
    return sorted(accounts - {row[0] for row in rows})


def key(connection: Connection, key_id: str, *, lock: bool = False) -> KeyRow | None:
    """The key of this id, whatever has become of it."""
    row = connection.execute(
        f"SELECT {KEY} FROM api_key WHERE id = %s{' FOR UPDATE' if lock else ''}",  # noqa: S608 - constants
        (key_id,),
    ).fetchone()
    return _key(row) if row else None


def key_and_owner(connection: Connection, key_id: str) -> tuple[KeyRow, User] | None:
    """A key and whose it is."""
    row = connection.execute(
        f"SELECT {KEY}, name, user_account.role, user_account.accounts, disabled, version, user_account.created_at, "  # noqa: S608 - constants
        "password_hash FROM api_key JOIN user_account ON name = owner WHERE id = %s",
        (key_id,),
    ).fetchone()
    return (_key(row[:14]), _user(row[14:])) if row else None


def keys_of(connection: Connection, owner: str) -> list[KeyRow]:
    """A person's keys, the newest first, revoked ones too."""
    rows = connection.execute(
        f"SELECT {KEY} FROM api_key WHERE owner = %s ORDER BY created_at DESC, id",  # noqa: S608 - constants
        (owner,),
    ).fetchall()
    return [_key(row) for row in rows]


def add_key(
    connection: Connection,
    key_id: str,
    *,
    owner: str,
    label: str,
    role: Role,
    accounts: frozenset[str] | None,
    secret_hash: bytes,
    sealed: bytes,
    expires_at: datetime,
) -> bool:
    """Keep a key; False when it was kept before."""
    return bool(
        connection.execute(
            "INSERT INTO api_key (id, owner, label, role, accounts, secret_hash, sealed, expires_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (key_id, owner, label, role.value, _listed(accounts), secret_hash, sealed, expires_at),
        ).rowcount
    )


def replace_secret(
    connection: Connection, key_id: str, *, secret_hash: bytes, sealed: bytes, previous_until: datetime
) -> bool:
    """Give a key a new secret and keep the present one until then; False when it has this secret already."""
    return bool(
        connection.execute(
            "UPDATE api_key SET previous_hash = secret_hash, previous_sealed = sealed, previous_until = %s, "
            "secret_hash = %s, sealed = %s, rotated_at = clock_timestamp() WHERE id = %s AND secret_hash <> %s",
            (previous_until, secret_hash, sealed, key_id, secret_hash),
        ).rowcount
    )


def seal_anew(connection: Connection, key_id: str, old: bytes, new: bytes) -> None:
    """Put a signing key under the credential that is current now; nothing when somebody has done it."""
    connection.execute(
        "UPDATE api_key SET sealed = CASE WHEN sealed = %(old)s THEN %(new)s ELSE sealed END, "
        "previous_sealed = CASE WHEN previous_sealed = %(old)s THEN %(new)s ELSE previous_sealed END "
        "WHERE id = %(id)s AND %(old)s IN (sealed, previous_sealed)",
        {"id": key_id, "old": old, "new": new},
    )


def revoke_key(connection: Connection, key_id: str) -> bool:
    """End a key; False when it was revoked before."""
    return bool(
        connection.execute(
            "UPDATE api_key SET revoked_at = clock_timestamp() WHERE id = %s AND revoked_at IS NULL", (key_id,)
        ).rowcount
    )


def _user(row: Sequence[Any]) -> User:
    name, role, accounts, disabled, version, created_at, password_hash = row
    return User(name, Role(role), _set(accounts), disabled, version, created_at, password_hash)


def _key(row: Sequence[Any]) -> KeyRow:
    key_id, owner, label, role, accounts, *rest = row
    return KeyRow(key_id, owner, label, Role(role), _set(accounts), *rest)


def _set(accounts: list[str] | None) -> frozenset[str] | None:
    return None if accounts is None else frozenset(accounts)


def _listed(accounts: frozenset[str] | None) -> list[str] | None:
    return None if accounts is None else sorted(accounts)
