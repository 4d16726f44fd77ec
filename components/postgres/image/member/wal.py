"""Positions in the write-ahead log and how they relate across timelines. Pure.

A log sequence number alone says nothing once a standby was promoted: two members can stand at one number with different
content behind it. A position therefore carries its lineage, the timelines that it stems from and where each ended, as
PostgreSQL keeps them in the files `<timeline>.history`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


def parse_lsn(text: str) -> int:
    """The byte position of `0/5089338`. Raises ValueError for anything else than two hexadecimal numbers."""
    high, slash, low = text.strip().partition("/")
    if not slash:
        raise ValueError(f"position = {text!r}: must be two hexadecimal numbers with a slash, such as 0/5089338")
    return (int(high, 16) << 32) + int(low, 16)


def format_lsn(lsn: int) -> str:
    """The way PostgreSQL writes a position: `0/5089338`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


class Switch(NamedTuple):
    """A timeline that was left, and where."""

    timeline: int
    lsn: int


class Span(NamedTuple):
    """A stretch of one timeline: from `begin` up to `end`."""

    timeline: int
    begin: int
    end: int


@dataclass(frozen=True)
class Lineage:
    """A timeline and those that it stems from, oldest first."""

    timeline: int
    switches: tuple[Switch, ...] = ()

    @property
    def begin(self) -> int:
        """Where the timeline itself begins: 0 for the first one."""
        return self.switches[-1].lsn if self.switches else 0


@dataclass(frozen=True)
class Point:
    """A position on a timeline, with the timeline's lineage."""

    lineage: Lineage
    lsn: int

    @property
    def timeline(self) -> int:
        """The timeline it was read on."""
        return self.lineage.timeline

    def __str__(self) -> str:
        """Timeline and position, as in the logs: `1 0/5089338`."""
        return f"{self.timeline} {format_lsn(self.lsn)}"

    def spans(self) -> list[Span]:
        """The stretches of log that lead here, without empty ones.

        A position at or below the start of its timeline lies on the parent: a standby that follows a new timeline
        fetches the segment again from its start, and until it has come to the switch it holds nothing of the new one.
        """
        found: list[Span] = []
        begin = 0
        for timeline, end in [*self.lineage.switches, Switch(self.timeline, self.lsn)]:
            found = [Span(s.timeline, s.begin, min(s.end, begin)) for s in found if s.begin < begin]
            found.append(Span(timeline, begin, end))
            begin = end
        last = self.lsn
        kept = [Span(s.timeline, s.begin, min(s.end, last)) for s in found if s.begin < min(s.end, last)]
        return kept or [found[0]._replace(end=last)]


class Relation(Enum):
    """How a position stands to another one."""

    HOLDS = "holds"
    BEHIND = "is behind"
    DIVERGED = "has diverged from"


def relate(mine: Point, other: Point) -> Relation:
    """Whether everything up to `other` is part of what leads to `mine`.

    HOLDS: it is. BEHIND: `other` goes on from where `mine` ends. DIVERGED: each has something that the other has not.
    """
    ours, theirs = mine.spans(), other.spans()
    for index, span in enumerate(theirs):
        if index == len(ours):
            return Relation.BEHIND
        own, mine_ends, they_end = ours[index], index == len(ours) - 1, index == len(theirs) - 1
        if (own.timeline, own.begin) != (span.timeline, span.begin):
            return Relation.DIVERGED
        if own.end < span.end:
            return Relation.BEHIND if mine_ends else Relation.DIVERGED
        if own.end > span.end and not they_end:
            return Relation.DIVERGED
    return Relation.HOLDS


def parse_history(timeline: int, text: str) -> Lineage:
    """The lineage in a history file: lines `<parent> <switch position> <reason>`, oldest first.

    Raises ValueError for a line that is none of those.
    """
    switches = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            parent, lsn = line.split(None, 2)[:2]
            switches.append(Switch(int(parent), parse_lsn(lsn)))
    return Lineage(timeline, tuple(switches))


def history_name(timeline: int) -> str:
    """File name of a timeline's history."""
    return f"{timeline:08X}.history"


def segment_name(timeline: int, lsn: int, segment_bytes: int) -> str:
    """File name of the segment that holds a position on a timeline."""
    per_id = 0x100000000 // segment_bytes
    number = lsn // segment_bytes
    return f"{timeline:08X}{number // per_id:08X}{number % per_id:08X}"


def lineage_json(lineage: Lineage) -> dict[str, object]:
    """A lineage as JSON."""
    switches = [[timeline, format_lsn(lsn)] for timeline, lsn in lineage.switches]
    return {"timeline": lineage.timeline, "switches": switches}


def lineage_of_json(value: Mapping[str, object]) -> Lineage:
    """The lineage in what `lineage_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    timeline, switches = value["timeline"], value["switches"]
    if not isinstance(timeline, int) or not isinstance(switches, list):
        raise TypeError("lineage: timeline must be a number and switches a list")
    return Lineage(timeline, tuple(Switch(int(parent), parse_lsn(lsn)) for parent, lsn in switches))
