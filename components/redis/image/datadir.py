"""The volume of a node: who owns it, whether it holds a whole copy, and when it was last part of the whole."""

import fcntl
import json
import logging
import os
import time
from pathlib import Path

from components.redis.image.state import LastSeen

JOINING = "joining"
LAST_SEEN = "last-seen.json"
STOPPED_WHOLE = "stopped-whole"
log = logging.getLogger("volume")


def own(folder: Path) -> None:
    """Take the volume for this process and for the program that it becomes; wait while another process has it.

    After a forced deletion the old pod may still run when the new one of the same name starts on the same volume: two
    servers would append to one file. The lock is on the folder itself, so that no cleaning takes it away; the kernel
    gives it back when the last process that has it open ends.
    """
    volume = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(volume, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("wait: the pod before still uses the volume")
        fcntl.flock(volume, fcntl.LOCK_EX)
    os.set_inheritable(volume, True)


def has_data(folder: Path) -> bool:
    """Whether the folder holds a whole copy that redis-server will load: the append-only file.

    It ignores a `dump.rdb` that stands alone, as a server leaves it whose other files are gone; that does not count.
    A replica that starts empty creates its files before its first copy has arrived; until then the mark stands that
    `begin_joining` set, and the folder counts as empty.
    """
    if (folder / JOINING).exists():
        return False
    return any((folder / "appendonlydir").glob("*.manifest"))


def begin_joining(folder: Path) -> None:
    """Mark the folder as one that waits for its first whole copy."""
    (folder / JOINING).touch()


def end_joining(folder: Path) -> None:
    """Remove the mark: the copy is whole, or this node leads."""
    (folder / JOINING).unlink(missing_ok=True)


def stop_whole(folder: Path) -> None:
    """Mark the folder of a master whose writes are paused for good, since it is about to be stopped."""
    (folder / STOPPED_WHOLE).touch()


def stopped_whole(folder: Path) -> bool:
    """Whether the last stop was one that `stop_whole` announced."""
    return (folder / STOPPED_WHOLE).exists()


def run_again(folder: Path, *, marked_for_s: float = 0) -> None:
    """Remove the mark of `stop_whole`, if it has stood for so many seconds: what runs will have more than its files."""
    mark = folder / STOPPED_WHOLE
    if mark.exists() and time.time() - mark.stat().st_mtime >= marked_for_s:
        mark.unlink(missing_ok=True)


def note(folder: Path, seen: LastSeen) -> None:
    """Write down when this node was last part of the whole, in one step that a crash leaves whole."""
    write_private(folder / LAST_SEEN, json.dumps({"at": seen.at, "role": seen.role, "offset": seen.offset}))


def last_seen(folder: Path) -> LastSeen | None:
    """What `note` wrote last; None if it never did or if the file is damaged, for it is a hint, not the data."""
    try:
        values = json.loads((folder / LAST_SEEN).read_text())
        return LastSeen(at=int(values["at"]), role=values["role"], offset=int(values["offset"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone reads, by renaming a finished one over it."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    scratch.replace(path)
