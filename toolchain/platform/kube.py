"""kubectl for a stack: the cluster that it names, never whichever happens to be the current one."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from toolchain.kit.console import ToolError
from toolchain.platform.tools import Tools
from toolchain.render.stackfile import read


def cluster_flags(values: Mapping[str, object]) -> tuple[str, ...]:
    """kubectl's flags for the cluster that a stack names; none for one that takes the current context."""
    named = {"--kubeconfig": values.get("kubeconfig"), "--context": values.get("context")}
    return tuple(f"{flag}={value}" for flag, value in named.items() if value)


@dataclass(frozen=True)
class Target:
    """The cluster and namespace of a stack."""

    tools: Tools
    stack: str
    namespace: str

    def argv(self, *args: str) -> list[str]:
        """The command line of kubectl."""
        return ["kubectl", *cluster_flags(read(self.stack).values), "-n", self.namespace, *args]

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        """Standard output of kubectl. Raises `ToolError` with its error text."""
        done = subprocess.run(
            self.argv(*args), input=stdin, env=dict(self.tools.env), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ToolError(f"kubectl {args[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout
