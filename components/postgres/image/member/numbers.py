"""Timeline numbers: no two members ever begin a timeline under one number.

PostgreSQL takes the number after the newest history file on its own disk. Without an archive a member that has not
heard of a timeline takes its number again, and whoever holds the first timeline of that number is not seen to have
diverged: Patroni compares numbers, so it streams on over different content. This happens when a new primary dies before
anyone followed it. So a candidate first reserves its number with enough members that any later candidate hears of it,
and occupies the numbers below.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from components.postgres.image.member.durable import write_durably
from components.postgres.image.member.marks import Marks
from components.postgres.image.member.wal import Point, Switch, format_lsn, history_name

OCCUPIED = "taken by another member"


def newest(marks: Marks, known: Iterable[int], reserved: int) -> int:
    """The newest number that a member has heard of."""
    return max(1, reserved, *known, *(mark.point.timeline for mark in marks.marks))


def occupy(wal: Path, mine: Point, number: int) -> list[int]:
    """Make PostgreSQL take `number`: put a history file in the place of each number between that has none.

    The file says that the timeline left this one at its very start, so no server that has come further will take it for
    its own future. Followers fetch it with the rest: they insist on the history of every number.

    Returns: the numbers that were occupied.
    """
    taken = []
    for each in range(mine.timeline + 1, number):
        file = wal / history_name(each)
        if not file.exists():
            switches = (*mine.lineage.switches, Switch(mine.timeline, mine.lineage.begin + 1))
            lines = [f"{parent}\t{format_lsn(lsn)}\t{OCCUPIED}\n" for parent, lsn in switches]
            write_durably(file, "".join(lines))
            taken.append(each)
    return taken


def free_unused(wal: Path) -> list[int]:
    """Take away occupied numbers above the newest real timeline; only while no server runs on the folder.

    They are there when a promotion was broken off before it began its timeline. A server that starts takes the newest
    history for its future, and refuses to start when it does not stem from its own past.
    """
    freed = []
    for file in sorted(wal.glob(history_name(0).replace("0", "[0-9A-F]")), reverse=True):
        if not occupied(file.read_text()):
            break
        file.unlink()
        freed.append(int(file.stem, 16))
    return freed


def occupied(text: str) -> bool:
    """Whether a history file only keeps a number: it tells of no timeline."""
    return text.rstrip().endswith(OCCUPIED)


def load_reserved(file: Path, system_id: str | None) -> int:
    """The highest number that was reserved here; 0 for none, or for another database system."""
    try:
        value = json.loads(file.read_text())
    except FileNotFoundError:
        return 0
    return int(value["timeline"]) if value["system_id"] == system_id else 0


def save_reserved(file: Path, system_id: str | None, timeline: int) -> None:
    """Keep a reservation; it is on disk when this returns."""
    write_durably(file, json.dumps({"system_id": system_id, "timeline": timeline}))
