"""From what a program registered to YAML, one document an object. Pure."""

import re
from collections.abc import Iterable
from typing import Any

import yaml

from toolchain.plugins.values import UNKNOWN, Secret, Value
from toolchain.render.recorder import Registration

KUBERNETES = "kubernetes:"
MASK = "[secret]"
UNTIL_UP = "[known after up]"
TAG = re.compile(r"(?P<image>[^\s:@]+/[^\s:@/]+):(?P<tag>[0-9a-f]{12})(?![0-9a-f])")
FIRST = ("apiVersion", "kind", "metadata")


def manifests(registrations: Iterable[Registration]) -> dict[str, dict[str, Any]]:
    """File name (`<kind>-<name>.yaml`) to Kubernetes object, in the order of the names; secret values are masked.

    Raises:
        ValueError: two objects would have the same file.
    """
    files: dict[str, dict[str, Any]] = {}
    for registration in registrations:
        if registration.type.startswith(KUBERNETES):
            manifest = _manifest(registration)
            name = f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"
            if name in files:
                raise ValueError(f"two objects would be rendered as {name}")
            files[name] = manifest
    return dict(sorted(files.items()))


def _manifest(registration: Registration) -> dict[str, Any]:
    plain: dict[str, Any] = _masked(registration.inputs)
    if plain["kind"] == "Secret":
        # a masked value is no base64 text, and the API would refuse it as data
        plain["stringData"] = plain.pop("data", {}) | plain.pop("stringData", {})
        if ".dockerconfigjson" in plain["stringData"]:
            plain["stringData"][".dockerconfigjson"] = f'{{"auths": "{MASK}"}}'
    first = {key: plain.pop(key) for key in FIRST}
    return first | dict(sorted(plain.items()))


def _masked(value: Value, secret: bool = False) -> Any:  # noqa: ANN401  JSON
    if isinstance(value, Secret):
        return _masked(value.value, secret=True)
    if isinstance(value, dict):
        return {key: _masked(value[key], secret) for key in sorted(value) if value[key] is not None}
    if isinstance(value, list):
        return [_masked(item, secret) for item in value]
    if secret:
        return MASK
    return UNTIL_UP if value is UNKNOWN else value


def without_tags(text: str) -> str:
    """The text with the content hashes of images masked: they change with every byte of an image."""
    return TAG.sub(r"\g<image>:[tag]", text)


def to_yaml(manifest: dict[str, Any]) -> str:
    """YAML in which text of several lines is a block."""
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and indents lists under their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
