"""Pulumi stacks as the commands need them: select, up, preview, destroy, outputs."""

import json
from pathlib import Path

import yaml

from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT
from toolchain.platform.tools import Tools


def config_file(stack: str) -> Path:
    """The committed configuration of a stack; raises `ToolError` for a name that has none."""
    path = ROOT / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        raise ToolError(
            f"stack = {stack!r}: there is no {path.name}; use one of {', '.join(known())}, or write that file"
        )
    return path


def known() -> list[str]:
    """The stacks that have a committed configuration."""
    return sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


def context(stack: str) -> str | None:
    """The context of the kubeconfig that a stack names; None for the current one."""
    config = yaml.safe_load(config_file(stack).read_text())["config"]
    return config.get("trading-platform:context") or None


def protected(stack: str) -> bool:
    """Whether the stack's file protects it, so that what destroys asks first."""
    return bool(yaml.safe_load(config_file(stack).read_text())["config"].get("trading-platform:protect"))


def select(tools: Tools, stack: str) -> None:
    """Select the stack, made first if the backend does not have it."""
    tools.output("pulumi", "stack", "select", stack, "--create", "--non-interactive")


def exists(tools: Tools, stack: str) -> bool:
    """Whether the current backend has the stack."""
    listed = json.loads(tools.output("pulumi", "stack", "ls", "--json", "--non-interactive"))
    return any(s["name"].split("/")[-1] == stack for s in listed)


def outputs(tools: Tools, stack: str, *, secrets: bool = False) -> dict[str, object]:
    """The stack's outputs; secret ones are masked unless asked for."""
    flags = ("--show-secrets",) if secrets else ()
    text = tools.output("pulumi", "stack", "output", "--json", "--stack", stack, "--non-interactive", *flags)
    found: dict[str, object] = json.loads(text)
    return found
