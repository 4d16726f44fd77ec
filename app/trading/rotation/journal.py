"""How far a rotation has got, as a chain of entries that only grows: the journal is the audit. Pure.

A rotation is begun (what will change is told before anything does), bumped (the stack's file has the new epochs),
applied (the Secrets have them) and done (every node and client has moved). An entry never tells a value.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from trading.rotation.errors import RotationError
from trading.security.audit import START, Entry, Link, first_broken, link_hash


class Phase(StrEnum):
    """The last thing that is certain of a rotation."""

    BEGUN = "begun"
    BUMPED = "bumped"
    APPLIED = "applied"
    DONE = "done"


@dataclass(frozen=True)
class Step:
    """One epoch's way."""

    kind: str
    before: int
    after: int

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.kind}: epoch {self.before} -> {self.after}"


@dataclass(frozen=True)
class Rotation:
    """One rotation.

    Attributes:
        steps: what it changes.
        phase: how far it has got.
        again: whether another one of the same kinds follows, which takes the present passwords out of use.
    """

    steps: tuple[Step, ...]
    phase: Phase = Phase.BEGUN
    again: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that it changes, sorted."""
        return tuple(sorted(step.kind for step in self.steps))

    @property
    def wanted(self) -> Mapping[str, int]:
        """Kind to the epoch that it shall have."""
        return {step.kind: step.after for step in self.steps}

    @property
    def is_back(self) -> bool:
        """Whether it goes back to the epochs before."""
        return all(step.after < step.before for step in self.steps)

    def following(self) -> "Rotation":
        """The one that follows `again`: the same kinds, one step further."""
        return Rotation(tuple(Step(step.kind, step.after, step.after + 1) for step in self.steps))

    def at(self, phase: Phase) -> "Rotation":
        """The same one, further on."""
        return replace(self, phase=phase)


def entry(rotation: Rotation, actor: str) -> Entry:
    """What is written of a rotation when it has come to its phase."""
    steps = {step.kind: [step.before, step.after] for step in rotation.steps}
    detail = {"steps": steps, "again": rotation.again}
    return Entry(actor, f"rotation.{rotation.phase}", ",".join(rotation.kinds), detail=detail)


def rotation_of(link: Link) -> Rotation:
    """The reverse of `entry`."""
    steps = tuple(Step(kind, *epochs) for kind, epochs in link.entry.detail["steps"].items())
    return Rotation(steps, Phase(link.entry.action.removeprefix("rotation.")), link.entry.detail["again"])


def unfinished(links: Sequence[Link]) -> Rotation | None:
    """The rotation that has stopped on its way; None when the last one is done."""
    last = rotation_of(links[-1]) if links else None
    return None if last is None or last.phase is Phase.DONE else last


def last_step(links: Sequence[Link], kind: str) -> Step | None:
    """The newest step of a kind, whether it is done or not."""
    rotations = (rotation_of(link) for link in reversed(links))
    return next((step for rotation in rotations for step in rotation.steps if step.kind == kind), None)


def rotated_at(links: Sequence[Link], kind: str, epoch: int) -> datetime | None:
    """Since when a kind has its epoch; None if the newest rotation of it led elsewhere, or there was none."""
    for link in reversed(links):
        rotation = rotation_of(link)
        if rotation.phase is Phase.DONE and kind in rotation.wanted:
            return link.at if rotation.wanted[kind] == epoch else None
    return None


def grown(links: Sequence[Link], added: Sequence[Entry], at: datetime) -> list[Link]:
    """The chain with entries at its end."""
    chain = list(links)
    for one in added:
        previous = chain[-1].hash if chain else START
        seq = len(chain) + 1
        chain.append(Link(seq, at, one, link_hash(previous, seq, at, one)))
    return chain


def encode(links: Sequence[Link]) -> str:
    """One line of JSON an entry."""
    return "".join(json.dumps(_values(link)) + "\n" for link in links)


def _values(link: Link) -> dict[str, Any]:
    made = link.entry
    return {
        "seq": link.seq,
        "at": link.at.astimezone(UTC).isoformat(),
        "actor": made.actor,
        "action": made.action,
        "subject": made.subject,
        "detail": dict(made.detail),
        "hash": link.hash.hex(),
    }


def decode(text: str) -> list[Link]:
    """The reverse of `encode`.

    Raises:
        RotationError: it was altered since it was written.
    """
    links = []
    try:
        for line in text.splitlines():
            one = json.loads(line)
            made = Entry(one["actor"], one["action"], one["subject"], detail=one["detail"])
            links.append(Link(one["seq"], datetime.fromisoformat(one["at"]), made, bytes.fromhex(one["hash"])))
            rotation_of(links[-1])
        broken = first_broken(links)
    except (ValueError, KeyError, TypeError):
        broken = len(links) + 1
    if broken is not None:
        raise RotationError(
            f"the log of rotations was altered at entry {broken}: find out by whom; keep a copy (kubectl get configmap "
            "credential-rotation -o yaml) and delete it to begin a new one"
        )
    return links
