"""Keys that must be had back, sealed so that the database alone does not give them away."""

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trading.domain.errors import TradingError
from trading.security.credentials import MountedCredential

NONCE_BYTES = 12
PURPOSE = b"trading sealed signing keys 1"


class SealBroken(TradingError):
    """Sealed under a credential that is gone since, for another key, or changed."""

    code = "SEAL_BROKEN"


class Sealer:
    """AES-256-GCM under the two values of a mounted credential; a seal is bound to the id of what it holds."""

    def __init__(self, ring: MountedCredential) -> None:
        self._ring = ring

    def seal(self, key_id: str, value: bytes) -> bytes:
        """The value under the current slot: nonce, then ciphertext with its tag."""
        _, secret = next(self._ring.get().in_order())
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(_key(secret)).encrypt(nonce, value, key_id.encode())

    def unseal(self, key_id: str, sealed: bytes) -> tuple[bytes, bool]:
        """The value, and whether it is under the current slot; if not, seal it anew before the next rotation.

        Raises:
            SealBroken: neither slot opens it.
        """
        for number, (_, secret) in enumerate(self._ring.get().in_order()):
            try:
                value = AESGCM(_key(secret)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], key_id.encode())
            except InvalidTag:
                continue
            return value, number == 0
        raise SealBroken(f"key {key_id}: what it signs with cannot be read any more; rotate the key")


def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), PURPOSE, "sha256")
