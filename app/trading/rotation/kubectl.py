"""The two commands that a rotation runs, of the stack's own cluster and state."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trading.rotation.errors import RotationError

TIMEOUT_S = 30.0
UPDATE_TIMEOUT_S = 1800.0
LAST_LINES = 15
CLIENT_LOG = re.compile(r"[IWEF]\d{4} ")  # kubectl says the same again in words


class Kubectl(Protocol):
    """Runs kubectl; returns its standard output. Raises `RotationError` with its words when it fails."""

    def __call__(self, *args: str, stdin: str | None = None) -> str: ...


@dataclass(frozen=True)
class StackKubectl:
    """kubectl in the namespace and of the cluster that a stack names."""

    flags: Sequence[str]
    namespace: str

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        """See `Kubectl`."""
        return output(["kubectl", *self.flags, "-n", self.namespace, *args], stdin=stdin, timeout_s=TIMEOUT_S)


def update(folder: Path, stack: str, kinds: Sequence[str]) -> None:
    """`pulumi up` of the passwords and Secrets of these kinds, and of nothing else that may wait in the checkout.

    Raises:
        RotationError: with the last lines that pulumi said.
    """
    # the text before is the stack's own prefix, if it has one
    names = [f"**credentials-{kind}{slot}" for kind in kinds for slot in ("", "-a", "-b")]
    fixed = ("--yes", "--skip-preview", "--non-interactive", "--suppress-outputs", "--color", "never")
    targets = [part for name in names for part in ("--target", name)]
    output(["pulumi", "up", "--stack", stack, *fixed, *targets], folder=folder, timeout_s=UPDATE_TIMEOUT_S)


def output(
    argv: Sequence[str],
    *,
    timeout_s: float,
    stdin: str | None = None,
    folder: Path | None = None,
    env: Mapping[str, str] = os.environ,
) -> str:
    """Standard output of a command. Raises `RotationError` with its last words when it fails or is not there."""
    try:
        done = subprocess.run(
            argv, input=stdin, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except FileNotFoundError:
        way_out = "install it, or use the project's own: make tools && . .local/env"
        raise RotationError(f"{argv[0]}: the command is not there; {way_out}") from None
    except subprocess.TimeoutExpired:
        raise RotationError(f"{argv[0]}: no answer within {timeout_s:g} s; is the cluster reached?") from None
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        said = [line for line in words if not CLIENT_LOG.match(line)][-LAST_LINES:]
        raise RotationError(f"{argv[0]}: " + "\n".join(said))
    return done.stdout
