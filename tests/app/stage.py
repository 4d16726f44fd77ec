"""A database, a Redis and credentials of one test, and the roles of the app as real processes on them."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.app.asking import ask
from tests.app.credentials import Credentials
from tests.app.servers import WITH_US, Postgres, RedisSet, eventually, free_port
from trading.security.credentials import MountedCredential
from trading.settings import Settings, from_environment
from trading.storage.connection import Connection, Logins, logins
from trading.storage.migrate import HEAD, migrate


class Role:
    """One process of the app."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path, port: int) -> None:
        self.name = name
        self.port = port
        self.log = log
        command = [*WITH_US, sys.executable, "-m", "trading", "run", name, "--listen", f"127.0.0.1:{self.port}"]
        with log.open("ab") as output:
            self.process = subprocess.Popen(command, env=os.environ | env, stdout=output, stderr=output)

    def get(self, path: str) -> httpx.Response:
        """One GET of the process."""
        return ask("GET", f"http://127.0.0.1:{self.port}{path}", timeout=5)

    def is_ready(self) -> bool:
        """Whether its readiness says yes."""
        if self.process.poll() is not None:
            raise AssertionError(f"exited with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
        with suppress(httpx.HTTPError):
            return self.get("/health/ready").status_code == 200
        return False

    def is_gone(self) -> bool:
        """Whether nobody listens at its port any more."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) != 0

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(timeout=30)

    def logged(self) -> list[dict[str, Any]]:
        """Its log lines; fails when one is not JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class Stage:
    """Everything around the app in one test."""

    def __init__(self, folder: Path, database: str, postgres: Postgres, redis: RedisSet) -> None:
        self.postgres, self.redis = postgres, redis
        self.database = database
        self.credentials = Credentials(folder / "credentials")
        self._folder = folder
        self._roles: list[Role] = []
        postgres.create(database)
        self.env = {
            "TRADING_POSTGRES_HOSTS": f"127.0.0.1:{postgres.port}",
            "TRADING_POSTGRES_DATABASE": database,
            "TRADING_REDIS_SENTINELS": f"127.0.0.1:{redis.sentinel}",
            "TRADING_REDIS_USER": "trading",
            "TRADING_CREDENTIALS_DIR": str(self.credentials.folder),
            "TRADING_CREDENTIALS_SETTLE_S": "0",
            "TRADING_FEED_SPEED": "20",
            "TRADING_SEED": "7",
        }

    @property
    def settings(self) -> Settings:
        """The settings of every role."""
        return from_environment(self.env)

    def logins(self) -> Logins:
        """How the app reaches the database."""
        return logins(self.settings, MountedCredential(self.credentials.folder, "postgres-app"), "test")

    def migrate(self, to: str = HEAD) -> list[str]:
        """Bring the schema up, to a revision; returns the files that were applied."""
        return migrate(self.logins(), wait_s=10, to=to)

    def connect(self) -> Connection:
        """A session as the app has."""
        return Connection.connect(logins=self.logins())

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows, as a superuser sees them."""
        with self.postgres.admin(self.database) as admin:
            return admin.execute(sql.encode(), parameters or None).fetchall()

    def start(self, name: str, **env: str) -> Role:
        """Start a role and wait until it is ready."""
        role = self.launch(name, **env)
        eventually(role.is_ready, 30, f"{name} is ready; see {role.log}")
        return role

    def trade(self) -> "tuple[Role, Role]":
        """Start what trades: execution and engine."""
        return self.start("execution"), self.start("engine")

    def launch(self, name: str, **env: str) -> Role:
        """Start a role."""
        return self._launched(name, free_port(), env)

    def again(self, role: Role) -> Role:
        """Start a role that has ended where it was, once the last of its processes has let go of the port."""
        eventually(role.is_gone, 20, f"port {role.port} is free")
        return self._launched(role.name, role.port, {})

    def _launched(self, name: str, port: int, env: dict[str, str]) -> Role:
        role = Role(name, self.env | env, self._folder / f"{name}-{len(self._roles)}.log", port)
        self._roles.append(role)
        return role

    def quiet(self) -> None:
        """Stop every role in order, so that nothing changes any more."""
        for role in self._roles:
            role.stop()

    def close(self) -> None:
        """End every role that still runs."""
        for role in self._roles:
            role.stop(signal.SIGKILL)
