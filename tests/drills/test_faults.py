"""Faults that reach into a node: limits of real cgroups, and that what breaks is healed in any case."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drills.faults.base import undone
from drills.faults.postgres import kills_when_promoted
from drills.faults.starvation import before, device_of, group_of, limited
from toolchain.cluster import cgroups
from toolchain.kit.console import ToolError


@pytest.fixture
def starved(spawn: Callable[[str], int]) -> Iterator[int]:
    """A process in a cgroup of its own."""
    name = f"trading-drill-{os.getpid()}"
    cgroups.create(name)
    process = spawn("starved")
    for hierarchy in cgroups.hierarchies():
        (hierarchy.path / name / "cgroup.procs").write_text(str(process))
    yield process
    cgroups.kill(name)
    cgroups.remove(name)


def test_a_limit_of_a_running_process_is_set_and_lifted(starved: int) -> None:
    folder, version_2 = group_of(starved, "cpu")
    file = folder / ("cpu.max" if version_2 else "cpu.cfs_quota_us")
    was = before(file)
    lift = limited(file, "10000 100000" if version_2 else "10000", was)
    assert before(file).startswith("10000")
    lift()
    lift()
    assert before(file) == was


def test_a_group_that_went_away_with_its_pod_is_healed(tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    file.touch()
    lift = limited(file, "10000 100000", "max 100000")
    file.unlink()
    lift()


def test_a_limit_that_the_kernel_has_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no such limit"):
        before(tmp_path / "cpu.max")
    with pytest.raises(ToolError, match="does not take the limit 'x'"):
        limited(tmp_path / "none" / "cpu.max", "x", "y")


def test_a_file_system_without_a_disk_cannot_be_slowed_down() -> None:
    with pytest.raises(ToolError, match="on no disk of its own"):
        device_of(Path("/proc"))


def test_a_fault_that_is_interrupted_half_way_is_healed() -> None:
    healed = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undone(interrupted, lambda: healed.append("at once"))
    assert healed == ["at once"]
    heal = undone(lambda: None, lambda: healed.append("later"))
    assert healed == ["at once"]
    heal()
    assert healed == ["at once", "later"]


def watching(state: Path, comm: str, within_s: float = 60) -> subprocess.Popen[bytes]:
    """The script that waits for a promotion, with a file that says `t` in recovery and `f` after it."""
    return subprocess.Popen(["sh", "-c", kills_when_promoted(f"cat {state}", comm, within_s)], stdin=subprocess.PIPE)


def test_a_member_is_killed_as_soon_as_it_is_promoted(spawn: Callable[[str], int], tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("t")
    victim = spawn("drillpromoted")
    with watching(state, "drillpromoted") as watch:
        with pytest.raises(subprocess.TimeoutExpired):
            watch.wait(0.3)
        state.write_text("f")
        assert watch.wait(10) == 0
    assert os.waitpid(victim, 0)[1] == signal.SIGKILL


def test_a_watch_for_a_promotion_ends_with_its_input_and_with_its_time(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("t")
    with watching(state, "drillnobody") as watch:
        assert watch.stdin is not None
        watch.stdin.close()
        assert watch.wait(10) == -signal.SIGTERM
    with watching(state, "drillnobody", within_s=0) as watch:
        assert watch.wait(10) == 1
