"""Signed requests: checked for a whole app, or for single views with `signed`."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from flask import current_app, g, request
from prometheus_client import Counter

from trading.api.deps import dependencies
from trading.api.knownkeys import known_keys
from trading.api.problems import refuse
from trading.cache.client import CacheUnavailable
from trading.cache.nonces import claim
from trading.security.access import THE_PLATFORM, of_key
from trading.security.apikeys import PLATFORM, signing_key
from trading.security.knownkeys import KnownKey
from trading.security.principal import Principal
from trading.security.signing import Request, SignatureRefused, Signing, Stamp, is_signed, verify

P = ParamSpec("P")
R = TypeVar("R")
READING = ("GET", "HEAD", "OPTIONS")
REFUSED = Counter("trading_signature_refused_total", "Requests whose signature was refused", ["reason"])


def signer() -> Principal | None:
    """Who has signed the request; None when nobody has and nobody needs to.

    Raises:
        SignatureRefused: the signature is wrong, or missing where there must be one.
        CacheUnavailable: a write whose nonce cannot be noted.
    """
    if is_signed(dict(request.headers)):
        return _checked()
    mode = dependencies().signing
    view = current_app.view_functions[str(request.endpoint)]
    needed = mode is Signing.ALL or (mode is Signing.WRITES and request.method not in READING)
    if needed and not getattr(view, "is_unsigned", False):
        REFUSED.labels("missing").inc()
        raise SignatureRefused("missing", "this request must be signed; see the documentation")
    return None


def signed(view: Callable[P, R]) -> Callable[P, R]:
    """Let a view be used with a signed request only, whatever the app asks for."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not getattr(g, "is_signed", False):
            _checked()
        return view(*args, **kwargs)

    return checked


def unsigned(view: Callable[P, R]) -> Callable[P, R]:
    """Let a view be used without a signature: whoever logs in or asks for a key has none to sign with."""
    view.is_unsigned = True  # type: ignore[attr-defined]
    return view


def _checked() -> Principal:
    ring = _Ring()
    try:
        verify(
            Request(request.method, _target(), request.headers.get("Host", ""), request.get_data(cache=True)),
            dict(request.headers),
            time.time(),
            ring.keys,
            _claim,
        )
    except SignatureRefused as error:
        REFUSED.labels(error.reason).inc()
        raise
    if ring.holder is None:  # its MAC was right, so the key is
        refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", "the key has no holder")
    g.is_signed = True
    return ring.holder


def _target() -> str:
    """Path and query as they came; the server keeps them beside what WSGI has decoded."""
    target: str = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or ""
    return target


def _claim(stamp: Stamp, life_s: int) -> bool:
    try:
        return claim(dependencies().cache, stamp, life_s)
    except CacheUnavailable:
        if request.method in READING:  # to read the same again harms nobody
            return True
        REFUSED.labels("store away").inc()
        raise


class _Ring:
    """The keys of one id, and who its holder is."""

    holder: Principal | None = None

    def keys(self, key_id: str) -> Sequence[bytes]:
        if key_id == PLATFORM:
            self.holder = THE_PLATFORM
            return [signing_key(value) for _, value in dependencies().keys.get().in_order()]
        known = known_keys().get(key_id)
        return self._users(known) if known else ()

    def _users(self, known: KnownKey) -> list[bytes]:
        now = datetime.now(UTC)
        self.holder = of_key(known.row, known.owner, now)
        seals = known.row.seals(now) if self.holder else []
        return [known.opened[sealed] for sealed in seals if sealed in known.opened]
