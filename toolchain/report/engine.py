"""Run `pulumi` with an event log, and tell how far it is while it works."""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from toolchain.kit.console import say
from toolchain.kit.process import wait
from toolchain.platform.tools import Tools
from toolchain.report.events import Log, parse

POLL_S = 0.2
HEARTBEAT_S = 10.0
API_TIMEOUT = "5s"


class Run(NamedTuple):
    """How a run ended: exit code, its log, and what the CLI itself printed."""

    code: int
    log: Log
    printed: str


def run(tools: Tools, title: str, argv: Sequence[str], cwd: Path) -> Run:
    """Run a pulumi command to its end; on a terminal one line shows how far it is, elsewhere one every 10 s."""
    # the log holds all of the state, its secrets blinded: it stays in a folder of this user, and goes with the command
    with tempfile.TemporaryDirectory(prefix="preview-") as scratch:
        log, out = Path(scratch) / "events", Path(scratch) / "out"
        env = dict(tools.env) | {"PULUMI_DEBUG_COMMANDS": "true"}  # the engine offers --event-log only then
        command = [*argv, "--event-log", str(log), "--non-interactive", "--color", "never"]
        with out.open("w") as printed:
            process = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, text=True
            )
        try:
            code = _follow(process, title, log)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        lines = log.read_text().splitlines() if log.exists() else []
        return Run(code, parse(lines), out.read_text())


def _follow(process: "subprocess.Popen[str]", title: str, log: Path) -> int:
    begin = time.monotonic()
    console = Console(stderr=True)
    if not console.is_terminal:
        say(f"==> {title}")
        while (code := wait(process, HEARTBEAT_S)) is None:
            say(f"    {title}: {time.monotonic() - begin:.0f} s, {_objects(log)} objects looked at")
        return code
    with console.status(title) as status:
        while (code := wait(process, POLL_S)) is None:
            status.update(f"{title}: {_objects(log)} objects looked at, {time.monotonic() - begin:.0f} s")
    return code


def unreached(tools: Tools, context: str | None) -> str | None:
    """Why the API of a context (of the current one, when None) is not reached; None when it is.

    Without changes the engine never asks the API, so that a cluster that is gone would go unnoticed.
    """
    named = ["--context", context] if context else []
    argv = ["kubectl", *named, "get", "--raw", "/readyz", "--request-timeout", API_TIMEOUT]
    try:
        done = subprocess.run(argv, env=dict(tools.env), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no answer"])[-1]


def _objects(log: Path) -> int:
    """How many resources the engine has planned so far."""
    try:
        return log.read_bytes().count(b'"resOutputsEvent":')
    except OSError:
        return 0
