"""Who asks: recognised once a request, before the body is looked at, and held to a role by each view."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from flask import g, request

from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.security.apikeys import is_valid
from trading.security.principal import Principal, Role

P = ParamSpec("P")
R = TypeVar("R")
HEADER = "X-API-Key"


def recognise() -> None:
    """Find out who asks, or end the request with 401."""
    if not is_valid(request.headers.get(HEADER, ""), dependencies().keys):
        refuse(HTTPStatus.UNAUTHORIZED, "KEY_REFUSED", f"send a valid key in the header {HEADER}")
    g.principal = Principal("platform", Role.ADMIN)


def principal() -> Principal:
    """Who asks; after `recognise`."""
    found: Principal = g.principal
    return found


def requires(role: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a view be used from `role` upwards. It is the decorator next to the route, so it runs before validation."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if not principal().role.includes(role):
                refuse(HTTPStatus.FORBIDDEN, "ROLE_REFUSED", f"this needs the role {role} or a higher one")
            return view(*args, **kwargs)

        checked.needed_role = role  # type: ignore[attr-defined]  # the OpenAPI document tells it
        return checked

    return decorate


def own_account(account: str) -> str:
    """The account, when it is one of the caller's; 404 otherwise, as if there were none."""
    if not principal().may_use(account):
        refuse(HTTPStatus.NOT_FOUND, "ACCOUNT_NOT_FOUND", "there is no such account")
    return account
