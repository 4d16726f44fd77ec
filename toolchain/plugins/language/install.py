"""The commands that make a program's virtual environment and install what it needs."""

import os
import shutil
import sys
from pathlib import Path

from toolchain.plugins.language.environment import Environment
from toolchain.plugins.serve import RpcFailure


def install_commands(environment: Environment, program: Path) -> list[list[str]]:
    """The commands, in order, to run in the program's folder.

    Raises:
        RpcFailure: the toolchain is uv and there is none on PATH.
    """
    if environment.toolchain == "uv":
        uv = shutil.which("uv")
        if uv is None:
            raise RpcFailure("Could not find `uv` executable. Install uv and make sure it is in your PATH.")
        return [[uv, "sync"]]
    commands: list[list[str]] = []
    python = environment.python if environment.virtualenv is None else str(environment.virtualenv / "bin" / "python")
    if environment.virtualenv is not None and not Path(python).is_file():
        creator = shutil.which(os.environ.get("PULUMI_PYTHON_CMD", "python3")) or sys.executable
        commands.append([creator, "-m", "venv", str(environment.virtualenv)])
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    if (program / "requirements.txt").is_file():
        commands.append([*pip, "-r", "requirements.txt"])
    elif (program / "pyproject.toml").is_file():
        commands.append([*pip, "-e", "."])
    return commands
