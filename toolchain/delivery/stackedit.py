"""Edits of a stack's images that leave every comment and every other line of its file as they are. Pure."""

from collections.abc import Mapping

from yaml.nodes import MappingNode, Node

from toolchain.kit.console import ToolError
from toolchain.render.stackfile import PROJECT
from trading.rotation.stackfile import child, root

INDENT = "    "


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


def end_of(node: Node) -> int:
    """Where a value ends: that of a block at its last value, since the comments after it are not its own."""
    block = isinstance(node, MappingNode) and node.value and not node.flow_style
    return end_of(node.value[-1][1]) if block else node.end_mark.index
