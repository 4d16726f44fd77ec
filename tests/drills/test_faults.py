"""Faults that reach into a node: limits of real cgroups, and that what breaks is healed in any case."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drills.faults.base import undone
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
