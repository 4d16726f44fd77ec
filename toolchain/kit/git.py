"""Ask git about a checkout."""

import subprocess
from pathlib import Path

from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT


def attempt(*args: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[bytes]":
    """Run git, whose exit code is an answer to the caller. Raises `ToolError` where it is not installed."""
    try:
        return subprocess.run(["git", *args], cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        raise ToolError("git is not installed; install it with the system's package manager") from None


def output(*args: str, folder: Path = ROOT) -> str:
    """Standard output of git. Raises `ToolError` with its words when it fails."""
    return binary(*args, folder=folder).decode()


def binary(*args: str, folder: Path = ROOT) -> bytes:
    """As `output`, for what is no text."""
    done = attempt(*args, folder=folder)
    if done.returncode:
        raise ToolError(f"git {args[0]}: {done.stderr.decode().strip()}")
    return done.stdout


def require_history(why: str, folder: Path = ROOT) -> None:
    """Raises `ToolError`, with the reason, for a clone that was made without its history."""
    if output("rev-parse", "--is-shallow-repository", folder=folder).strip() == "true":
        raise ToolError(f"{why}, and this clone has none; git fetch --unshallow first (in a workflow: fetch-depth: 0)")
