"""Child processes of the language host: each in a group of its own, ended with the call or the host."""

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

GRACE_S: Final = 3.0
"""From SIGTERM to SIGKILL; the engine itself waits 5 s before it kills the host."""


class Children:
    """The running children; `close` ends them all and lets no new one start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def start(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None, piped: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a command; its output goes to pipes, or where the host's own goes, which is the engine."""
        output = subprocess.PIPE if piped else None
        with self._lock:
            if self._closed:
                raise InterruptedError("the language host is closing")
            child = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self._running.add(child)
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        """Wait for a child's exit code."""
        code = child.wait()
        with self._lock:
            self._running.discard(child)
        return code

    def close(self) -> None:
        """End every child with its process group."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for child in running:
            _signal_group(child, signal.SIGTERM)
        for child in running:
            end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a child and whatever it started, gently first; one that has ended is left alone."""
    if child.poll() is not None:
        return
    _signal_group(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_S)
    _signal_group(child, signal.SIGKILL)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return


def output_of(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """What a piped child writes, as it writes it: pairs of "stdout" or "stderr" and a chunk."""
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def read(name: str, stream: IO[bytes] | None) -> None:
        while chunk := os.read(stream.fileno(), 65536) if stream else b"":
            chunks.put((name, chunk))
        chunks.put((name, b""))

    streams = {"stdout": child.stdout, "stderr": child.stderr}
    for name, stream in streams.items():
        threading.Thread(target=read, args=(name, stream), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        name, chunk = chunks.get()
        if chunk:
            yield name, chunk
        else:
            open_streams -= 1


def failure_of(code: int) -> str:
    """How a program ended that did not end well."""
    if code < 0:
        return f"program was ended by signal {-code} ({signal.Signals(-code).name})"
    return f"program exited with non-zero exit code: {code}"
