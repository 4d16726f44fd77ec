"""From which address a request comes, and whether it is let in: for a whole app, or view by view."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from flask import g, request

from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.security.addresses import AddressUnknown, client
from trading.security.allowlist import REFUSED, AddressRefused

P = ParamSpec("P")
R = TypeVar("R")
EXEMPT = "/health/"


def check_address() -> None:
    """Let the request in, or end it with 403; health is for everybody. Runs before anything else is looked at."""
    allowlist = dependencies().allowlist
    try:
        address = client(request.remote_addr or "", request.headers.getlist("X-Forwarded-For"), allowlist.trusted)
    except AddressUnknown as error:
        g.address = None
        if not request.path.startswith(EXEMPT):
            REFUSED.labels("unknown").inc()
            refuse(HTTPStatus.FORBIDDEN, error.code, str(error))
        return
    g.address = address
    if request.path.startswith(EXEMPT):
        return
    try:
        allowlist.check(address)
    except AddressRefused:
        REFUSED.labels("not listed").inc()
        raise


def allowlisted(view: Callable[P, R]) -> Callable[P, R]:
    """Let only listed addresses use a view, in an app without `check_address` for all of it."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        check_address()
        return view(*args, **kwargs)

    return checked


def address() -> str:
    """From which address the request comes, as text; after `check_address`."""
    return str(g.address)
