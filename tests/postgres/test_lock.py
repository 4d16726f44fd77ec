"""The lock on the data volume, between two processes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres.fix_members import eventually
from toolchain.kit.paths import ROOT

pytestmark = pytest.mark.server

HOLD = """
import sys, time
from pathlib import Path
from components.postgres.image.member.entrypoint import hold_lock
descriptor = hold_lock(Path(sys.argv[1]))
print("held", flush=True)
import os
os.execvp("sleep", ["sleep", "60"])
"""


def hold(file: Path) -> subprocess.Popen[str]:
    """A process that takes the lock and then becomes another program, as the entrypoint becomes Patroni."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_second_pod_waits_for_the_end_of_the_first(tmp_path: Path) -> None:
    first = hold(tmp_path / ".lock")
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    eventually(lambda: Path(f"/proc/{first.pid}/comm").read_text() == "sleep\n", 10, "the first is another program now")
    second = hold(tmp_path / ".lock")
    assert second.stdout is not None
    assert second.stderr is not None
    assert "another pod still holds the data volume" in second.stderr.readline()
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert second.stdout.readline() == "held\n"
    second.kill()
    for each in (first, second):
        each.communicate()
