"""What a container asks of its node."""

from dataclasses import dataclass

from pulumi_kubernetes.core.v1 import ResourceRequirementsArgs

from components.kit.errors import Problem
from components.kit.quantities import mib, millicores


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
        """Requests of both, a limit for memory alone.

        Memory: limit = request, so that a node is never promised twice. CPU: no limit, since throttling stalls a
        database or a Sentinel for most of a 100 ms period while the node idles, and that reads as a failure; requests
        already share a busy node fairly.
        """
        memory = mib(self.memory_mib)
        return ResourceRequirementsArgs(
            requests={"cpu": millicores(self.cpu_m), "memory": memory},
            limits={"memory": memory},
        )
