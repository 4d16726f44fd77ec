"""What a container asks of its node."""

from dataclasses import dataclass

from pulumi_kubernetes.core.v1 import ResourceRequirementsArgs

from components.kit.errors import Problem
from components.kit.quantities import mib, millicores

# Log files, which the kubelet cuts at some 50 MiB a container, and scratch volumes: root file systems are read-only.
SCRATCH_MIB = 64
SCRATCH_LIMIT_MIB = 512


@dataclass(frozen=True, kw_only=True)
class Resources:
    """CPU in thousandths of a core and memory in MiB, of one container."""

    cpu_m: int
    memory_mib: int

    def problems(self, field: str) -> list[Problem]:
        """Problems of these numbers, under the name that the caller has for them."""
        found = []
        if self.cpu_m < 1:
            found.append(
                Problem(f"{field}.cpu_m", self.cpu_m, "at least 1 thousandth of a core", "give 100 for 0.1 core")
            )
        if self.memory_mib < 4:
            found.append(Problem(f"{field}.memory_mib", self.memory_mib, "at least 4 MiB", "give 256 for 256 MiB"))
        return found

    def args(self) -> ResourceRequirementsArgs:
        """Requests of both and of the node's disk, limits for memory and disk.

        Memory: limit = request, so that a node is never promised twice. CPU: no limit, since throttling stalls a
        database or a Sentinel for most of a 100 ms period while the node idles, and that reads as a failure; requests
        already share a busy node fairly. Disk: a limit far above what a container writes outside its volumes, so that
        one which runs wild is put out before the node starts to choose among all.
        """
        memory = mib(self.memory_mib)
        return ResourceRequirementsArgs(
            requests={"cpu": millicores(self.cpu_m), "memory": memory, "ephemeral-storage": mib(SCRATCH_MIB)},
            limits={"memory": memory, "ephemeral-storage": mib(SCRATCH_LIMIT_MIB)},
        )
