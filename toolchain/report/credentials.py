"""Whether the replacement of a password is a rotation that nobody notices. Pure.

The rule is the credentials component's own: two slots a kind, one step of the epoch renews exactly the older one.
"""

from typing import NamedTuple

from components.credentials.args import KINDS
from toolchain.report.context import Context
from toolchain.report.model import Level, Risk
from toolchain.report.steps import Step, dig
from toolchain.report.values import differences


class Slot(NamedTuple):
    """One of the two passwords of a kind: where it stands, before and after."""

    old: int
    new: int
    renewed: bool


def kind_and_slot(logical: str) -> tuple[str, str] | None:
    """(`postgres-app`, `a`) of `credentials-postgres-app-a`; None for a password that is no credential's slot."""
    rest, _, slot = logical.rpartition("-")
    kind = next((kind for kind in KINDS if rest.endswith(f"-{kind}")), None)
    return (kind, slot) if kind and slot in ("a", "b") else None


def replaced_password(step: Step, context: Context) -> Risk:
    """The risk of replacing a RandomPassword."""
    found = kind_and_slot(step.logical)
    if found is None:
        return Risk(Level.DOWNTIME, "a new password takes the place of the old one, which stops working", gated=True)
    kind, name = found
    other_name = step.logical.removesuffix(name) + ("b" if name == "a" else "a")
    slot = _slot(step)
    other = _slot(context.passwords[other_name]) if other_name in context.passwords else None
    others = {d.shown for d in differences(step.old, step.new)} - {"keepers.epoch"}
    if slot is None or other is None or others:
        why = f"{', '.join(sorted(others))} changes" if others else "it has no epoch beside it"
        return Risk(Level.DOWNTIME, f"not a rotation of {kind} ({why}): a password in use stops working", gated=True)
    if other.renewed:
        reason = f"both passwords of {kind} are replaced at once: every client is refused until it has the new one"
        return Risk(Level.DOWNTIME, f"{reason}; change the epoch by one at a time", gated=True)
    if slot.old < other.old and slot.new == other.new + 1:
        after = (
            f"the older slot {name} gets a new password and becomes current, the other stays valid as the previous one"
        )
        return Risk(Level.SAFE, f"rotation of {kind} to epoch {slot.new}: {after}")
    if slot.old == other.old + 1 and slot.new < other.new:
        reason = f"{kind} goes back to epoch {other.new}: the password in use is replaced"
        return Risk(Level.DOWNTIME, f"{reason}, and a client is refused until it has reloaded")
    return Risk(Level.DOWNTIME, f"not one step of the epoch of {kind}: a password in use stops working", gated=True)


def _slot(step: Step) -> Slot | None:
    old, new = (dig(state, "keepers", "epoch") for state in (step.old, step.new))
    if not all(isinstance(epoch, str) and epoch.isdecimal() for epoch in (old, new)):
        return None
    return Slot(int(old), int(new), step.operation != "same")
