"""Routes of administrators: people and the audit."""

from dataclasses import fields, replace
from http import HTTPStatus

from apiflask import APIBlueprint

from trading.api.access import principal, requires
from trading.api.accessmodels import (
    AuditList,
    AuditOut,
    AuditQuery,
    ChangeUser,
    CreateUser,
    UserList,
    UserOut,
    UserQuery,
)
from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.writing import note, written
from trading.security.people import User
from trading.security.principal import Role
from trading.storage import audit, sessions, users
from trading.storage.connection import Connection
from trading.storage.sessions import Ended
from trading.storage.users import UserNotFound

blueprint = APIBlueprint("admin", __name__, tag="admin")


@blueprint.get("/admin/users")
@requires(Role.ADMIN)
@blueprint.input(UserQuery, location="query")
@blueprint.output(UserList)
def list_users(query_data: UserQuery) -> UserList:
    """List people by name."""
    limit = query_data.limit
    found = dependencies().database.run(
        lambda connection: users.users(connection, after=query_data.cursor or "", limit=limit)
    )
    return UserList(
        users=[UserOut.of(user) for user in found], next_cursor=found[-1].name if len(found) == limit else None
    )


@blueprint.post("/admin/users")
@requires(Role.ADMIN)
@blueprint.input(CreateUser)
@blueprint.output(UserOut, status_code=201)
@blueprint.doc(responses={409: "The name is taken."})
def create_user(json_data: CreateUser) -> tuple[UserOut, int]:
    """Create a person who may log in."""
    kept = dependencies().access.passwords.hash(json_data.password.get_secret_value())
    accounts = _accounts(json_data.accounts)

    def work(connection: Connection) -> User:
        _must_exist(connection, accounts)
        added, is_new = users.add_user(connection, json_data.name, json_data.role, accounts, kept)
        if is_new:
            note(connection, "user.create", added.name, role=added.role.value, accounts=json_data.accounts)
        return added

    return UserOut.of(written(work)), HTTPStatus.CREATED


@blueprint.patch("/admin/users/<name>")
@requires(Role.ADMIN)
@blueprint.input(ChangeUser)
@blueprint.output(UserOut)
@blueprint.doc(responses={409: "Somebody else has changed the user since, or it is oneself."})
def change_user(name: str, json_data: ChangeUser) -> UserOut:
    """Change a person's role, accounts or password, or disable them; the last two end their sessions."""
    new = json_data.password
    kept = dependencies().access.passwords.hash(new.get_secret_value()) if new else None
    if name == principal().name:
        refuse(HTTPStatus.CONFLICT, "USER_IS_SELF", "nobody changes their own rights; ask another administrator")

    def work(connection: Connection) -> User:
        before = users.user(connection, name, lock=True)
        if before is None:
            raise UserNotFound("there is no such user")
        wanted = replace(
            before,
            role=json_data.role or before.role,
            accounts=_accounts(json_data.accounts) if "accounts" in json_data.model_fields_set else before.accounts,
            disabled=before.disabled if json_data.disabled is None else json_data.disabled,
            password_hash=kept or before.password_hash,
        )
        changed = [field.name for field in fields(User) if getattr(before, field.name) != getattr(wanted, field.name)]
        if not changed:
            return before
        if before.version != json_data.version:
            refuse(HTTPStatus.CONFLICT, "VERSION_STALE", f"the user is at version {before.version}; read it again")
        _must_exist(connection, wanted.accounts)
        users.change_user(connection, wanted)
        if {"disabled", "password_hash"} & set(changed):
            sessions.end_all(connection, name, Ended.CHANGE)
        note(connection, "user.change", name, changed=changed, role=wanted.role.value, disabled=wanted.disabled)
        return replace(wanted, version=before.version + 1)

    return UserOut.of(written(work))


@blueprint.get("/admin/audit")
@requires(Role.ADMIN)
@blueprint.input(AuditQuery, location="query")
@blueprint.output(AuditList)
def list_audit(query_data: AuditQuery) -> AuditList:
    """List changes of access, newest first. `trading audit` proves that none was altered."""
    limit = query_data.limit
    links = dependencies().database.look(
        lambda connection: audit.newest(connection, before=query_data.cursor, limit=limit)
    )
    return AuditList(
        entries=[AuditOut.of(link) for link in links], next_cursor=links[-1].seq if len(links) == limit else None
    )


def _accounts(given: list[str] | None) -> frozenset[str] | None:
    return None if given is None else frozenset(given)


def _must_exist(connection: Connection, accounts: frozenset[str] | None) -> None:
    if unknown := users.unknown_accounts(connection, accounts or frozenset()):
        refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "ACCOUNT_UNKNOWN", f"there is no account {', '.join(unknown)}")
