"""Edits of a stack's file that leave every comment and every other line as they are. Pure."""

from collections.abc import Mapping

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from toolchain.kit.console import ToolError
from toolchain.render.stackfile import PROJECT

INDENT = "    "


def epochs(text: str) -> dict[str, int]:
    """Credential kind to epoch. Raises `ToolError` for a file without them."""
    return {kind: int(node.value) for kind, node in epoch_nodes(text).items()}


def epoch_lines(text: str) -> dict[str, int]:
    """Credential kind to the number of its line, from 1."""
    return {kind: node.start_mark.line + 1 for kind, node in epoch_nodes(text).items()}


def with_epoch(text: str, kind: str, epoch: int) -> str:
    """The text with another epoch for one kind. Raises `ToolError` with the known kinds when there is none."""
    nodes = epoch_nodes(text)
    if kind not in nodes:
        raise ToolError(f"KIND = {kind!r}: not a credential of this stack; use one of {', '.join(sorted(nodes))}")
    return replaced(text, nodes[kind], str(epoch))


def with_images(text: str, images: Mapping[str, str]) -> str:
    """The text with the images of a release, in place of those that it pins now or as a new first key."""
    config = child(root(text), "config")
    key = f"{PROJECT}:images"
    lines = "".join(f"\n{INDENT}{name}: {reference}" for name, reference in sorted(images.items()))
    here = child(config, key)
    if here is not None:
        return text[: here.start_mark.index].rstrip() + lines + text[end_of(here) :]
    if config is None:
        raise ToolError("the stack's file has no `config:`; it is not one of this project")
    at = text.index("\n", text.index("config:")) + 1
    return f"{text[:at]}  {key}:{lines}\n{text[at:]}"


def epoch_nodes(text: str) -> dict[str, ScalarNode]:
    """The node of each epoch."""
    found = child(child(root(text), "config"), f"{PROJECT}:credentials")
    if not isinstance(found, MappingNode):
        raise ToolError(f"the stack's file has no {PROJECT}:credentials; there is no epoch to change")
    return {key.value: value for key, value in found.value if isinstance(value, ScalarNode)}


def root(text: str) -> Node | None:
    """The document's node, with the marks of where everything stands."""
    return yaml.compose(text, Loader=yaml.SafeLoader)


def child(node: Node | None, name: str) -> Node | None:
    """The value of a key of a mapping."""
    pairs = node.value if isinstance(node, MappingNode) else ()
    found: Node | None = next((value for key, value in pairs if key.value == name), None)
    return found


def end_of(node: Node) -> int:
    """Where a value ends: that of a block at its last value, since the comments after it are not its own."""
    block = isinstance(node, MappingNode) and node.value and not node.flow_style
    return end_of(node.value[-1][1]) if block else node.end_mark.index


def replaced(text: str, node: Node, value: str) -> str:
    """The text with other characters where the node stands."""
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]
