"""Secrets in the tree and in all of its history: gitleaks, with its own rules."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolchain import go
from toolchain.checks import report
from toolchain.checks.report import Finding
from toolchain.kit import git
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT


def check() -> str:
    """Scan what is committed, ever, and what is about to be; returns a closing line.

    Raises `ToolError` with the finds that nobody waived.
    """
    return report.conclude("gitleaks", [*in_history(ROOT), *in_tree(ROOT)], "the tree and its history")


def in_history(root: Path) -> list[Finding]:
    """Finds in the commits of all branches. Raises `ToolError` for a clone without its history."""
    git.require_history("gitleaks looks through the history", root)
    return scan("git", root)


def in_tree(root: Path) -> list[Finding]:
    """Finds in the files that git knows or would add: not in what it ignores, as state and environments are."""
    listed = git.output("ls-files", "-z", "--cached", "--others", "--exclude-standard", folder=root)
    with tempfile.TemporaryDirectory() as scratch:
        for name in filter(None, listed.split("\0")):
            if (root / name).is_file():
                target = Path(scratch, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, target)
        return scan("dir", Path(scratch))


def scan(how: str, what: Path) -> list[Finding]:
    """Run gitleaks; the text of a find never holds the secret itself."""
    program = go.ensure(["gitleaks"]) / "gitleaks"
    with tempfile.TemporaryDirectory() as scratch:
        found = Path(scratch, "found.json")
        argv: list[str | Path] = [program, how, "--no-banner", "--redact", "--log-level", "error", "--exit-code", "0"]
        options = ["--report-format", "json", "--report-path", str(found), "."]
        done = subprocess.run([*argv, *options], cwd=what, capture_output=True, text=True, check=False)
        if done.returncode or not found.exists():
            raise ToolError(f"gitleaks {how} failed with exit code {done.returncode}:\n{done.stderr[-2000:]}")
        return from_gitleaks(json.loads(found.read_text()))


def from_gitleaks(finds: Sequence[dict[str, Any]]) -> list[Finding]:
    """The finds of gitleaks' report, named by file, with line and commit for a person."""
    return [
        Finding(find["RuleID"], find["File"], f"line {find['StartLine']}{of_commit(find['Commit'])}") for find in finds
    ]


def of_commit(commit: str) -> str:
    """Which commit, where there is one."""
    return f" of commit {commit[:12]}" if commit else ""
