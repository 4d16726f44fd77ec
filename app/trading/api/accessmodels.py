"""Bodies and parameters of logging in, keys, users, the audit and the allowlist."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, StrictBool

from trading.api.schemas.base import MAX_PAGE, Account, Model, example
from trading.security.audit import Link
from trading.security.passwords import MAX_LENGTH, MIN_LENGTH
from trading.security.people import KeyRow, User
from trading.security.principal import Role

WORDS, ACCESS, REFRESH, SCHEME = "correct horse battery", "eyJ0eXAi….eyJpc3Mi….c2lnbmF0", "refresh.…", "Bearer"
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", examples=["ravi"])]
Label = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,64}$", examples=["my bot"])]
Password = Annotated[SecretStr, Field(min_length=1, max_length=MAX_LENGTH, examples=[WORDS])]
NewPassword = Annotated[SecretStr, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH, examples=[WORDS])]
Accounts = Annotated[list[Account], Field(max_length=100, examples=[["main"]])]
MAX_KEY_DAYS = 365
MAX_OVERLAP_S = 7 * 86_400
MAX_NETWORKS = 200

AT = "2026-01-05T09:20:00Z"
KEY = {
    "id": "0123456789ab",
    "label": "my bot",
    "role": "trader",
    "accounts": ["main"],
    "created_at": AT,
    "expires_at": "2026-04-05T09:20:00Z",
    "rotated_at": None,
    "previous_until": None,
    "revoked_at": None,
}
USER = {"name": "ravi", "role": "trader", "accounts": ["main"], "disabled": False, "version": 1, "created_at": AT}
ENTRY = {
    "seq": 7,
    "at": AT,
    "actor": "asha",
    "action": "user.create",
    "subject": "ravi",
    "address": "203.0.113.9",
    "detail": {"role": "trader", "accounts": ["main"]},
    "hash": "00" * 32,
}
OFFICE = {"network": "203.0.113.0/24", "note": "office"}


class Login(Model):
    """A name and its password."""

    model_config = example(name="ravi", password=WORDS)

    name: Name
    password: Password


class Refresh(Model):
    """A refresh token; it can be used once."""

    model_config = example(refresh_token=REFRESH)

    refresh_token: SecretStr = Field(min_length=1, max_length=128)


class ChangePassword(Model):
    """The present password and the next."""

    model_config = example(current=WORDS, new="wrong horse battery")

    current: Password
    new: NewPassword


class Tokens(Model):
    """What one is known by after a login: send `Authorization: Bearer <access_token>`."""

    model_config = example(access_token=ACCESS, token_type=SCHEME, expires_in=600, refresh_token=REFRESH)

    access_token: str
    token_type: str = SCHEME
    expires_in: int = Field(description="Seconds for which the access token is good.")
    refresh_token: str = Field(description="Gives the next pair, once. Used twice it ends the session.")


class Me(Model):
    """Who asks, and what they may do. `accounts` is null for all."""

    model_config = example(name="ravi", role="trader", accounts=["main"], key_id=None)

    name: str
    role: Role
    accounts: list[str] | None
    key_id: str | None


class CreateKey(Model):
    """A key of one's own. It may do what `role` says, and never more than its owner."""

    model_config = example(label="my bot", role="trader", accounts=["main"], expires_in_days=90)

    label: Label
    role: Role = Role.TRADER
    accounts: Accounts | None = Field(default=None, description="Null for all that its owner may use.")
    expires_in_days: int = Field(default=90, ge=1, le=MAX_KEY_DAYS)


class RotateKey(Model):
    """For how long the present secret stays good beside the new one."""

    model_config = example(overlap_s=3600)

    overlap_s: int = Field(default=86_400, ge=0, le=MAX_OVERLAP_S)


class KeyOut(Model):
    """A key without its secret."""

    model_config = example(**KEY)

    id: str
    label: str
    role: Role
    accounts: list[str] | None
    created_at: datetime
    expires_at: datetime
    rotated_at: datetime | None
    previous_until: datetime | None
    revoked_at: datetime | None

    @classmethod
    def fields_of(cls, row: KeyRow) -> dict[str, Any]:
        """The fields for a stored key."""
        accounts = None if row.accounts is None else sorted(row.accounts)
        return {name: getattr(row, name) for name in KeyOut.model_fields} | {"accounts": accounts}

    @classmethod
    def of(cls, row: KeyRow) -> Self:
        """The body for a stored key."""
        return cls(**cls.fields_of(row))


