"""Processes with a name of their own, which end with the test."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Start a sleeping process that the kernel knows by a name; gives its id."""
    running: list[subprocess.Popen[bytes]] = []

    def start(name: str) -> int:
        link = tmp_path / name
        if not link.exists():
            link.symlink_to("/bin/sleep")
        running.append(subprocess.Popen([str(link), "60"]))
        return running[-1].pid

    yield start
    for process in running:
        process.kill()
        process.wait()
