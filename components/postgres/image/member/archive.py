"""What a member does for the archive of the log beside sending it: send again what may lack, say how far it is."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from components.postgres.image.member.segments import lineages
from components.postgres.image.member.wal import Switch, segment_name

SEGMENT = re.compile(r"[0-9A-F]{24}|[0-9A-F]{8}\.history")
DONE, READY = ".done", ".ready"


def send_again(wal: Path) -> list[str]:
    """Mark all log that lies here as not sent yet; returns the names.

    A standby notes each segment that it receives as sent, for the primary sends it. A primary that dies with segments
    unsent would leave a gap that no restore gets over, although its successor holds them. So the successor sends what
    it has once more: what the archive has already is compared there, and kept.

    A segment in which an older timeline was left is not sent: its end differs between members, so the archive would
    refuse it, and all that waits behind it, for ever. What counts of it is in the next timeline's first segment.
    """
    status = wal / "archive_status"
    known = lineages(wal)
    left = known[max(known)].switches if known else ()
    names = [file.name.removesuffix(DONE) for file in sorted(status.glob(f"*{DONE}"))]
    chosen = [
        name for name in names if SEGMENT.fullmatch(name) and (wal / name).exists() and not beyond(wal / name, left)
    ]
    for name in chosen:
        (status / f"{name}{DONE}").rename(status / f"{name}{READY}")
    return chosen


def beyond(segment: Path, left: Iterable[Switch]) -> bool:
    """Whether a file is a segment in which its timeline was left, or a later one of that timeline."""
    size = segment.stat().st_size
    ends = [segment_name(each.timeline, each.lsn, size) for each in left] if size and not segment.suffix else []
    return any(segment.name[:8] == end[:8] and segment.name >= end for end in ends)


def waiting(wal: Path) -> int:
    """Segments that wait to be sent."""
    return sum(1 for _ in (wal / "archive_status").glob(f"*{READY}"))


def read_status(folder: Path) -> dict[str, dict[str, Any]]:
    """How the jobs of the backups went, from the mounted ConfigMap: job to its facts."""
    return {file.name.removesuffix(".json"): json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}


def metrics(archiver: Mapping[str, float], jobs: Mapping[str, Mapping[str, Any]]) -> str:
    """The text that Prometheus reads. Pure.

    Args:
        archiver: `waiting` segments, and of the primary `archived` and `failed` attempts and the `last` success (Unix
            seconds).
        jobs: as `read_status` gives them.
    """
    lines = [f"postgres_archive_{name} {value}" for name, value in archiver.items()]
    return "\n".join([*lines, *(line for name, facts in jobs.items() for line in _job(name, facts))]) + "\n"


def _job(name: str, facts: Mapping[str, Any]) -> Iterator[str]:
    label = f'{{job="{name}"}}'
    yield f"postgres_backup_job_ok{label} {int(facts['ok'])}"
    yield f"postgres_backup_job_timestamp_seconds{label} {facts['at']}"
    yield f"postgres_backup_job_duration_seconds{label} {facts['seconds']}"
    for kind, stop in facts.get("newest", {}).items():
        yield f'postgres_backup_newest_timestamp_seconds{{type="{kind}",job="{name}"}} {stop}'
    if "stored_bytes" in facts:
        yield f"postgres_backup_stored_bytes{label} {facts['stored_bytes']}"
    if facts.get("newest_commit"):
        yield f"postgres_backup_restored_commit_timestamp_seconds{label} {facts['newest_commit']}"
