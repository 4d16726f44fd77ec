"""The roles of the engine as processes, with the settings and the credentials folder that the platform gives them."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from components.trading.args import KINDS, Role
from toolchain.dev.servers import WITH_US

ROLES: tuple[str, ...] = get_args(Role)
STOP_S = 30


class RoleProcess:
    """One process of the app, in the code of this checkout."""

    def __init__(self, role: str, port: int, env: Mapping[str, str], log: Path) -> None:
        self.role, self.port, self.log = role, port, log
        command = [*WITH_US, sys.executable, "-m", "trading", "run", role, "--listen", f"127.0.0.1:{port}"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=os.environ | env, stdout=output, stderr=output, start_new_session=True
            )

    def stop(self) -> None:
        """Let it end in order, and end it if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def mount_credentials(folder: Path) -> dict[str, dict[str, str]]:
    """Random values of every kind as files, as a pod has them; returns them by kind and slot."""
    made = {}
    for kind in KINDS:
        slots = {slot: secrets.token_urlsafe(24) for slot in "ab"}
        mounted = folder / kind
        mounted.mkdir(parents=True, mode=0o700)
        for name, value in (slots | {"current": "a", "epoch": "0"}).items():
            (mounted / name).write_text(value)
        made[kind] = slots
    return made


def environment(credentials: Path, *, postgres_port: int, sentinel_port: int, speed: str) -> dict[str, str]:
    """The settings of every role."""
    return {
        "TRADING_POSTGRES_HOSTS": f"127.0.0.1:{postgres_port}",
        "TRADING_REDIS_SENTINELS": f"127.0.0.1:{sentinel_port}",
        "TRADING_CREDENTIALS_DIR": str(credentials),
        "TRADING_FEED_SPEED": speed,
    }
