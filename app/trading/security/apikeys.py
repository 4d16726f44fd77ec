"""API keys: the deployment's own, which is mounted, and those of users, `<id>.<secret>`.

A user's secret is 256 random bits, so what is kept of it is a plain SHA-256: there is nothing to guess, and a slow or
salted hash, which passwords need, would only cost time with each request. What its holder signs requests with follows
from the secret one way, so a server that can check signatures still cannot say the secret.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from trading.security.credentials import MountedCredential

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
ID_LENGTH = 12
SECRET_BYTES = 32
FORM = re.compile(r"([a-z0-9]{12})\.([A-Za-z0-9_-]{43})")
PLATFORM = "platform"
"""Id of the deployment's own key in signatures, and the name of who uses it."""
SIGNING = b"trading request signing 1"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A user's key as its holder has it; the secret does not show in its repr."""

    id: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        """The text that is sent."""
        return f"{self.id}.{self.secret}"


def mint(key_id: str | None = None) -> ApiKey:
    """A key with a fresh secret; with an id of its own, unless it is to replace the secret of one."""
    key_id = key_id or "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))
    return ApiKey(key_id, secrets.token_urlsafe(SECRET_BYTES))


def parse(text: str) -> ApiKey | None:
    """The key that a header holds; None when it has not the form of one."""
    match = FORM.fullmatch(text)
    return ApiKey(match[1], match[2]) if match else None


def digest(secret: str) -> bytes:
    """What is kept of a secret: 32 bytes."""
    return hashlib.sha256(secret.encode()).digest()


def signing_key(secret: str) -> bytes:
    """What requests are signed with by whoever has the secret: 32 bytes."""
    return hmac.digest(secret.encode(), SIGNING, "sha256")


def is_valid(presented: str, keys: MountedCredential) -> bool:
    """Whether it is one of the deployment's two keys; takes the same time for every wrong one.

    Raises:
        CredentialError: there are no keys to compare with.
    """
    matches = [hmac.compare_digest(presented.encode(), key.encode()) for _, key in keys.get().in_order()]
    return any(matches)
