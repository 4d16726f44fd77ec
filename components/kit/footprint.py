"""What a workload asks of its namespace at most, an update included: what a quota must hold. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from components.kit.resources import Resources


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Pods, their CPU requests (1/1000 core) and memory limits (MiB), and their volume claims (number, GiB in all)."""

    pods: int = 0
    cpu_m: int = 0
    memory_mib: int = 0
    storage_gib: int = 0
    claims: int = 0

    def __add__(self, other: "Footprint") -> "Footprint":
        """Both together."""
        return Footprint(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Footprint)})


def footprint(
    containers: Iterable[Resources], *, replicas: int, update_pods: int = 0, storage_gib: int = 0
) -> Footprint:
    """The footprint of one workload.

    Args:
        containers: resources of the containers of one pod that run side by side.
        replicas: the most pods that are wanted.
        update_pods: pods beside them during an update: those that come, and those that still end.
        storage_gib: volume of each replica; 0 for none.
    """
    chosen, pods = list(containers), replicas + update_pods
    return Footprint(
        pods=pods,
        cpu_m=pods * sum(c.cpu_m for c in chosen),
        memory_mib=pods * sum(c.memory_mib for c in chosen),
        storage_gib=replicas * storage_gib,
        claims=replicas if storage_gib else 0,
    )
