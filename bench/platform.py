"""Numbers of the platform that is up: no-change preview, idle processor time and memory.

    make bench        (needs `make up`; `make up` itself prints how long its parts take)

One line a number, with the limit beside it; the machine on top. Exit 1 when one is over its limit.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from toolchain.kit.console import main_guard
from toolchain.kit.paths import ROOT
from toolchain.platform.tools import ensure_tools

RUNS = 5
IDLE_S = 60


class Number(NamedTuple):
    """A measurement with its limit, both in `unit`."""

    name: str
    value: float
    limit: float
    unit: str

    def __str__(self) -> str:
        return (
            f"{self.name:42} {self.value:8.2f} {self.unit:6} limit {self.limit:g}  ratio {self.value / self.limit:.2f}"
        )


def preview_seconds(stack: str) -> list[float]:
    """Wall-clock seconds of `pulumi preview` without changes, after one run to warm the file cache."""
    tools = ensure_tools(stack)
    seconds = []
    for _ in range(RUNS + 1):
        begin = time.monotonic()
        tools.output("pulumi", "preview", "--stack", stack, "--expect-no-changes", "--non-interactive")
        seconds.append(time.monotonic() - begin)
    return seconds[1:]


def cluster_processes() -> list[int]:
    """The processes of the local cluster: all that run outside the host's network namespace, and their supervisor."""
    host = Path("/proc/self/ns/net").stat().st_ino
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                inside = (entry / "ns/net").stat().st_ino != host
                supervisor = b"toolchain.cluster" in (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if inside or supervisor:
                found.append(int(entry.name))
    return found


def cpu_seconds(pids: list[int]) -> float:
    """Processor seconds that these processes have used, those of their ended children included."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(f) for f in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_gib(pids: list[int]) -> float:
    """Proportional memory of these processes in GiB: shared pages are counted once."""
    kib = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        kib += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return kib / 1024**2


def measure(stack: str) -> list[Number]:
    """All numbers, the idle ones over a minute."""
    begin = cpu_seconds(cluster_processes())
    time.sleep(IDLE_S)
    pids = cluster_processes()
    cores = (cpu_seconds(pids) - begin) / IDLE_S
    memory = resident_gib(pids)
    return [
        Number("idle platform, processor", cores, 1.0, "cores"),
        Number("idle platform, memory", memory, 6.0, "GiB"),
        Number("no-change preview, median of 5", statistics.median(preview_seconds(stack)), 8.0, "s"),
    ]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench.platform", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--stack", default="local")
    args = parser.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    print(
        f"machine: {os.cpu_count()} cores, Linux {platform.release()}; commit {commit.stdout.strip()}", file=sys.stderr
    )
    numbers = measure(args.stack)
    for number in numbers:
        print(number)
    return int(any(n.value > n.limit for n in numbers))


if __name__ == "__main__":
    main_guard(main)
