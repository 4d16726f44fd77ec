"""The committed configuration of a stack, as far as a rotation reads and writes it.

An edit leaves every comment and every other line as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from trading.rotation.errors import RotationError

PROJECT = "trading-platform"
INTERVAL_DAYS = 90
NAMESPACE = "trading"


def epochs(text: str) -> dict[str, int]:
    """Credential kind to epoch. Raises `RotationError` for a file without them."""
    found = {}
    for kind, node in epoch_nodes(text).items():
        if not node.value.isdecimal() or int(node.value) < 1:
            raise RotationError(f"credentials.{kind} = {node.value!r}: must be a whole number from 1 on; correct it")
        found[kind] = int(node.value)
    return found


def epoch_lines(text: str) -> dict[str, int]:
    """Credential kind to the number of its line, from 1."""
    return {kind: node.start_mark.line + 1 for kind, node in epoch_nodes(text).items()}


def with_epoch(text: str, kind: str, epoch: int) -> str:
    """The text with another epoch for one kind. Raises `RotationError` with the known kinds when there is none."""
    nodes = epoch_nodes(text)
    if kind not in nodes:
        raise RotationError(f"KIND = {kind!r}: not a credential of this stack; use one of {', '.join(sorted(nodes))}")
    return replaced(text, nodes[kind], str(epoch))


def epoch_nodes(text: str) -> dict[str, ScalarNode]:
    """The node of each epoch."""
    found = child(child(root(text), "config"), f"{PROJECT}:credentials")
    if not isinstance(found, MappingNode):
        raise RotationError(f"the stack's file has no {PROJECT}:credentials; there is no epoch to change")
    return {key.value: value for key, value in found.value if isinstance(value, ScalarNode)}


def root(text: str) -> Node | None:
    """The document's node, with the marks of where everything stands."""
    return yaml.compose(text, Loader=yaml.SafeLoader)


def child(node: Node | None, name: str) -> Node | None:
    """The value of a key of a mapping."""
    pairs = node.value if isinstance(node, MappingNode) else ()
    found: Node | None = next((value for key, value in pairs if key.value == name), None)
    return found


def replaced(text: str, node: Node, value: str) -> str:
    """The text with other characters where the node stands."""
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]


def intervals(text: str) -> dict[str, int]:
    """Credential kind to the days that an epoch of it may stand, for the kinds whose interval the file tells."""
    given = _values(text).get("rotationDays") or {}
    return {str(kind): int(days) for kind, days in given.items()}


def _values(text: str) -> dict[str, Any]:
    config: dict[str, Any] = (yaml.safe_load(text) or {}).get("config") or {}
    return {key.removeprefix(f"{PROJECT}:"): value for key, value in config.items() if key.startswith(f"{PROJECT}:")}


@dataclass(frozen=True)
class StackFile:
    """`Pulumi.<stack>.yaml` in the folder of the project."""

    folder: Path
    stack: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    def read(self) -> str:
        """Its text. Raises `RotationError` when the stack has none."""
        try:
            return self.path.read_text()
        except FileNotFoundError:
            known = sorted(path.name.split(".")[1] for path in self.folder.glob("Pulumi.*.yaml"))
            way_out = f"give one of {', '.join(known)}" if known else "run this in the folder of the project"
            raise RotationError(f"stack = {self.stack!r}: there is no {self.path.name} here; {way_out}") from None

    def write_epochs(self, wanted: Mapping[str, int]) -> None:
        """Write these epochs, all of them or, after a crash, none; the file is not touched when it has them."""
        before = text = self.read()
        for kind, epoch in wanted.items():
            text = with_epoch(text, kind, epoch)
        if text != before:
            new = self.path.with_name(f".{self.path.name}.new")
            new.write_text(text)
            new.replace(self.path)

    def cluster(self) -> tuple[str, tuple[str, ...]]:
        """The stack's namespace, and kubectl's flags for the cluster that it names."""
        values = _values(self.read())
        named = {"--kubeconfig": values.get("kubeconfig"), "--context": values.get("context")}
        return values.get("namespace") or NAMESPACE, tuple(f"{flag}={value}" for flag, value in named.items() if value)
