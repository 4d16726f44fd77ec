"""Tokens of people who logged in: short access tokens (JWT, RFC 8725) and opaque refresh tokens, used once each."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import jwt

from trading.domain.errors import TradingError
from trading.security.credentials import Credential, MountedCredential

ACCESS_S = 600
SESSION = timedelta(days=14)
ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = "trading"
AUDIENCE = "trading-api"
CLAIMS = ("iss", "aud", "sub", "sid", "jti", "iat", "exp")
LEEWAY_S = 5  # what the clocks of two pods may differ by
MAX_LENGTH = 1024
PURPOSE = b"trading access tokens 1"
REFRESH = re.compile(r"refresh\.[A-Za-z0-9_-]{43}")


class TokenRefused(TradingError):
    """A token that is not ours, has expired, or belongs to an ended session; never says which part was wrong."""

    code = "TOKEN_REFUSED"


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom an access token names, and in which session it was given out. What they may do is not in it."""

    name: str
    session: UUID


class AccessTokens:
    """Gives out and reads access tokens. The key id is the epoch of a slot of the mounted credential, nothing else."""

    def __init__(self, ring: MountedCredential) -> None:
        self._ring = ring

    def issue(self, claims: Claims, now: datetime) -> str:
        """A token under the current slot, good for `ACCESS_S` from `now`."""
        credential = self._ring.get()
        kid = str(credential.epoch)
        content = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.name,
            "sid": str(claims.session),
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + timedelta(seconds=ACCESS_S),
        }
        return jwt.encode(content, _keys(credential)[kid], ALGORITHM, headers={"typ": TYPE, "kid": kid})

    def read(self, token: str) -> Claims:
        """What a token says.

        Raises:
            TokenRefused: for whatever reason.
            CredentialError: there are no keys.
        """
        keys = _keys(self._ring.get())
        try:
            if len(token) > MAX_LENGTH:
                raise TokenRefused("the access token is not valid; log in or refresh")
            header = jwt.get_unverified_header(token)
            if str(header.get("typ", "")).lower() != TYPE:
                raise TokenRefused("the access token is not valid; log in or refresh")
            content = jwt.decode(
                token,
                keys[str(header["kid"])],
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_S,
                options={"require": list(CLAIMS), "strict_aud": True},
            )
            return Claims(str(content["sub"]), UUID(content["sid"]))
        except (jwt.InvalidTokenError, KeyError, ValueError, AttributeError, TypeError) as error:
            raise TokenRefused("the access token is not valid; log in or refresh") from error


def mint_refresh() -> str:
    """A fresh refresh token: 256 random bits."""
    return f"refresh.{secrets.token_urlsafe(32)}"


def is_refresh(text: str) -> bool:
    """Whether it has the form of one."""
    return REFRESH.fullmatch(text) is not None


def refresh_digest(token: str) -> bytes:
    """What is kept of a refresh token: 32 bytes."""
    return hashlib.sha256(token.encode()).digest()


def _keys(credential: Credential) -> dict[str, bytes]:
    """Key id to key: the current slot has the epoch, the other one the epoch before."""
    (_, current), (_, previous) = credential.in_order()
    return {str(credential.epoch - age): _derive(value) for age, value in enumerate((current, previous))}


def _derive(value: str) -> bytes:
    return hmac.digest(value.encode(), PURPOSE, "sha256")
