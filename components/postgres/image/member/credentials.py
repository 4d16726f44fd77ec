"""Read a mounted credential: two slots, which of them is current, and its epoch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Slot = Literal["a", "b"]
SLOTS: tuple[Slot, Slot] = ("a", "b")
APP, REPLICATION = "postgres-app", "postgres-replication"


@dataclass(frozen=True)
class Credential:
    """One kind's credential as it is mounted.

    Attributes:
        passwords: slot to password; both are valid.
        current: the slot to log in with.
        epoch: generation that `current` holds.
    """

    passwords: dict[Slot, str] = field(repr=False)
    current: Slot
    epoch: int

    @property
    def slots(self) -> tuple[Slot, Slot]:
        """The current slot, then the previous one."""
        return self.current, SLOTS[1 - SLOTS.index(self.current)]


def read(folder: Path, kind: str) -> Credential:
    """A kind's credential, all keys from one snapshot.

    The kubelet replaces a mounted Secret by moving the link `..data`; it is resolved once, so that a password and the
    slot that it belongs to are never of two generations.

    Raises:
        OSError: a key is missing (also when the snapshot went away in between: read again).
        ValueError: `current` is no slot, or `epoch` no number.
    """
    mounted = folder / kind
    snapshot = (mounted / "..data").resolve() if (mounted / "..data").exists() else mounted
    current = (snapshot / "current").read_text().strip()
    if current not in SLOTS:
        raise ValueError(f"{mounted}/current: must be one of {', '.join(SLOTS)}")
    passwords = {slot: (snapshot / slot).read_text().strip() for slot in SLOTS}
    return Credential(passwords, current, int((snapshot / "epoch").read_text()))
