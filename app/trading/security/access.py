"""Who a key or a token belongs to, and what they may do now. The rows come from the store; the rules are here, pure."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from trading.security.apikeys import PLATFORM, ApiKey, digest
from trading.security.credentials import MountedCredential
from trading.security.passwords import Passwords
from trading.security.people import KeyRow, User
from trading.security.principal import Principal, Role
from trading.security.sealing import Sealer
from trading.security.tokens import AccessTokens

NOBODYS = bytes(32)
THE_PLATFORM = Principal(PLATFORM, Role.ADMIN, key_id=PLATFORM)


@dataclass(frozen=True, slots=True)
class Access:
    """What passwords, tokens and signing keys are made and checked with; one a process."""

    passwords: Passwords
    tokens: AccessTokens
    sealer: Sealer

    @classmethod
    def of(cls, ring: MountedCredential) -> Self:
        """All of it on the mounted credential `jwt`."""
        return cls(Passwords(), AccessTokens(ring), Sealer(ring))


def lesser(one: Role, other: Role) -> Role:
    """The role that may do less."""
    return other if one.includes(other) else one


def common(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The accounts in both; None is all."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def of_user(user: User) -> Principal | None:
    """Who somebody is that has proved to be this user; nobody while disabled."""
    return None if user.disabled else Principal(user.name, user.role, user.accounts)


def of_key(row: KeyRow, user: User, now: datetime) -> Principal | None:
    """Who somebody is that has proved to hold this key: never more than the key's owner may at this moment."""
    if user.disabled or not row.is_good(now):
        return None
    role, accounts = lesser(row.role, user.role), common(row.accounts, user.accounts)
    return Principal(user.name, role, accounts, key_id=row.id)


def knows_secret(presented: ApiKey, row: KeyRow | None, now: datetime) -> bool:
    """Whether the secret is one of the key's; takes as long when there is no such key."""
    kept = row.hashes(now) if row else [NOBODYS]
    matches = [hmac.compare_digest(digest(presented.secret), one) for one in kept]
    return any(matches) and row is not None
