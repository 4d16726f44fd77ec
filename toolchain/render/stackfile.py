"""The committed configuration of a stack, as far as it can be read without a passphrase."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT

PROJECT = "trading-platform"


@dataclass(frozen=True)
class StackFile:
    """Key, without the project's prefix, to value; `encrypted` names those whose value only a passphrase tells."""

    values: Mapping[str, object]
    encrypted: frozenset[str]


def stacks() -> list[str]:
    """The stacks that have a file."""
    return sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


def read(stack: str) -> StackFile:
    """The defaults of Pulumi.yaml under the values of Pulumi.<stack>.yaml, merged as the CLI does.

    Raises:
        ToolError: the stack has no file.
    """
    path = ROOT / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        raise ToolError(f"stack = {stack!r}: there is no {path.name}; use one of {', '.join(stacks())}")
    schema: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    given: dict[str, Any] = yaml.safe_load(path.read_text())["config"]
    prefix = f"{PROJECT}:"
    values = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
    encrypted = frozenset(
        key for key, value in values.items() if isinstance(value, dict) and value.keys() == {"secure"}
    )
    defaults = {key: declared["default"] for key, declared in schema.items() if key not in values}
    return StackFile(values=defaults | {k: v for k, v in values.items() if k not in encrypted}, encrypted=encrypted)
