"""High-water marks: the highest position that this member ever held, per timeline, kept on its data volume.

They stand beside the data directory, not in it: pg_rewind and a fresh base backup replace the directory, and recovery
may read less than was flushed before. A mark that a standby made may be an acknowledged commit somewhere; one that a
primary made is acknowledged only as far as a standby held it too.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from components.postgres.image.member.durable import write_durably
from components.postgres.image.member.wal import Point, format_lsn, lineage_json, lineage_of_json, parse_lsn

Kind = Literal["standby", "primary"]
KEPT_TIMELINES = 16


@dataclass(frozen=True)
class Mark:
    """A position that was flushed, and in which role."""

    kind: Kind
    point: Point


@dataclass(frozen=True)
class Marks:
    """All marks of a member.

    Attributes:
        system_id: the database system that they belong to; None as long as the member has no data.
        marks: at most one per timeline and kind, newest timeline last.
    """

    system_id: str | None = None
    marks: tuple[Mark, ...] = ()

    def raised(self, system_id: str, kind: Kind, point: Point) -> "Marks":
        """With a position added: a lower one changes nothing, another database system starts anew.

        The newest `KEPT_TIMELINES` timelines are kept: older ones have long been part of what every member follows.
        """
        known = {(m.point.timeline, m.kind): m for m in self.marks} if system_id == self.system_id else {}
        before = known.get((point.timeline, kind))
        if before is not None and before.point.lineage == point.lineage and before.point.lsn >= point.lsn:
            return self
        known[point.timeline, kind] = Mark(kind, point)
        newest = set(sorted({timeline for timeline, _ in known})[-KEPT_TIMELINES:])
        return Marks(system_id, tuple(known[key] for key in sorted(known) if key[0] in newest))


def encode(marks: Marks) -> dict[str, object]:
    """As JSON, on disk and between members."""
    rows = [{"kind": m.kind, "lsn": format_lsn(m.point.lsn)} | lineage_json(m.point.lineage) for m in marks.marks]
    return {"system_id": marks.system_id, "marks": rows}


def decode(value: object) -> Marks:
    """What `encode` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    if not isinstance(value, dict):
        raise TypeError("marks: must be an object")
    return Marks(value["system_id"], tuple(_marks(value["marks"])))


def _marks(rows: Iterable[dict[str, str]]) -> Iterable[Mark]:
    for row in rows:
        kind: Kind = "primary" if row["kind"] == "primary" else "standby"
        yield Mark(kind, Point(lineage_of_json(row), parse_lsn(row["lsn"])))


def load(path: Path) -> Marks:
    """The marks on disk; none where there is no file.

    Raises ValueError when the file cannot be read as marks: a guard that cannot know must not guess.
    """
    try:
        return decode(json.loads(path.read_text()))
    except FileNotFoundError:
        return Marks()
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: no high-water marks in it ({error}); remove it only if this member may be rebuilt"
        ) from error


def save(path: Path, marks: Marks) -> None:
    """Write them so that after a power cut there is either the old file or the new one, whole."""
    write_durably(path, json.dumps(encode(marks)))
