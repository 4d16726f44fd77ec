"""Whether this member may become the primary without losing an acknowledged commit. Pure.

A commit is acknowledged when it is flushed on the primary and on at least `acks` standbys: `acks` + 1 holders. So it is
lost to nobody who has heard of all members but `acks`, and a promotion is safe when this member holds everything that
those say they held. Patroni's own vote asks the same of *current* positions; the guard asks it of *remembered* ones,
since a position can go back: see the README for the loss that was seen.

A primary's own tail is the exception: it counts only where a standby that may have acknowledged it was not heard.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from components.postgres.image.member.marks import Mark, Marks
from components.postgres.image.member.wal import Lineage, Point, Relation, relate


@dataclass(frozen=True)
class Verdict:
    """The decision.

    Attributes:
        promote: whether to go ahead.
        reason: one line for the log, with both positions when it is a refusal.
        final: whether further answers cannot change it.
    """

    promote: bool
    reason: str
    final: bool = True


def decide(
    mine: Point, own: Marks, known: Iterable[Lineage], answers: Mapping[str, Marks | None], *, acks: int
) -> Verdict:
    """Decide on a promotion.

    Args:
        mine: where this member would end recovery.
        own: its own marks.
        known: lineages of the history files on its disk.
        answers: every other member to its marks; None for one that was not heard, marks without a system id for one
            that has no data.
        acks: standbys that must have flushed a commit before it is acknowledged.
    """
    for mark in own.marks:
        if ahead(mine, mark.point):
            return refusal(mine, mark.point, f"this member held that much as a {mark.kind}")
    for lineage in known:
        if refused := beyond(mine, lineage):
            return refused
    return decide_by_answers(mine, own, answers, acks)


def ahead(mine: Point, other: Point) -> bool:
    """Whether `other` stands for commits that a promotion at `mine` would drop.

    A tail that was left behind when an older timeline ended is none: whoever began the newer one has answered for it.
    """
    relation = relate(mine, other)
    return relation is Relation.BEHIND or (relation is Relation.DIVERGED and other.timeline >= mine.timeline)


def beyond(mine: Point, lineage: Lineage) -> Verdict | None:
    """A refusal when a newer timeline is known that this member has not reached, or has missed."""
    if lineage.timeline <= mine.timeline:
        return None
    start = Point(lineage, lineage.begin)
    if relate(mine, start) is not Relation.HOLDS:
        return refusal(mine, start, f"timeline {lineage.timeline} began there")
    if relate(mine, Point(lineage, lineage.begin + 1)) is Relation.DIVERGED:
        return refusal(mine, start, f"timeline {lineage.timeline} left this one there, so this member must rewind")
    return None


def decide_by_answers(mine: Point, own: Marks, answers: Mapping[str, Marks | None], acks: int) -> Verdict:
    """Decide by what the other members said, once this member's own disk has no objection."""
    heard = {name: marks for name, marks in answers.items() if marks is not None and marks.system_id is not None}
    for name, marks in heard.items():
        if marks.system_id != own.system_id:
            return Verdict(False, f"not promoting: {name} belongs to database system {marks.system_id}")
    missing = [name for name in answers if name not in heard]
    if only_member(own, answers):
        return Verdict(True, f"promoting at {mine}: no other member has data yet, and this one was the primary")
    for name, marks in heard.items():
        for mark in counted(marks, tail_counts=len(missing) >= acks):
            if ahead(mine, mark.point):
                return refusal(mine, mark.point, f"{name} held that much as a {mark.kind}", final=not missing)
    if len(missing) > acks:
        return Verdict(
            False,
            f"not promoting at {mine}: not heard of {', '.join(sorted(missing))}; a commit may be held by them alone",
            final=False,
        )
    return Verdict(True, f"promoting at {mine}: holds all that {', '.join(sorted(heard)) or 'this member'} held")


def counted(marks: Marks, *, tail_counts: bool) -> Sequence[Mark]:
    """The marks of another member that may stand for acknowledged commits."""
    return [mark for mark in marks.marks if tail_counts or mark.kind == "standby"]


def only_member(own: Marks, answers: Mapping[str, Marks | None]) -> bool:
    """Whether the cluster is just being made: all were heard, none has data, and this one was the primary last."""
    empty = all(marks is not None and marks.system_id is None for marks in answers.values())
    return empty and bool(own.marks) and own.marks[-1].kind == "primary"


def refusal(mine: Point, other: Point, why: str, *, final: bool = True) -> Verdict:
    """The refusal of a promotion at `mine` because of `other`."""
    return Verdict(False, f"not promoting: this member stands at {mine}, below {other}: {why}", final)
