"""A primary that its standbys cannot reach gives the leader lock up, so that they can go on without it.

Patroni's leader keeps its lock for as long as the Kubernetes API takes it, also when it is cut off from every standby;
no commit is acknowledged then until the cut heals. The members still have the API in common: a standby that neither
streams nor hears the primary's agent says so in an annotation of its own pod, with whom it does hear. A primary that
nobody streams from, and that is missed by a standby which hears enough others to be promoted, ends its server at once
and its Patroni in order, which frees the lock. By then Patroni has struck the lost standbys off its list of synchronous
ones, and lets none of them stand for election; so the one that is furthest asks Patroni by name to be promoted. That
passes Patroni's vote by, but not the guard, which goes ahead only with all that any member may have acknowledged.

The decisions here are pure; `yielding` makes them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from components.postgres.image.member.marks import Marks


@dataclass(frozen=True)
class Complaint:
    """What a standby says of a primary that it cannot reach.

    Attributes:
        misses: the primary.
        hears: the members whose agents answer it.
        beat: grows while it is alive and goes on complaining; clocks are not compared.
    """

    misses: str
    hears: frozenset[str]
    beat: int

    def encode(self) -> str:
        """As an annotation."""
        return json.dumps({"misses": self.misses, "hears": sorted(self.hears), "beat": self.beat})


def decode(text: str) -> Complaint | None:
    """A complaint from its annotation; None for a text that is none."""
    try:
        value = json.loads(text)
        return Complaint(str(value["misses"]), frozenset(map(str, value["hears"])), int(value["beat"]))
    except (KeyError, TypeError, ValueError):
        return None


def complaint(primary: str | None, heard: Iterable[str], *, beat: int) -> Complaint | None:
    """What a standby that does not stream has to say, None when it knows no primary or hears it."""
    hears = frozenset(heard)
    if primary is None or primary in hears:
        return None
    return Complaint(primary, hears, beat)


def alive(before: Mapping[str, Complaint] | None, now: Mapping[str, Complaint]) -> dict[str, Complaint]:
    """The complaints that were made or renewed between two looks: those of members that are alive.

    Args:
        before: what the look just before has found; None when there was none, so that nothing is known to be new.
        now: what this look has found.
    """
    if before is None:
        return {}
    return {name: each for name, each in now.items() if name not in before or each.beat > before[name].beat}


def may_be_promoted(member: str, said: Complaint, members: int, acks: int) -> bool:
    """Whether a member hears so many others that the guard would not refuse it for those it has not heard of."""
    return len(said.hears - {member, said.misses}) >= members - 1 - acks


def stranded(member: str, renewed: Mapping[str, Complaint], *, members: int, acks: int) -> str | None:
    """Why the primary `member`, which nobody streams from, must yield; None when it must not.

    Args:
        renewed: complaints of living members, by member, see `alive`.
        members: how many the cluster has.
        acks: standbys that must have flushed a commit before it is acknowledged.
    """
    for name, said in sorted(renewed.items()):
        if said.misses == member and may_be_promoted(name, said, members, acks):
            return f"no standby streams from {member}, and {name} misses it but hears {', '.join(sorted(said.hears))}"
    return None


def claims(member: str, marks: Mapping[str, Marks]) -> bool:
    """Whether `member` is the one to ask for the promotion: the furthest of those heard, the first by name of equals.

    Args:
        marks: of `member` and of every other that answers it.
    """
    positions = {name: position(held) for name, held in marks.items()}
    furthest = max(positions.values())
    return min(name for name, position in positions.items() if position == furthest) == member


def position(held: Marks) -> tuple[int, int]:
    """The furthest that a member ever held: timeline and position."""
    return max(((mark.point.timeline, mark.point.lsn) for mark in held.marks), default=(0, 0))
