"""Who asks: recognised once a request, before the body is looked at, and held to a role by each view."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar

from flask import Flask, current_app, g, request

from trading.api.addresses import address
from trading.api.deps import dependencies
from trading.api.knownkeys import DEADLINE_S, known_keys
from trading.api.problems import refuse
from trading.api.signing import READING, signer
from trading.security.access import THE_PLATFORM, knows_secret, of_key, of_user
from trading.security.apikeys import is_valid, parse
from trading.security.principal import Principal, Role
from trading.security.signing import SIGNATURE
from trading.security.tokens import TokenRefused
from trading.storage.connection import Connection
from trading.storage.sessions import is_open
from trading.storage.users import user

P = ParamSpec("P")
R = TypeVar("R")
HEADER = "X-API-Key"
BEARER = "Bearer "
Views = Mapping[tuple[str, str], Callable[..., object]]
SCHEMES: dict[str, dict[str, str]] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": HEADER},
    "Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "Signature": {
        "type": "apiKey",
        "in": "header",
        "name": SIGNATURE,
        "description": "HMAC-SHA256 over the request, with a time and a nonce; see docs/engine/signing.md.",
    },
}


def recognise() -> None:
    """Find out who asks, or end the request with 401.

    A view that names no role is for viewers when it reads, for traders when it writes.
    """
    view = current_app.view_functions[str(request.endpoint)]
    if getattr(view, "is_public", False):
        g.principal = Principal(f"somebody at {address()}", Role.VIEWER, frozenset())
        return
    g.principal = _whoever()
    if needed_role(view, request.method) is not getattr(view, "needed_role", None):
        hold_to(needed_role(view, request.method))


def principal() -> Principal:
    """Who asks; after `recognise`."""
    found: Principal = g.principal
    return found


def requires(role: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a view be used from `role` upwards. It is the decorator next to the route, so it runs before validation."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            hold_to(role)
            return view(*args, **kwargs)

        checked.needed_role = role  # type: ignore[attr-defined]  # the OpenAPI document tells it
        return checked

    return decorate


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Let a view of `/v1` be used by anybody: it is how one logs in."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def needed_role(view: Callable[..., object], method: str) -> Role:
    """The role from which a view can be used: the one that it requires, or the least that fits its method."""
    found: Role = getattr(view, "needed_role", Role.VIEWER if method.upper() in READING else Role.TRADER)
    return found


def describe(operation: dict[str, Any], view: Callable[..., object], method: str) -> None:
    """Put into an operation of the OpenAPI document how to be recognised for it, and from which role on."""
    if getattr(view, "is_public", False):
        operation["security"] = []
    else:
        operation["security"] = [{scheme: []} for scheme in SCHEMES]
        operation["x-role"] = needed_role(view, method).value


def views(app: Flask) -> Views:
    """Views by path, as the OpenAPI document writes it, and method."""
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower()): app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def hold_to(role: Role) -> None:
    """End the request with 403 unless who asks has the role."""
    if not principal().role.includes(role):
        refuse(HTTPStatus.FORBIDDEN, "ROLE_REFUSED", f"this needs the role {role} or a higher one")


def own_account(account: str) -> str:
    """The account, when it is one of the caller's; 404 otherwise, as if there were none."""
    if not principal().may_use(account):
        refuse(HTTPStatus.NOT_FOUND, "ACCOUNT_NOT_FOUND", "there is no such account")
    return account


def _whoever() -> Principal:
    if who := signer():
        return who
    key, authorization = request.headers.get(HEADER), request.headers.get("Authorization")
    if key is not None and authorization is not None:
        refuse(HTTPStatus.UNAUTHORIZED, "KEY_REFUSED", f"send {HEADER} or Authorization, not both")
    if authorization is not None and authorization.startswith(BEARER):
        return _logged_in(authorization.removeprefix(BEARER))
    return _key_holder(key or "")


def _key_holder(text: str) -> Principal:
    holder = THE_PLATFORM if is_valid(text, dependencies().keys) else _user_with(text)
    if holder is None:
        refuse(HTTPStatus.UNAUTHORIZED, "KEY_REFUSED", f"send a valid key in the header {HEADER}, or log in")
    return holder


def _user_with(text: str) -> Principal | None:
    presented = parse(text)
    if presented is None:
        return None
    now = datetime.now(UTC)
    known = known_keys().get(presented.id)
    knows = knows_secret(presented, known.row if known else None, now)
    return of_key(known.row, known.owner, now) if known and knows else None


def _logged_in(token: str) -> Principal:
    claims = dependencies().access.tokens.read(token)

    def look(connection: Connection) -> Principal | None:
        found = user(connection, claims.name) if is_open(connection, claims.session, claims.name) else None
        return of_user(found) if found else None

    holder = dependencies().database.run(look, deadline_s=DEADLINE_S)
    if holder is None:
        raise TokenRefused("the session has ended; log in")
    return replace(holder, session=claims.session)
