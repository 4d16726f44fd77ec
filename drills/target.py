"""The running platform that a drill is for: its stack, its objects, and a place in its network."""

import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from components.postgres.names import DATABASE
from toolchain.kit.console import ToolError
from toolchain.platform import kube
from toolchain.platform import stack as stacks
from toolchain.platform.tools import ensure_tools
from toolchain.render.stackfile import read

T = TypeVar("T")
POSTGRES = "app.kubernetes.io/name=postgres"
REDIS = "app.kubernetes.io/name=redis,app.kubernetes.io/component=server"
SENTINEL = "app.kubernetes.io/name=redis,app.kubernetes.io/component=sentinel"
POLL_S = 0.25


class Late(ToolError):
    """Something that was waited for did not come."""


@dataclass(frozen=True)
class Target(kube.Target):
    """One stack on its cluster.

    Attributes:
        own_nodes: whether the nodes are the local cluster's, which may be killed and cut off.
    """

    own_nodes: bool

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """The pods of a label selector."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", "-l", selector, "-o", "json"))["items"]
        return items

    def names(self, selector: str) -> list[str]:
        """Names of the pods of a label selector, in order."""
        return sorted(str(pod["metadata"]["name"]) for pod in self.pods(selector))

    def node_of(self, pod: str) -> str:
        """Where a pod stands."""
        return self.kubectl("get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")

    def client_image(self) -> str:
        """What a drill's client runs from: the engine's own image."""
        image = "jsonpath={.spec.template.spec.containers[0].image}"
        return self.kubectl("get", "deployment", "trading-api", "-o", image)

    def credential(self, kind: str) -> tuple[str, str]:
        """Slot and password of a credential that are current."""
        data = json.loads(self.kubectl("get", "secret", f"credentials-{kind}", "-o", "json"))["data"]
        value = {key: base64.b64decode(text).decode() for key, text in data.items()}
        return value["current"], value[value["current"]]

    def setting(self, role: str, name: str) -> str:
        """A setting of a role of the engine; empty when it is left to its default."""
        deployment = json.loads(self.kubectl("get", "deployment", f"trading-{role}", "-o", "json"))
        settings = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
        return next((str(each.get("value", "")) for each in settings if each["name"] == name), "")

    def cluster(self, *argv: str) -> None:
        """A command of the local cluster: kill a node, cut members off, heal."""
        done = subprocess.run(
            [sys.executable, "-m", "toolchain.cluster", *argv],
            env=dict(self.tools.env),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ToolError(f"toolchain.cluster {' '.join(argv)}: {done.stderr.strip()}")

    def node_processes(self, pod: str, comm: str) -> list[int]:
        """Ids on this machine of a pod's processes of a name; raises `ToolError` when there is none."""
        uid = self.kubectl("get", "pod", pod, "-o", "jsonpath={.metadata.uid}")
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "comm").read_text().strip() == comm and uid in (process / "cgroup").read_text():
                    found.append(int(process.name))
        if not found:
            raise ToolError(f"pod {pod}: it has no process {comm} on this machine")
        return found

    def shell(self, pod: str, container: str, script: str) -> str:
        """Output of a shell script in a container."""
        return self.kubectl("exec", pod, "-c", container, "--", "sh", "-c", script)

    def psql(self, sql: str) -> list[list[str]]:
        """Rows of a query on the primary, over its own socket."""
        argv = ("psql", "-h", "/run/postgresql", "-d", DATABASE, "-AtX", "-F", "|", "-c", sql)
        rows = self.kubectl("exec", self.primary(), "-c", "patroni", "--", *argv)
        return [line.split("|") for line in rows.splitlines()]

    def primary(self) -> str:
        """The pod that is labelled as the primary; raises `Late` when there is not one in time."""
        return eventually(lambda: one(self.names(f"{POSTGRES},role=primary")), 60, "a primary")

    def redis_cli(self, pod: str, *command: str) -> str:
        """A command on a data node as the app's user; empty when it does not answer."""
        # through stdin, since arguments are seen by others
        script = f"AUTH trading {self.credential('redis-app')[1]}\n{' '.join(command)}\n"
        cli = ("-c", "server", "--", "redis-cli", "-s", "/run/redis/redis.sock")
        try:
            accepted, _, answer = self.kubectl("exec", "-i", pod, *cli, stdin=script).partition("\n")
        except ToolError:
            return ""
        return answer if accepted == "OK" else ""

    def master(self) -> str:
        """The data node that says it is the master; raises `Late` when there is not one in time."""
        return eventually(
            lambda: one([pod for pod in self.names(REDIS) if self.redis_cli(pod, "ROLE").startswith("master")]),
            60,
            "a master",
        )


def find(stack: str) -> Target:
    """The running platform of a stack; raises `ToolError` when it is not there."""
    stacks.config_file(stack)
    tools = ensure_tools(stack)
    namespace = str(read(stack).values["namespace"])
    target = Target(tools, stack, namespace, own_nodes=not tools.own_cluster)
    if not target.names(POSTGRES):
        raise ToolError(f"stack {stack}: no platform runs in namespace {namespace}; run `make up STACK={stack}` first")
    return target


def guard(stack: str, confirmed: str) -> None:
    """Stack local is there to be broken; any other, or a protected one, is named once more. Raises `ToolError`."""
    if confirmed == stack or (stack == "local" and not stacks.protected(stack)):
        return
    if confirmed or not sys.stdin.isatty():
        raise ToolError(f"a drill breaks what runs in stack {stack}; if that is meant, give its name: CONFIRM={stack}")
    if input(f"This breaks what runs in stack {stack}. Type its name to go on: ") != stack:
        raise ToolError("that is not its name; nothing was changed")


def one(names: list[str]) -> str | None:
    """The only element, or None."""
    return names[0] if len(names) == 1 else None


def eventually(ask: Callable[[], T | None], within_s: float, what: str) -> T:
    """Poll until the answer is truthy, through failures of the tools; raises `Late` after so many seconds."""
    deadline = time.monotonic() + within_s
    trouble = ""
    while time.monotonic() < deadline:
        try:
            if found := ask():
                return found
        except ToolError as error:
            trouble = f" ({error})"
        time.sleep(POLL_S)
    raise Late(f"not within {within_s:g} s: {what}{trouble}")


@contextmanager
def written(target: Target, manifest: dict[str, Any]) -> Iterator[None]:
    """An object that is there while the body runs."""
    kind, name = manifest["kind"].lower(), manifest["metadata"]["name"]
    target.kubectl("delete", kind, name, "--ignore-not-found", "--force", "--grace-period=0")
    target.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    try:
        yield
    finally:
        target.kubectl("delete", kind, name, "--ignore-not-found", "--force", "--grace-period=0")
