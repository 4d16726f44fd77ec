"""Signs the requests of an httpx client: `httpx.Client(auth=Signed(key), ...)`. Needs `trading[client]`."""

import secrets
import time
from collections.abc import Callable, Generator

import httpx

from trading.security.apikeys import PLATFORM, parse, signing_key
from trading.security.signing import Request, Stamp, sign


class Signed(httpx.Auth):
    """Signs each request with an API key, which is not sent.

    Args:
        key: the deployment's own key, or a user's as it was given out: `<id>.<secret>`.
        clock: seconds since 1970 in UTC.
    """

    requires_request_body = True

    def __init__(self, key: str, clock: Callable[[], float] = time.time) -> None:
        users = parse(key)
        self._id = users.id if users else PLATFORM
        self._key = signing_key(users.secret if users else key)
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth.auth_flow`."""
        signed = Request(request.method, request.url.raw_path.decode(), request.headers["Host"], request.content)
        request.headers.update(sign(signed, Stamp(self._id, int(self._clock()), secrets.token_urlsafe(16)), self._key))
        yield request
