"""What the toolchain needs of the machine, checked or installed before anything else is changed."""

import os
import platform
import shutil
import subprocess

from toolchain.kit.cache import exclusive
from toolchain.kit.console import ToolError, step


def require_root_linux(what: str) -> None:
    """Raise `ToolError` unless this is Linux and the user is root."""
    if platform.system() != "Linux":
        raise ToolError(
            f"{what} needs Linux, this is {platform.system()}; use a cluster of your own: KUBECONFIG=<file> make up"
        )
    if os.geteuid() != 0:
        raise ToolError(
            f"{what} needs root (namespaces, cgroups, mounts), uid is {os.geteuid()}; "
            "run it with sudo, or use KUBECONFIG=<file>"
        )


def apt_ensure(packages: dict[str, str]) -> None:
    """Install the Debian packages whose command is missing.

    Args:
        packages: command (name on PATH, or absolute path) to the package that has it.
    """
    missing = sorted({package for command, package in packages.items() if shutil.which(command) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise ToolError(
            f"missing on this machine: {', '.join(missing)}; install them with the system's package manager"
        )
    # one at a time: parallel parts of `make up` need packages, and apt's own lock does not cover its lists
    with step(f"install Debian packages: {' '.join(missing)}"), exclusive("apt"):
        apt_get("update", "-q")
        apt_get("install", "-y", "-q", "--no-install-recommends", *missing)


def apt_get(*args: str) -> None:
    """Run apt-get without questions; its output is shown only when it fails."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise ToolError(f"apt-get {' '.join(args)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
