"""Faults that take from a member what it lives on: memory, processor time, the speed of its disk.

The limits are those of the container's own cgroup, which its node's kernel enforces.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from drills.faults.base import Heal, nothing
from drills.target import Target
from toolchain.cluster import cgroups
from toolchain.kit.console import ToolError

CPU_PERIOD_US = 100_000
CPU_QUOTA_US = 10_000
"""A tenth of one processor for Patroni, PostgreSQL and all its backends."""

WRITES_PER_S = 20
"""A commit needs some three writes: a disk that takes 20 a second makes seven commits of forty."""

# a sort that keeps rows of 64 MiB in memory, more and more of them, until the kernel says no
EAT = "set work_mem = '2000GB'; select count(*) from (select repeat('x', 1 << 26) || n from generate_series(1, 4096) n"
EAT += " order by 1 offset 0) rows"


def out_of_memory(pod: Callable[[Target], str]) -> Callable[[Target], Heal]:
    """A backend that wants more than its pod may have: the kernel kills it, and PostgreSQL restarts for its sake."""

    def inject(target: Target) -> Heal:
        victim = pod(target)
        try:
            target.shell(victim, "patroni", f'psql -h /run/postgresql -d postgres -qXc "{EAT}"')
        except ToolError as error:
            if "server closed the connection" in str(error) or "exit code 137" in str(error):
                return nothing
            raise
        raise ToolError(f"pod {victim}: a backend took 256 GiB of memory, and no limit stopped it")

    return inject


def short_of_cpu(pod: Callable[[Target], str]) -> Callable[[Target], Heal]:
    """A tenth of one processor for all of a member."""

    def inject(target: Target) -> Heal:
        folder, version_2 = group_of(target.node_processes(pod(target), "postgres")[0], "cpu")
        file = folder / ("cpu.max" if version_2 else "cpu.cfs_quota_us")
        return limited(file, f"{CPU_QUOTA_US} {CPU_PERIOD_US}" if version_2 else f"{CPU_QUOTA_US}", before(file))

    return inject


def slow_disk(pod: Callable[[Target], str]) -> Callable[[Target], Heal]:
    """A disk that takes few writes a second from a member."""

    def inject(target: Target) -> Heal:
        process = target.node_processes(pod(target), "postgres")[0]
        device = device_of(Path("/proc", str(process), "root", "data"))
        folder, version_2 = group_of(process, "io" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "blkio")
        if version_2:
            return limited(folder / "io.max", f"{device} wiops={WRITES_PER_S}", f"{device} wiops=max")
        return limited(folder / "blkio.throttle.write_iops_device", f"{device} {WRITES_PER_S}", f"{device} 0")

    return inject


def limited(file: Path, limit: str, without: str) -> Heal:
    """Write a limit; what heals it writes the one from before, where the group is still there."""
    try:
        file.write_text(limit)
    except OSError as error:
        raise ToolError(f"{file}: this kernel does not take the limit {limit!r}: {error.strerror}") from error

    def lift() -> None:
        with contextlib.suppress(FileNotFoundError):
            file.write_text(without)

    return lift


def before(file: Path) -> str:
    """What a limit is now. Raises `ToolError` where the kernel has none of its kind."""
    try:
        return file.read_text().strip()
    except FileNotFoundError as error:
        raise ToolError(f"{file}: this kernel has no such limit") from error


def group_of(process: int, controller: str) -> tuple[Path, bool]:
    """The cgroup of a process that has a controller's limits, and whether it is of version 2.

    Raises: `ToolError` where no hierarchy has that controller.
    """
    lines = [line.split(":", 2) for line in Path(f"/proc/{process}/cgroup").read_text().splitlines()]
    own = {names: path.lstrip("/") for _, names, path in lines}
    for hierarchy in sorted(cgroups.hierarchies(), key=lambda each: not each.controllers):
        names = next((n for n in own if controller in n.split(",")), "") if hierarchy.controllers else ""
        if (not hierarchy.controllers and "" in own) or (names and controller in hierarchy.controllers):
            return hierarchy.path / own[names], not hierarchy.controllers
    raise ToolError(f"this machine has no cgroup controller {controller}")


def device_of(folder: Path) -> str:
    """`major:minor` of the disk that a folder is on. Raises `ToolError` for a file system without one."""
    number = folder.stat().st_dev
    entry = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not entry.exists():
        raise ToolError(f"{folder}: its file system is on no disk of its own that could be slowed down")
    disk = entry.resolve()
    disk = disk.parent if (disk / "partition").exists() else disk
    return (disk / "dev").read_text().strip()
