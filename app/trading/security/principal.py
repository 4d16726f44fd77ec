"""Who asks, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a person or program may do, each more than the one before: look, trade, change risk, administer."""

    VIEWER = "viewer"
    TRADER = "trader"
    RISK = "risk"
    ADMIN = "admin"

    def includes(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who was recognised.

    Attributes:
        name: of the user or of the key, as it is kept in audits.
        accounts: in which it may look and trade; None for all.
        key_id: of the key that it came with; None when it logged in.
        session: in which it logged in; None when it came with a key.
    """

    name: str
    role: Role
    accounts: frozenset[str] | None = None
    key_id: str | None = None
    session: UUID | None = None

    def may_use(self, account: str) -> bool:
        """Whether the account is among its own."""
        return self.accounts is None or account in self.accounts
