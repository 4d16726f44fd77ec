"""A cluster and where its state lives; what other parts of the project use to find and to reach it."""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolchain.cluster import plan
from toolchain.cluster.api import Api
from toolchain.cluster.processes import Process
from toolchain.kit.console import ToolError, say
from toolchain.kit.paths import LOCAL

DEFAULT_PORT = 16443
PORT_VARIABLE = "TRADING_KUBERNETES_PORT"


@dataclass(frozen=True)
class Cluster:
    """The cluster whose state is in a folder `local` (`.local` of the checkout, or $TRADING_LOCAL).

    Attributes:
        local: the folder.
        port: of the API server on 127.0.0.1.
    """

    local: Path
    port: int

    @classmethod
    def here(cls, local: Path = LOCAL) -> "Cluster":
        """The cluster of this checkout, running or not.

        Its port is $TRADING_KUBERNETES_PORT, else the one it was brought up with, else 16443.
        """
        recorded = local / "cluster" / "port"
        text = os.environ.get(PORT_VARIABLE) or (recorded.read_text() if recorded.exists() else str(DEFAULT_PORT))
        if not text.strip().isdigit() or not 1024 <= int(text) <= 65535:
            raise ToolError(f"{PORT_VARIABLE} = {text!r}: not a port; give a number from 1024 to 65535")
        return cls(local, int(text))

    @property
    def name(self) -> str:
        """The name that its namespaces and cgroups carry."""
        return plan.cluster_id(self.local)

    @property
    def folder(self) -> Path:
        """Everything that `down` removes, the volumes of the pods included."""
        return self.local / "cluster"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.local / "kubeconfig"

    @property
    def endpoints_file(self) -> Path:
        """Names of forwarded services and their URLs on loopback."""
        return self.local / "endpoints.json"

    @property
    def forwards_file(self) -> Path:
        """What the forwarder reads."""
        return self.member(plan.CONTROL) / "forwards.json"

    @property
    def address(self) -> str:
        """The API server's URL."""
        return f"https://127.0.0.1:{self.port}"

    def member(self, name: str) -> Path:
        """The folder of a member, which its processes see as /run/node."""
        return self.folder / name

    def pid_file(self, member: str) -> Path:
        """The record of a member's first process."""
        return self.folder / "run" / f"{member}.json"

    def cgroup(self, member: str) -> str:
        """The cgroup of a member."""
        return f"{self.name}/{member}"

    def init(self, member: str) -> Process | None:
        """The first process of a member, if it lives."""
        return Process.load(self.pid_file(member))

    def api(self) -> Api:
        """The API as the administrator. Raises `ToolError` when the cluster was never brought up."""
        folder = self.folder / "pki"
        if not (folder / "admin.crt").exists():
            raise ToolError(f"no cluster in {self.folder}; bring it up with `python -m toolchain.cluster up`")
        return Api("127.0.0.1", self.port, folder, "admin")

    def is_up(self) -> bool:
        """Whether every member runs and the API server is ready."""
        return all(self.init(member) for member in plan.MEMBERS) and self.api().ready()

    def endpoints(self) -> dict[str, str]:
        """URL on loopback by name; `kubernetes` is the API server."""
        found: dict[str, str] = json.loads(self.endpoints_file.read_text()) if self.endpoints_file.exists() else {}
        return found

    def exec_argv(self, member: str, *command: str) -> list[str]:
        """The command line that runs a host command in a member's network, with the cluster's DNS as its resolver.

        The resolver is set in a mount namespace of the command's own.
        """
        require_member(member)
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        resolver = str(self.folder / f"resolv-{'control' if member == plan.CONTROL else 'node'}.conf")
        enter = ["nsenter", f"--net=/run/netns/{plan.namespace(self.name, member)}"]
        return [*enter, "unshare", "--mount", "sh", "-c", script, resolver, *command]

    def ctr_argv(self, node: str, *arguments: str) -> list[str]:
        """The command line of containerd's client for a node. Raises `ToolError` when the node is not running."""
        init = self.init(node)
        if init is None:
            raise ToolError(f"{node} is not running; `python -m toolchain.cluster heal-node {node}`")
        socket = f"/proc/{init.pid}/root/run/containerd/containerd.sock"
        return ["ctr", "--address", socket, "--namespace", "k8s.io", *arguments]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One changing command at a time; says so when it has to wait."""
        self.local.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.local, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another command on this cluster to end")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def require_member(name: str, allowed: Sequence[str] = plan.MEMBERS) -> str:
    """The name of a member, `1` meaning `node-1`. Raises `ToolError` for any other."""
    full = f"node-{name}" if name.isdigit() else name
    if full not in allowed:
        raise ToolError(f"member = {name!r}: not one of {', '.join(allowed)}")
    return full
