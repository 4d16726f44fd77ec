"""Rotate with the toolchain's own commands; or propose it, as the next epoch in a stack's file, to be reviewed."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolchain.kit import git
from toolchain.kit.console import ToolError
from toolchain.platform.stack import config_file
from toolchain.platform.tools import Tools
from trading.rotation.errors import RotationError
from trading.rotation.stackfile import INTERVAL_DAYS, epoch_lines, epochs, intervals, with_epoch

DUE = "due"
DAY_S = 86400
UNCOMMITTED = "0" * 40


def rotate(tools: Tools, stack: str, what: str, options: Sequence[str]) -> int:
    """`trading rotate` with these tools; returns its exit code."""
    return tools.run(sys.executable, "-m", "trading.rotation", what, "--stack", stack, *options)


def propose(stack: str, kind: str) -> list[str]:
    """Step the epochs in `Pulumi.<stack>.yaml`; returns one line for each, none when nothing is due.

    Args:
        stack: whose file.
        kind: a credential kind, stepped whatever its age, or `due` for each whose epoch has stood for longer than its
            interval: 90 days, or what `rotationDays` in the file says.

    Raises:
        ToolError: the kind is unknown, or its epoch is changed here already. Only the older of the two slots may be
            renewed at a time: a second step would take both away from clients that still use them.
    """
    path = config_file(stack)
    text = path.read_text()
    changed = committed_times(path)
    ages = {name: age_days(changed[line], time.time()) for name, line in epoch_lines(text).items()}
    try:
        before = epochs(text)
        with_epoch(text, min(before) if kind == DUE else kind, 1)
    except RotationError as error:
        raise ToolError(str(error)) from None
    if kind != DUE and ages[kind] is None:
        raise ToolError(
            f"KIND = {kind!r}: its epoch {before[kind]} is not committed yet; commit and deploy it first, since a "
            "second step would renew the slot that clients still use"
        )
    chosen = due(ages, intervals(text)) if kind == DUE else [kind]
    for name in chosen:
        text = with_epoch(text, name, before[name] + 1)
    path.write_text(text)
    return [f"{path.name}: {name}: epoch {before[name]} -> {before[name] + 1}" for name in chosen]


def due(ages: Mapping[str, float | None], days: Mapping[str, int]) -> list[str]:
    """The kinds that are older than their interval, sorted; one that is not committed is as new as can be."""
    return sorted(name for name, age in ages.items() if age is not None and age > days.get(name, INTERVAL_DAYS))


def age_days(changed: float | None, now: float) -> float | None:
    """Days since a commit; None stays None."""
    return None if changed is None else (now - changed) / DAY_S


def committed_times(path: Path) -> dict[int, float | None]:
    """Line number, from 1, to when its text was committed (Unix seconds); None for a line that is not committed.

    Raises `ToolError` where there is no history to ask.
    """
    git.require_history("the age of an epoch is in the history", path.parent)
    times: dict[int, float | None] = {}
    commit, number = "", 0
    for line in git.output("blame", "--line-porcelain", "--", path.name, folder=path.parent).splitlines():
        if line.startswith("\t"):
            continue
        words = line.split(" ")
        if len(words[0]) == len(UNCOMMITTED) and len(words) >= 3:
            commit, number = words[0], int(words[2])
        elif words[0] == "committer-time":
            times[number] = None if commit == UNCOMMITTED else float(words[1])
    return times
