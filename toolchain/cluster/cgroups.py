"""The cgroups of a cluster, in every hierarchy that the machine has mounted (version 1, named ones and version 2)."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from toolchain.cluster.processes import Process, wait_until
from toolchain.kit.console import ToolError

VERSION_2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup hierarchy.

    Attributes:
        path: where it is mounted.
        controllers: mount options that name its controllers (`cpu`, `name=systemd` ...); empty for version 2.
    """

    path: Path
    controllers: frozenset[str]


def parse_mounts(mountinfo: str) -> tuple[Hierarchy, ...]:
    """The hierarchies in a /proc/<pid>/mountinfo; of several mounts of one hierarchy the first counts."""
    found: dict[frozenset[str], Hierarchy] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        general = {"rw", "ro", "xattr", "clone_children", "noprefix"}
        own = frozenset(o for o in options.split(",") if o not in general and not o.startswith("release_agent="))
        controllers = own if kind == "cgroup" else frozenset()
        found.setdefault(controllers, Hierarchy(Path(before.split()[4]), controllers))
    return tuple(found.values())


def hierarchies() -> tuple[Hierarchy, ...]:
    """The hierarchies of this machine. Raises `ToolError` when there is none."""
    found = parse_mounts(Path("/proc/self/mountinfo").read_text())
    if not found:
        raise ToolError("no cgroup hierarchy is mounted on this machine; mount one at /sys/fs/cgroup")
    return found


def create(name: str) -> None:
    """Make the cgroup `name` (`a/b/c`) and its parents everywhere, ready for processes and for children."""
    parts = Path(name).parts
    for hierarchy in hierarchies():
        parent = hierarchy.path
        for depth, part in enumerate(parts):
            if not hierarchy.controllers and depth < len(parts):
                delegate(parent)
            group = parent / part
            group.mkdir(exist_ok=True)
            if "cpuset" in hierarchy.controllers:
                fill_cpuset(group)
            parent = group


def delegate(group: Path) -> None:
    """Version 2: let children of a group have its controllers."""
    available = (group / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{each}" for each in VERSION_2_CONTROLLERS if each in available)
    if wanted:
        (group / "cgroup.subtree_control").write_text(wanted)


def fill_cpuset(group: Path) -> None:
    """Version 1: a new cpuset group is empty and takes no process until it has its parent's processors and memory."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if not (group / file).read_text().strip():
            (group / file).write_text((group.parent / file).read_text())


def join(name: str) -> None:
    """Move this process, and so all that it starts, into the cgroup `name` everywhere."""
    for hierarchy in hierarchies():
        (hierarchy.path / name / "cgroup.procs").write_text(str(os.getpid()))


def processes(name: str) -> set[int]:
    """The ids of all processes in the cgroup `name` or below it, in any hierarchy."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for file in (hierarchy.path / name).rglob("cgroup.procs"):
            try:
                found |= {int(line) for line in file.read_text().split()}
            except OSError:  # the group went away, or (version 2, threaded) cannot be listed
                continue
    return found


def kill(name: str) -> None:
    """SIGKILL every process in the cgroup `name` and below, and wait until they are gone."""

    def none_left() -> bool:
        pids = processes(name)
        for pid in pids:
            try:
                Process.of(pid).send(signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not pids

    if not wait_until(none_left, seconds=20):
        raise ToolError(f"processes of {name} do not die: {sorted(processes(name))}")


def remove(name: str) -> None:
    """Remove the cgroup `name` and all below it; it must hold no process any more."""

    def gone() -> bool:
        for hierarchy in hierarchies():
            for folder, _, _ in os.walk(hierarchy.path / name, topdown=False):
                try:
                    Path(folder).rmdir()
                except OSError:  # a process that has just died is still being taken out
                    return False
        return True

    if not wait_until(gone, seconds=10):
        raise ToolError(f"cgroup {name} cannot be removed; its processes: {sorted(processes(name))}")


def exists(name: str) -> bool:
    """Whether the cgroup `name` is there in any hierarchy."""
    return any((hierarchy.path / name).is_dir() for hierarchy in hierarchies())


@dataclass(frozen=True)
class Usage:
    """What a cgroup and all below it use.

    Attributes:
        memory_bytes: of its processes, a page shared by n of them counting one n-th for each; no file cache.
        cpu_s: processor time since the cgroup was made.
    """

    memory_bytes: int
    cpu_s: float


def usage(name: str) -> Usage:
    """The usage of the cgroup `name`; zero where it does not exist."""
    seconds = 0.0
    for hierarchy in hierarchies():
        group = hierarchy.path / name
        if "cpuacct" in hierarchy.controllers and group.is_dir():
            seconds = int((group / "cpuacct.usage").read_text()) / 1e9
        elif not hierarchy.controllers and (group / "cpu.stat").exists():
            seconds = max(seconds, flat(group / "cpu.stat").get("usage_usec", 0) / 1e6)
    return Usage(sum(map(memory_of, processes(name))), seconds)


def memory_of(pid: int) -> int:
    """A process's share of the memory in bytes; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    sizes = [int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")]
    return sum(sizes) << 10


def flat(file: Path) -> dict[str, int]:
    """A flat keyed file of the kernel."""
    return {key: int(value) for key, value in (line.split() for line in file.read_text().splitlines())}
