"""What runs and what it costs, as one table for people."""

import time
from dataclasses import dataclass
from typing import Any

from toolchain.cluster import cgroups, forwards, network, plan
from toolchain.cluster.api import ApiError, Object
from toolchain.cluster.state import Cluster

SAMPLE_S = 2.0
MIB = 1 << 20


@dataclass(frozen=True)
class Report:
    """The state of a cluster: lines to print, and what is wrong (nothing when healthy)."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]


def report(cluster: Cluster) -> Report:
    """Look at a cluster for `SAMPLE_S` seconds."""
    used = usage(cluster)
    problems = [f"{member} is not running" for member in plan.MEMBERS if cluster.init(member) is None]
    nodes: list[Object] = []
    pods: list[Object] = []
    if cluster.init(plan.CONTROL):
        try:
            nodes = cluster.api().get("/api/v1/nodes")["items"]
            pods = cluster.api().get("/api/v1/pods")["items"]
        except (OSError, ApiError) as error:
            problems.append(f"the API server does not answer: {error}")
    rows: list[tuple[str, ...]] = [("MEMBER", "STATE", "ZONE", "PODS", "CPU (cores)", "MEMORY (MiB)")]
    for member in plan.MEMBERS:
        state = state_of(cluster, member, nodes)
        if member != plan.CONTROL and state != "Ready" and cluster.init(member):
            problems.append(f"{member} is {state}")
        running = [pod for pod in pods if pod["spec"].get("nodeName") == member]
        zone, count = ("-", "-") if member == plan.CONTROL else (plan.zone(member), pods_text(running))
        cpu, memory = used[member]
        rows.append((member, state, zone, count, f"{cpu:.2f}", f"{memory / MIB:.0f}"))
    cores, taken = sum(cpu for cpu, _ in used.values()), sum(memory for _, memory in used.values())
    rows.append(("total", "", "", pods_text(pods), f"{cores:.2f}", f"{taken / MIB:.0f}"))
    for name, forward in forwards.read_forwards(cluster).items():
        if cluster.init(plan.CONTROL) and not forwards.listening(forward.local):
            problems.append(f"nothing listens on 127.0.0.1:{forward.local} for {name}")
    cut = network.partitions(cluster.name) if network.existing(cluster.name) else []
    lines = [*table(rows), ""]
    lines += [f"cut off: {one} from {other}" for one, other in cut]
    lines += [f"{name:<12} {url}" for name, url in cluster.endpoints().items()]
    return Report(tuple(lines), tuple(problems))


def state_of(cluster: Cluster, member: str, nodes: list[Object]) -> str:
    """One word on a member: Ready, NotReady, running, stopped, unknown."""
    if cluster.init(member) is None:
        return "stopped"
    if member == plan.CONTROL:
        return "running"
    for node in nodes:
        if node["metadata"]["name"] == member:
            return "Ready" if condition(node, "Ready") == "True" else "NotReady"
    return "unknown"


def condition(item: Object, kind: str) -> str:
    """The status of a condition of an object; empty when it has none of that type."""
    found: list[Any] = [c["status"] for c in item["status"].get("conditions", []) if c["type"] == kind]
    return str(found[0]) if found else ""


def pods_text(pods: list[Object]) -> str:
    """Ready pods of those that have not completed."""
    lasting = [pod for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]
    ready = [pod for pod in lasting if condition(pod, "Ready") == "True"]
    return f"{len(ready)}/{len(lasting)}"


def usage(cluster: Cluster) -> dict[str, tuple[float, int]]:
    """Processor cores over a sample, and memory in bytes, of each member."""
    before = {member: cgroups.usage(cluster.cgroup(member)) for member in plan.MEMBERS}
    begin = time.monotonic()
    time.sleep(SAMPLE_S if cgroups.exists(cluster.name) else 0)
    seconds = max(time.monotonic() - begin, 1e-3)
    after = {member: cgroups.usage(cluster.cgroup(member)) for member in plan.MEMBERS}
    return {m: (max(0.0, after[m].cpu_s - before[m].cpu_s) / seconds, after[m].memory_bytes) for m in plan.MEMBERS}


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
