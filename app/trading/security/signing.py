"""Signed requests: what is signed, how it is checked, and in which order. Pure: keys, time and nonces are given.

    shape -> key -> time -> MAC -> nonce

A key that does not exist is checked like one that does, with a MAC of its own, so that neither the answer nor its time
tells which keys exist. The nonce comes last: what was not signed by a holder of the key uses up nothing.
See docs/engine/signing.md.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_plus

from trading.domain.errors import TradingError

VERSION = "v1"
WINDOW_S = 300
SKEW_S = 5
KEY, TIMESTAMP, NONCE, SIGNATURE = "X-Signature-Key", "X-Signature-Timestamp", "X-Signature-Nonce", "X-Signature"
SHAPES: Mapping[str, re.Pattern[str]] = {
    KEY: re.compile(r"[a-z0-9]{1,32}"),
    TIMESTAMP: re.compile(r"[0-9]{10}"),
    NONCE: re.compile(r"[A-Za-z0-9_-]{16,64}"),
    SIGNATURE: re.compile(r"v1=[0-9a-f]{64}"),
}
TARGET = re.compile(r"/[\x21-\x7e]*")
HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")
METHOD = re.compile(r"[A-Z]{1,16}")
RING = 2  # keys of one id at most: the current and the previous one
_NOBODYS = os.urandom(32)


class Signing(StrEnum):
    """Which requests must be signed. One that is signed is checked in any case."""

    OFF = "off"
    WRITES = "writes"
    ALL = "all"


class SignatureRefused(TradingError):
    """A request whose signature is missing, wrong, too old, or was used before."""

    code = "SIGNATURE_REFUSED"

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Request:
    """What of a request is signed.

    Attributes:
        method: in capitals.
        target: path and query as they were sent, nothing decoded.
        host: the header Host.
        body: as it was sent, empty for none.
    """

    method: str
    target: str
    host: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a signer adds to a request.

    Attributes:
        key_id: `platform`, or the id of a user's key.
        timestamp: when it was signed, whole seconds since 1970 in UTC.
        nonce: 16 to 64 characters that this key has not signed with within the window.
    """

    key_id: str
    timestamp: int
    nonce: str


def canonical(request: Request, stamp: Stamp) -> bytes:
    """The text that is signed: nine lines, of which none can hold a line break.

    Raises:
        SignatureRefused: the request cannot be written so.
    """
    for part, shape in ((request.method, METHOD), (request.target, TARGET), (request.host, HOST)):
        if not shape.fullmatch(part):
            raise SignatureRefused("shape", "method, target or host cannot be signed; send plain ASCII")
    path, _, query = request.target.partition("?")
    pairs = query.split("&")
    names = [unquote_plus(pair.partition("=")[0]) for pair in pairs]
    if len(set(names)) < len(names):  # the order of equal names may matter, and sorting would hide a change of it
        raise SignatureRefused("shape", "a name is in the query twice; send it once")
    lines = (
        VERSION,
        request.method,
        path,
        "&".join(sorted(pairs)),
        request.host.lower(),
        hashlib.sha256(request.body).hexdigest(),
        str(stamp.timestamp),
        stamp.nonce,
        stamp.key_id,
    )
    return "\n".join(lines).encode()


def sign(request: Request, stamp: Stamp, key: bytes) -> dict[str, str]:
    """The headers that sign a request with the key of the stamp's id; raises as `canonical`."""
    mac = hmac.digest(key, canonical(request, stamp), "sha256").hex()
    return {
        KEY: stamp.key_id,
        TIMESTAMP: str(stamp.timestamp),
        NONCE: stamp.nonce,
        SIGNATURE: f"{VERSION}={mac}",
    }


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether somebody has tried to sign."""
    return any(name in headers for name in SHAPES)


def nonce_life_s(stamp: Stamp, now: float) -> int:
    """Seconds for which a nonce must be remembered: until its stamp has left the window on any pod's clock.

    A stamp from the future stays good for up to twice the window; a life of one window would let it be used again.
    """
    return int(stamp.timestamp + WINDOW_S - now) + SKEW_S + 1


def verify(
    request: Request,
    headers: Mapping[str, str],
    now: float,
    ring: Callable[[str], Sequence[bytes]],
    claim: Callable[[Stamp, int], bool],
) -> str:
    """The id of the key that has signed the request, just now and for the first time.

    Args:
        headers: by their exact names.
        now: seconds since 1970 in UTC.
        ring: the keys of an id, at most `RING`; none for an unknown one.
        claim: notes a stamp's nonce for so many seconds; False when it is noted already.

    Raises:
        SignatureRefused: it has not.
    """
    stamp, mac = _read(headers)
    keys = list(ring(stamp.key_id))[:RING]
    keys += [_NOBODYS] * (RING - len(keys))
    if abs(now - stamp.timestamp) > WINDOW_S:
        raise SignatureRefused("time", f"it was not signed within {WINDOW_S} s of now; set the clock and sign again")
    text = canonical(request, stamp)
    matches = [hmac.compare_digest(hmac.digest(key, text, "sha256"), mac) for key in keys]
    if not any(matches):
        raise SignatureRefused("mac", "the signature does not fit the request and a valid key")
    if not claim(stamp, nonce_life_s(stamp, now)):
        raise SignatureRefused("replay", "this nonce has been used; sign again with another")
    return stamp.key_id


def _read(headers: Mapping[str, str]) -> tuple[Stamp, bytes]:
    values = {name: headers.get(name, "") for name in SHAPES}
    wrong = [name for name, value in values.items() if not SHAPES[name].fullmatch(value)]
    if wrong:
        raise SignatureRefused("shape", f"{', '.join(wrong)}: missing or not in its form; see the documentation")
    mac = bytes.fromhex(values[SIGNATURE].removeprefix(f"{VERSION}="))
    return Stamp(values[KEY], int(values[TIMESTAMP]), values[NONCE]), mac
