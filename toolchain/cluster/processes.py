"""A process of ours, told from a later one with the same number by its start; signalled through a pidfd."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from toolchain.cluster.files import write_private


@dataclass(frozen=True)
class Process:
    """One process of this boot of the machine.

    Attributes:
        pid: its number in the machine's own PID namespace.
        start: clock ticks from boot to its start.
        boot: the id of this boot.
    """

    pid: int
    start: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The living process with that number. Raises ProcessLookupError when there is none."""
        start = start_time(pid)
        if start is None:
            raise ProcessLookupError(pid)
        return cls(pid, start, boot_id())

    @classmethod
    def load(cls, path: Path) -> "Process | None":
        """The process that `save` recorded, if it still lives."""
        try:
            process = cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        return process if process.alive() else None

    def save(self, path: Path) -> None:
        """Record it in a file."""
        write_private(path, json.dumps(asdict(self)))

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.boot == boot_id() and start_time(self.pid) == self.start

    def send(self, number: signal.Signals) -> None:
        """Signal it, and never another one that got its number; a dead one is no error."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive():
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)


def boot_id() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process; None when it is gone, or dead and not yet reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    """Poll until a condition holds; False when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
