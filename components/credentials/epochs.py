"""Epochs and slots: which generation of a credential stands in which slot. Pure.

Slot `a` holds the newest even epoch, slot `b` the newest odd one, so one step of the epoch changes exactly the slot
that is older, and the other stays valid as the previous one.
"""

from typing import Literal, NamedTuple

Slot = Literal["a", "b"]
FIRST_EPOCH = 1


class SlotEpochs(NamedTuple):
    """The epoch whose password stands in each slot."""

    a: int
    b: int


def slot_epochs(epoch: int) -> SlotEpochs:
    """The newest even and the newest odd epoch that are not above `epoch`, which is at least 1."""
    return SlotEpochs(a=epoch - epoch % 2, b=epoch - 1 + epoch % 2)


def current_slot(epoch: int) -> Slot:
    """The slot that holds `epoch` itself; the other one holds the epoch before."""
    return "b" if epoch % 2 else "a"
