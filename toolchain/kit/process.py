"""Run a long command: signs of life while it runs, its last lines when it fails."""

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from toolchain.kit.console import ToolError, say

HEARTBEAT_S = 10
LAST_LINES = 15


def last_line(lines: Sequence[str]) -> str:
    """The latest line, cut to fit a terminal."""
    return lines[-1][:90] if lines else ""


def run(
    label: str,
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    describe: Callable[[Sequence[str]], str] = last_line,
) -> list[str]:
    """Run a command to its end; returns the lines of its standard output.

    Every `HEARTBEAT_S` seconds one line on stderr says what runs, for how long, and what `describe` makes of all lines
    that the command has written so far. Raises `ToolError` with the last lines when the command fails.
    """
    out: list[str] = []
    messages: list[str] = []
    both: list[str] = []
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise ToolError(f"{label}: {argv[0]} does not start: {error.strerror}") from error
    with process:
        readers = [follow(process.stdout, out, both), follow(process.stderr, messages, both)]
        begin = time.monotonic()
        try:
            while (code := wait(process, HEARTBEAT_S)) is None:
                say(f"    {label}: {time.monotonic() - begin:.0f} s {describe(both)}".rstrip())
        except BaseException:
            process.terminate()
            raise
        for reader in readers:
            reader.join()
    if code:
        tail = "\n".join((messages or out)[-LAST_LINES:])
        raise ToolError(f"{label}: `{' '.join(map(str, argv[:2]))}` failed with exit code {code}:\n{tail}")
    return out


def follow(stream: IO[str] | None, *lists: list[str]) -> threading.Thread:
    """Collect the lines of a stream in each of the lists as they come, in a thread."""

    def read() -> None:
        for line in stream or ():
            for lines in lists:
                lines.append(line.rstrip())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def wait(process: "subprocess.Popen[str]", seconds: float) -> int | None:
    """The exit code of a process that ends within that time, else None."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
