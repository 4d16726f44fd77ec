"""People who may use the API, and their keys, as they are kept. Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from trading.security.principal import Role


@dataclass(frozen=True, slots=True)
class User:
    """A person. `accounts` is None for all of them."""

    name: str
    role: Role
    accounts: frozenset[str] | None
    disabled: bool
    version: int
    created_at: datetime
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A user's key: what is kept of its secret, and of the one before while that is still good."""

    id: str
    owner: str
    label: str
    role: Role
    accounts: frozenset[str] | None
    created_at: datetime
    expires_at: datetime
    rotated_at: datetime | None
    revoked_at: datetime | None
    secret_hash: bytes = field(repr=False)
    sealed: bytes = field(repr=False)
    previous_hash: bytes | None = field(repr=False)
    previous_sealed: bytes | None = field(repr=False)
    previous_until: datetime | None

    def hashes(self, now: datetime) -> list[bytes]:
        """Hashes of the secrets that are good at `now`, the current one first."""
        return [self.secret_hash, *([self.previous_hash] if self.previous_hash and self._previous_is_good(now) else [])]

    def seals(self, now: datetime) -> list[bytes]:
        """Sealed signing keys that are good at `now`, the current one first."""
        return [self.sealed, *([self.previous_sealed] if self.previous_sealed and self._previous_is_good(now) else [])]

    def is_good(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at

    def _previous_is_good(self, now: datetime) -> bool:
        return self.previous_until is not None and now < self.previous_until
