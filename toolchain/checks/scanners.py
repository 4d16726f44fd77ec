"""Scanners from the Python package index, each in an environment of its own that its uv.lock describes.

They are kept out of the project's own lock: what a scanner drags in must not decide which versions the platform gets.
"""

import os
from pathlib import Path

from toolchain.kit import process
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT

LOCKS = ROOT / "toolchain" / "scanners"
ENVIRONMENTS = ROOT / ".local" / "scanners"
UV = ROOT / ".local" / "uv" / "bin" / "uv"


def scanners() -> list[str]:
    """The scanners that have a lock."""
    return sorted(path.parent.name for path in LOCKS.glob("*/uv.lock"))


def scanner(name: str) -> Path:
    """The command of a scanner, installed as its lock says unless it is already.

    Raises `ToolError` when there is none of that name, or when a package cannot be had.
    """
    if name not in scanners():
        raise ToolError(f"scanner = {name!r}: not one of {', '.join(scanners())}")
    folder = ENVIRONMENTS / name
    env = os.environ | {"UV_PROJECT_ENVIRONMENT": str(folder), "UV_PYTHON_DOWNLOADS": "never"}
    env.pop("VIRTUAL_ENV", None)
    process.run(name, [UV, "sync", "--frozen", "--quiet", "--link-mode", "copy"], cwd=LOCKS / name, env=env)
    return folder / "bin" / name
