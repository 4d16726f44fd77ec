"""The keys of users that an app has just looked up; see `trading.security.knownkeys`."""

from flask import current_app

from trading.security.knownkeys import KnownKey, KnownKeys
from trading.security.sealing import SealBroken, Sealer
from trading.storage.connection import Connection
from trading.storage.database import Database
from trading.storage.users import key_and_owner, seal_anew

NAME = "trading.knownkeys"
DEADLINE_S = 2.0


def keys_in(database: Database, sealer: Sealer) -> KnownKeys:
    """The keys of a database.

    A seal under the credential before the current one is made anew, so that a key that is used lives through every
    rotation.
    """

    def look(key_id: str) -> KnownKey | None:
        found = database.run(lambda connection: key_and_owner(connection, key_id), deadline_s=DEADLINE_S)
        if found is None:
            return None
        row, owner = found
        opened = {}
        for sealed in filter(None, (row.sealed, row.previous_sealed)):
            try:
                opened[sealed], is_current = sealer.unseal(key_id, sealed)
            except SealBroken:
                continue
            if not is_current:
                _seal_anew(database, key_id, sealed, sealer.seal(key_id, opened[sealed]))
        return KnownKey(row, owner, opened)

    return KnownKeys(look)


def known_keys() -> KnownKeys:
    """Those of the app that serves the present request."""
    found: KnownKeys = current_app.extensions[NAME]
    return found


def _seal_anew(database: Database, key_id: str, old: bytes, new: bytes) -> None:
    def work(connection: Connection) -> None:
        with connection.writing():
            seal_anew(connection, key_id, old, new)

    database.run(work, deadline_s=DEADLINE_S)
