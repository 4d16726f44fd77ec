"""Mounted credentials: two passwords a kind, read from one snapshot of the kubelet's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Slot = Literal["a", "b"]
APP = "redis-app"
REPLICATION = "redis-replication"
SENTINEL = "redis-sentinel"
ADMIN = "redis-admin"
MEMBER_KINDS = (APP, REPLICATION, SENTINEL, ADMIN)
SENTINEL_KINDS = (APP, SENTINEL, ADMIN)
KEYS = ("a", "b", "current", "epoch")
MIN_LENGTH = 16
SNAPSHOT_TRIES = 5


class CredentialError(Exception):
    """A mounted credential is missing or malformed; the text names the file and the rule, never a value."""


@dataclass(frozen=True, repr=False)
class Credential:
    """Two passwords that are both valid, and which of them to use.

    Attributes:
        passwords: slot to password.
        current: the slot of the newest generation.
        epoch: the generation of the current slot; the other slot holds the one before.
    """

    passwords: dict[Slot, str]
    current: Slot
    epoch: int

    @property
    def current_password(self) -> str:
        """The password of the newest generation: a node accepts it once it has this generation."""
        return self.passwords[self.current]

    @property
    def previous_password(self) -> str:
        """The password of the generation before: a node with this or with that generation accepts it."""
        return self.passwords["b" if self.current == "a" else "a"]


def read(folder: Path) -> Credential:
    """Read a mounted Secret.

    The kubelet replaces all files of a Secret at once, by pointing the link `..data` elsewhere; the link is followed
    once, so that the four files belong together. If the old folder goes while it is read, the new one is read.

    Raises:
        CredentialError: a file is missing or malformed.
    """
    for _ in range(SNAPSHOT_TRIES - 1):
        try:
            return _parse(folder, _files(folder))
        except FileNotFoundError:
            continue
    try:
        return _parse(folder, _files(folder))
    except FileNotFoundError as error:
        raise CredentialError(
            f"{folder}: no file {Path(error.filename).name!r}; mount the whole Secret here"
        ) from error


def _files(folder: Path) -> dict[str, str]:
    snapshot = (folder / "..data").resolve(strict=True)
    return {key: (snapshot / key).read_text().strip() for key in KEYS}


def _parse(folder: Path, files: dict[str, str]) -> Credential:
    for slot in ("a", "b"):
        password = files[slot]
        if len(password) < MIN_LENGTH or not (password.isascii() and password.isalnum()):
            raise CredentialError(f"{folder}/{slot}: must be {MIN_LENGTH} or more letters and digits; set it anew")
    if files["a"] == files["b"]:
        raise CredentialError(f"{folder}: a and b must differ, or a rotation revokes nothing; set one anew")
    if not files["epoch"].isdecimal():
        raise CredentialError(f"{folder}/epoch: must be a whole number; set it anew")
    if files["current"] not in ("a", "b"):
        raise CredentialError(f"{folder}/current: must be 'a' or 'b'; set it anew")
    current: Slot = "a" if files["current"] == "a" else "b"
    return Credential(passwords={"a": files["a"], "b": files["b"]}, current=current, epoch=int(files["epoch"]))


def read_all(folder: Path, kinds: tuple[str, ...]) -> dict[str, Credential]:
    """Read the Secrets of several kinds.

    Raises:
        CredentialError: one of them is missing or malformed.
    """
    return {kind: read(folder / kind) for kind in kinds}
