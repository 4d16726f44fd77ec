"""Complete a new timeline's first segment from this member's own log, where a broken fetch left it short.

When a standby follows a new timeline it fetches the segment in which the timeline began once more, from its start,
into a file of the new timeline's name. PostgreSQL reads the file of the newest timeline and never falls back: if the
new primary goes away in the middle of the fetch, everything between the break and the switch can no longer be read,
although the older timeline's file holds it all. Promoting such a member ends in a PANIC and, after a restart, in a fork
below the switch.

Up to the switch both timelines are the same log, byte for byte. So the missing bytes are copied from the older file.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from components.postgres.image.member.numbers import free_unused, occupied
from components.postgres.image.member.paths import Paths
from components.postgres.image.member.wal import (
    Lineage,
    Point,
    Span,
    format_lsn,
    parse_history,
    segment_name,
)

HISTORY_SUFFIX = ".history"


def lineages(wal: Path) -> dict[int, Lineage]:
    """The lineages of all history files in a log folder, by timeline; none where there is no folder."""
    found = {}
    for timeline, text in histories(wal).items():
        if not occupied(text):
            found[timeline] = parse_history(timeline, text)
    return found


def histories(wal: Path) -> dict[int, str]:
    """Timeline to the text of its history file."""
    files = sorted(wal.glob(f"*{HISTORY_SUFFIX}"))
    return {int(file.name.removesuffix(HISTORY_SUFFIX), 16): file.read_text() for file in files}


def complete_segments(wal: Path, known: Mapping[int, Lineage], programs: Path) -> list[str]:
    """Complete the first segment of every known timeline where it is short.

    Args:
        wal: the log folder.
        known: lineages by timeline.
        programs: folder of `pg_waldump`, which proves that the older file is whole up to the switch.

    Returns: the names of the files that were completed.
    """
    return [name for lineage in known.values() if (name := complete_segment(wal, lineage, programs))]


def complete_segment(wal: Path, lineage: Lineage, programs: Path) -> str | None:
    """Complete one timeline's first segment; its name when that was needed and could be done."""
    target = first_segment(wal, lineage)
    if target is None:
        return None
    size = target.stat().st_size
    start = lineage.begin - lineage.begin % size
    older = [s for s in Point(lineage, lineage.begin).spans() if s.end > start]
    wanted = joined(wal, older, start, size)
    if wanted is None:
        return None
    with open(target, "r+b") as file:
        if file.read(len(wanted)) == wanted:
            return None
        if not readable(wal, older[-1].timeline, start, lineage.begin, programs):
            return None
        file.seek(0)
        file.write(wanted)
        file.flush()
        os.fsync(file.fileno())
    return target.name


def repair(paths: Paths) -> list[str]:
    """Put right in a log folder what keeps a server from starting; only while none runs. Returns what was done."""
    freed = [f"timeline number {number} is free again" for number in free_unused(paths.wal)]
    completed = complete_segments(paths.wal, lineages(paths.wal), paths.programs)
    return [*freed, *(f"completed {name} from the timeline before it" for name in completed)]


def first_segment(wal: Path, lineage: Lineage) -> Path | None:
    """The file in which a timeline begins, when it is there and the timeline begins within it."""
    for candidate in sorted(wal.glob(f"{lineage.timeline:08X}" + "[0-9A-F]" * 16)):
        size = candidate.stat().st_size
        if size and candidate.name == segment_name(lineage.timeline, lineage.begin, size):
            return candidate if lineage.begin % size else None
    return None


def joined(wal: Path, older: list[Span], start: int, size: int) -> bytes | None:
    """The log from the start of a segment up to the end of the last span, from the files of the spans' timelines."""
    content = b""
    for span in older:
        file = wal / segment_name(span.timeline, start, size)
        begin, end = max(span.begin, start) - start, span.end - start
        if not file.exists():
            return None
        with open(file, "rb") as source:
            source.seek(begin)
            content += source.read(end - begin)
    return content


def readable(wal: Path, timeline: int, start: int, end: int, programs: Path) -> bool:
    """Whether every record of a timeline's segment is whole from its first one up to `end`."""
    command = [str(programs / "pg_waldump"), "--quiet", "--path", str(wal), "--timeline", str(timeline)]
    command += ["--start", format_lsn(start), "--end", format_lsn(end)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