class NewKey(KeyOut):
    """A key with its secret, which is told this once."""

    model_config = example(**KEY, key=f"{KEY['id']}.…")

    key: str = Field(description="`<id>.<secret>`, for X-API-Key or to sign with.")


class KeyList(Model):
    """All of one's keys, newest first."""

    model_config = example(keys=[KEY])

    keys: list[KeyOut]


class CreateUser(Model):
    """A person. `accounts` is null for all."""

    model_config = example(name="ravi", password=WORDS, role="trader", accounts=["main"])

    name: Name
    password: NewPassword
    role: Role
    accounts: Accounts | None = Field(default=["main"], description="In which they may look and trade; null for all.")


class ChangeUser(Model):
    """What is to be changed, on the version that was read."""

    model_config = example(version=1, role="viewer")

    version: int = Field(ge=1)
    role: Role | None = None
    accounts: Accounts | None = Field(default=None, description="Null for all; left out, they stay.")
    disabled: StrictBool | None = None
    password: NewPassword | None = None


class UserOut(Model):
    """A person; `version` grows with every change."""

    model_config = example(**USER)

    name: str
    role: Role
    accounts: list[str] | None
    disabled: bool
    version: int
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        """The body for a stored person."""
        accounts = None if user.accounts is None else sorted(user.accounts)
        return cls(
            name=user.name,
            role=user.role,
            accounts=accounts,
            disabled=user.disabled,
            version=user.version,
            created_at=user.created_at,
        )


class UserList(Model):
    """A page of people, by name; `next_cursor` asks for the next page and is null on the last."""

    model_config = example(users=[USER], next_cursor=None)

    users: list[UserOut]
    next_cursor: str | None


class UserQuery(Model):
    """Which people to list."""

    limit: int = Field(default=100, ge=1, le=MAX_PAGE)
    cursor: Name | None = None


class AuditOut(Model):
    """A change of access; `hash` covers it and the one before."""

    model_config = example(**ENTRY)

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    address: str | None
    detail: dict[str, Any]
    hash: str

    @classmethod
    def of(cls, link: Link) -> Self:
        """The body for a stored entry."""
        entry = link.entry
        return cls(
            seq=link.seq,
            at=link.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            address=entry.address,
            detail=dict(entry.detail),
            hash=link.hash.hex(),
        )


class AuditList(Model):
    """A page of the audit, newest first; `next_cursor` asks for the next page and is null on the last."""

    model_config = example(entries=[ENTRY], next_cursor=None)

    entries: list[AuditOut]
    next_cursor: int | None


class AuditQuery(Model):
    """Which entries to list."""

    limit: int = Field(default=100, ge=1, le=MAX_PAGE)
    cursor: int | None = Field(default=None, ge=1, le=2**63 - 1)


class Listed(Model):
    """An address or a network, and what it is for."""

    model_config = example(network="203.0.113.0/24", note="office")

    network: str = Field(max_length=64, examples=["203.0.113.0/24"])
    note: str = Field(default="", max_length=200, examples=["office"])


class NetworkQuery(Model):
    """Which network."""

    network: str = Field(max_length=64, examples=["203.0.113.0/24"])


class PutAllowlist(Model):
    """What the list is to be, on the version that was read."""

    model_config = example(version=3, enforced=True, networks=[OFFICE])

    version: int = Field(ge=0)
    enforced: StrictBool
    networks: list[Listed] = Field(max_length=MAX_NETWORKS)


class AllowlistOut(Model):
    """Who gets in: everybody while it is not enforced, else the networks of the deployment's file and those added.

    `file` is null when the deployment mounts none; while there is one, the list is enforced.
    """

    model_config = example(version=4, enforced=True, file=None, networks=[OFFICE])

    version: int
    enforced: bool
    file: list[str] | None
    networks: list[Listed]
