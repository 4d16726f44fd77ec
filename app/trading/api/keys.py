"""Routes of users' own API keys."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from apiflask import APIBlueprint

from trading.api.access import hold_to, own_account, principal, requires
from trading.api.accessmodels import CreateKey, KeyList, KeyOut, NewKey, RotateKey
from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.signing import unsigned
from trading.api.writing import note, person, written
from trading.security.apikeys import ApiKey, digest, mint, signing_key
from trading.security.people import KeyRow
from trading.security.principal import Role
from trading.storage import users
from trading.storage.connection import Connection

blueprint = APIBlueprint("keys", __name__, tag="auth")
NO_STORE = {"Cache-Control": "no-store"}
MAX_KEYS = 50


@blueprint.post("/keys")
@requires(Role.VIEWER)
@unsigned
@blueprint.input(CreateKey)
@blueprint.output(NewKey, status_code=201)
@blueprint.doc(responses={403: "The role is above one's own, or a key asks.", 409: "There are too many keys."})
def create_key(json_data: CreateKey) -> tuple[NewKey, int, dict[str, str]]:
    """Create a key of one's own; its secret is in this answer and nowhere else."""
    owner = person()
    hold_to(json_data.role)
    accounts = None if json_data.accounts is None else frozenset(map(own_account, json_data.accounts))
    key, expires_at = mint(), datetime.now(UTC) + timedelta(days=json_data.expires_in_days)

    def work(connection: Connection) -> KeyRow:
        if sum(row.revoked_at is None for row in users.keys_of(connection, owner)) >= MAX_KEYS:
            refuse(HTTPStatus.CONFLICT, "KEYS_TOO_MANY", f"there are {MAX_KEYS} keys; revoke one")
        is_new = users.add_key(
            connection,
            key.id,
            owner=owner,
            label=json_data.label,
            role=json_data.role,
            accounts=accounts,
            secret_hash=digest(key.secret),
            sealed=_sealed(key),
            expires_at=expires_at,
        )
        if is_new:
            note(connection, "key.create", key.id, label=json_data.label, role=json_data.role.value)
        return _mine(connection, key.id)

    return _told(written(work), key, HTTPStatus.CREATED)


@blueprint.get("/keys")
@requires(Role.VIEWER)
@blueprint.output(KeyList)
def list_keys() -> KeyList:
    """List one's own keys, newest first."""
    rows = dependencies().database.run(lambda connection: users.keys_of(connection, principal().name))
    return KeyList(keys=[KeyOut.of(row) for row in rows])


@blueprint.post("/keys/<key_id>/rotate")
@requires(Role.VIEWER)
@unsigned
@blueprint.input(RotateKey)
@blueprint.output(NewKey)
@blueprint.doc(responses={409: "The key is revoked or expired."})
def rotate_key(key_id: str, json_data: RotateKey) -> tuple[NewKey, int, dict[str, str]]:
    """Give a key of one's own a new secret; the present one stays good for the overlap."""
    person()
    key, now = mint(key_id), datetime.now(UTC)

    def work(connection: Connection) -> KeyRow:
        row = _mine(connection, key_id)
        if not row.is_good(now):
            refuse(HTTPStatus.CONFLICT, "KEY_ENDED", "the key is revoked or expired; create another")
        changed = users.replace_secret(
            connection,
            key_id,
            secret_hash=digest(key.secret),
            sealed=_sealed(key),
            previous_until=now + timedelta(seconds=json_data.overlap_s),
        )
        if changed:
            note(connection, "key.rotate", key_id, overlap_s=json_data.overlap_s)
        return _mine(connection, key_id)

    return _told(written(work), key, HTTPStatus.OK)


@blueprint.delete("/keys/<key_id>")
@requires(Role.VIEWER)
@unsigned
@blueprint.output({}, status_code=204)
def revoke_key(key_id: str) -> tuple[str, int]:
    """Revoke a key of one's own, which is refused within a second; administrators may revoke anybody's."""
    if not principal().role.includes(Role.ADMIN):
        person()

    def work(connection: Connection) -> None:
        row = _mine(connection, key_id, or_administered=True)
        if users.revoke_key(connection, key_id):
            note(connection, "key.revoke", key_id, owner=row.owner)

    written(work)
    return "", HTTPStatus.NO_CONTENT


def _mine(connection: Connection, key_id: str, *, or_administered: bool = False) -> KeyRow:
    """The key, when it is the caller's own; 404 otherwise, as if there were none."""
    row = users.key(connection, key_id, lock=True)
    administers = or_administered and principal().role.includes(Role.ADMIN)
    if row is None or not (row.owner == principal().name or administers):
        refuse(HTTPStatus.NOT_FOUND, "KEY_NOT_FOUND", "there is no such key")
    return row


def _sealed(key: ApiKey) -> bytes:
    return dependencies().access.sealer.seal(key.id, signing_key(key.secret))


def _told(row: KeyRow, key: ApiKey, status: HTTPStatus) -> tuple[NewKey, int, dict[str, str]]:
    return NewKey(**KeyOut.fields_of(row), key=str(key)), status, NO_STORE
