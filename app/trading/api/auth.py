"""Routes of logging in and out."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID, uuid4

from apiflask import APIBlueprint
from prometheus_client import Counter

from trading.api.access import principal, public, requires
from trading.api.accessmodels import ChangePassword, Login, Me, Refresh, Tokens
from trading.api.addresses import address
from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.signing import unsigned
from trading.api.writing import note, person, written
from trading.cache import throttle
from trading.security.people import User
from trading.security.principal import Role
from trading.security.tokens import ACCESS_S, SESSION, Claims, is_refresh, mint_refresh, refresh_digest
from trading.storage import sessions
from trading.storage.connection import Connection
from trading.storage.sessions import Ended, Refreshed
from trading.storage.users import change_user, user

log = logging.getLogger(__name__)
blueprint = APIBlueprint("auth", __name__, tag="auth")
LOGINS = Counter("trading_logins_total", "Passwords that were tried", ["outcome"])
NO_STORE = {"Cache-Control": "no-store"}


@blueprint.post("/auth/login")
@public
@unsigned
@blueprint.input(Login)
@blueprint.output(Tokens)
@blueprint.doc(responses={401: "Name and password do not fit.", 429: "Too many tries; `Retry-After` says when again."})
def login(json_data: Login) -> tuple[Tokens, int, dict[str, str]]:
    """Log in with a name and a password."""
    name = json_data.name
    found = _checked(name, json_data.password.get_secret_value())
    session, token, now = uuid4(), mint_refresh(), datetime.now(UTC)

    def work(connection: Connection) -> None:
        if sessions.begin(connection, session, name, now + SESSION, refresh_digest(token)):
            note(connection, "session.begin", str(session), actor=name)

    written(work)
    return _tokens(found.name, session, token, now)


@blueprint.post("/auth/refresh")
@public
@unsigned
@blueprint.input(Refresh)
@blueprint.output(Tokens)
@blueprint.doc(responses={401: "The token is unknown, was used before, or its session has ended."})
def refresh(json_data: Refresh) -> tuple[Tokens, int, dict[str, str]]:
    """Exchange a refresh token for the next pair.

    A token that is used a second time ends its session: it cannot be known which of the two users is the right one.
    """
    presented, token = json_data.refresh_token.get_secret_value(), mint_refresh()

    def work(connection: Connection) -> Refreshed:
        found = sessions.refresh(connection, refresh_digest(presented), refresh_digest(token))
        if found.reused:
            note(connection, "session.reuse", found.name, actor=found.name)
        return found

    found = written(work) if is_refresh(presented) else Refreshed(None)
    if found.reused:
        log.warning("a refresh token was used twice, its session is ended", extra={"user": found.name})
    if found.session is None:
        refuse(HTTPStatus.UNAUTHORIZED, "TOKEN_REFUSED", "the refresh token is not good (any more); log in")
    return _tokens(found.name, found.session, token, datetime.now(UTC))


@blueprint.post("/auth/logout")
@requires(Role.VIEWER)
@unsigned
@blueprint.output({}, status_code=204)
def logout() -> tuple[str, int]:
    """Log out: neither the access token nor the refresh token of the session is good any more."""
    name, session = person(), principal().session

    def work(connection: Connection) -> None:
        if session and sessions.end(connection, session, Ended.LOGOUT):
            note(connection, "session.end", str(session), actor=name)

    written(work)
    return "", HTTPStatus.NO_CONTENT


@blueprint.post("/auth/password")
@requires(Role.VIEWER)
@unsigned
@blueprint.input(ChangePassword)
@blueprint.output({}, status_code=204)
@blueprint.doc(responses={429: "Too many tries; `Retry-After` says when again."})
def change_password(json_data: ChangePassword) -> tuple[str, int]:
    """Change one's own password; every session ends, this one too."""
    name = person()
    _checked(name, json_data.current.get_secret_value())
    kept = dependencies().access.passwords.hash(json_data.new.get_secret_value())

    def work(connection: Connection) -> None:
        found = user(connection, name, lock=True)
        if found and found.password_hash != kept:
            change_user(connection, replace(found, password_hash=kept))
            sessions.end_all(connection, name, Ended.CHANGE)
            note(connection, "user.password", name)

    written(work)
    return "", HTTPStatus.NO_CONTENT


@blueprint.get("/auth/me")
@requires(Role.VIEWER)
@blueprint.output(Me)
def me() -> Me:
    """Tell who asks and what they may do."""
    who = principal()
    accounts = None if who.accounts is None else sorted(who.accounts)
    return Me(name=who.name, role=who.role, accounts=accounts, key_id=who.key_id)


def _checked(name: str, password: str) -> User:
    """The user whose password it is; counts the try first, and takes as long for a name that nobody has."""
    cache = dependencies().cache
    wait_s = throttle.attempt(cache, name, address())
    if wait_s is not None:
        LOGINS.labels("throttled").inc()
        text, headers = f"too many tries; try again in {wait_s} s", {"Retry-After": str(wait_s)}
        refuse(HTTPStatus.TOO_MANY_REQUESTS, "LOGIN_THROTTLED", text, headers=headers)
    found = dependencies().database.run(lambda connection: user(connection, name))
    right = dependencies().access.passwords.matches(found.password_hash if found else None, password)
    if found is None or not right or found.disabled:
        LOGINS.labels("refused").inc()
        log.warning("login refused", extra={"user": name, "address": address()})
        refuse(HTTPStatus.UNAUTHORIZED, "LOGIN_REFUSED", "name and password do not fit, or the user is disabled")
    LOGINS.labels("accepted").inc()
    throttle.succeeded(cache, name, address())
    return found


def _tokens(name: str, session: UUID, refresh_token: str, now: datetime) -> tuple[Tokens, int, dict[str, str]]:
    access_token = dependencies().access.tokens.issue(Claims(name, session), now)
    pair = Tokens(access_token=access_token, expires_in=ACCESS_S, refresh_token=refresh_token)
    return pair, HTTPStatus.OK, NO_STORE
