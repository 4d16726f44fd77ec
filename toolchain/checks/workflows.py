"""The workflows and shell scripts: actionlint, zizmor and shellcheck, without asking anything of the network."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from toolchain import go
from toolchain.checks.scanners import scanner
from toolchain.kit.console import ToolError
from toolchain.kit.host import apt_ensure
from toolchain.kit.paths import ROOT

FOLDER = ".github/workflows"


def scripts(root: Path = ROOT) -> list[str]:
    """The committed shell scripts, by their first line."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    return [name for name in sorted(filter(None, listed.split("\0"))) if is_shell(root / name)]


def is_shell(path: Path) -> bool:
    """Whether a file starts with a line that names a shell."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.readline(200)
    return first.startswith(b"#!") and first.rstrip().endswith((b"/sh", b"/bash", b" sh", b" bash"))


def check() -> str:
    """Check all of them, show what each tool says; returns a closing line.

    Raises `ToolError` with the names of the tools that found something.
    """
    apt_ensure({"shellcheck": "shellcheck"})
    actionlint = go.ensure(["actionlint"]) / "actionlint"
    # offline: what zizmor could ask of a server would make the answer differ from run to run
    tools: dict[str, list[str | Path]] = {
        "actionlint": [actionlint, "-no-color"],
        "zizmor": [scanner("zizmor"), "--offline", "--quiet", "--no-progress", "--persona", "pedantic", ".github"],
        "shellcheck": ["shellcheck", *scripts()],
    }
    failed = [name for name, argv in tools.items() if not passes(argv)]
    if failed:
        raise ToolError(f"{', '.join(failed)}: see above; {FOLDER} and the scripts are what they are about")
    return f"{', '.join(tools)}: nothing found"


def passes(argv: Sequence[str | Path]) -> bool:
    """Run a tool with its output passed on; whether it found nothing."""
    return subprocess.run(list(argv), cwd=ROOT, env=os.environ, check=False).returncode == 0
