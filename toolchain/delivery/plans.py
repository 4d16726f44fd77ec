"""What was approved is what is applied: update plans, for one role of the engine first and then for the rest."""

import json
import shutil
from pathlib import Path
from typing import Any

from toolchain.kit.console import ToolError, say
from toolchain.platform.tools import Tools

WHOLE, CANARY, REST = "whole.json", "canary.json", "rest.json"
SAME = ["same"]
DEPLOYMENT = "Deployment::trading-api"  # it has no state, several pods, and users who notice first
TARGET = f"**{DEPLOYMENT}"


def plan(tools: Tools, stack: str, folder: Path) -> int:
    """Preview the update, show it, and keep its plan in the folder; where the API runs already, the canary's too."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fixed = ("preview", "--stack", stack, "--non-interactive")
    code = tools.run("pulumi", *fixed, "--diff", "--save-plan", str(folder / WHOLE))
    if code or not runs(tools, stack):
        return code
    return tools.run("pulumi", *fixed, "--target", TARGET, "--save-plan", str(folder / CANARY), quiet=True)


def runs(tools: Tools, stack: str) -> bool:
    """Whether the stack has the Deployment of the canary."""
    state = json.loads(tools.output("pulumi", "stack", "export", "--stack", stack, "--non-interactive"))
    return any(each["urn"].endswith(DEPLOYMENT) for each in state["deployment"].get("resources") or ())


def apply_canary(tools: Tools, stack: str, folder: Path) -> int:
    """Update the canary's Deployment as planned; everything else stays as it runs."""
    existing(folder / WHOLE)
    if not (folder / CANARY).is_file():
        say("the first update of this stack: there are no users for a canary to warn about")
        return 0
    return up(tools, stack, "--plan", str(folder / CANARY), "--target", TARGET)


def apply_rest(tools: Tools, stack: str, folder: Path) -> int:
    """Apply what is left of the plan once the canary has been updated."""
    whole = json.loads(existing(folder / WHOLE).read_text())
    path = folder / REST
    path.write_text(json.dumps(without(whole, DEPLOYMENT) if (folder / CANARY).is_file() else whole))
    return up(tools, stack, "--plan", str(path))


def up(tools: Tools, stack: str, *options: str) -> int:
    """`pulumi up` without questions: what it may do was approved before."""
    fixed = ("--stack", stack, "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs")
    return tools.run("pulumi", "up", *fixed, *options)


def without(whole: dict[str, Any], ending: str) -> dict[str, Any]:
    """The plan in which the Deployment whose name ends so stays the same.

    A plan insists on every operation it has; one that the canary did already would be missed.
    """
    resources = {
        urn: resource | {"steps": SAME} if urn.endswith(ending) else resource
        for urn, resource in whole["resourcePlans"].items()
    }
    return whole | {"resourcePlans": resources}


def existing(path: Path) -> Path:
    """The path of a plan. Raises `ToolError` when it is not there."""
    if not path.is_file():
        raise ToolError(f"{path}: there is no such plan; run `make plan` first")
    return path
