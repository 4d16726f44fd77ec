"""Throw-away PostgreSQL and Redis on loopback, as the platform sets them up: TLS, two slots, ACLs, a Sentinel."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx
import psycopg
import redis

from toolchain.compose.setup import certificate
from toolchain.kit.host import apt_ensure

USER = "postgres"
REDIS_USER = "trading"
# The binary of all Redis programs is in redis-tools; it acts by the name it is called with, and starts no service.
REDIS_BINARY = "/usr/bin/redis-check-rdb"
WITH_US = ("setpriv", "--pdeathsig", "KILL")  # a server must not outlive a test run that is killed
HBA = "local all all trust\nlocal replication all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
POSTGRES_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "ssl": "on",
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "password_encryption": "scram-sha-256",
}
ROLES = """
CREATE ROLE trading_owner NOLOGIN;
CREATE ROLE trading_a LOGIN IN ROLE trading_owner;
CREATE ROLE trading_b LOGIN IN ROLE trading_owner;
ALTER ROLE trading_a SET role = 'trading_owner';
ALTER ROLE trading_b SET role = 'trading_owner';
"""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait until the condition holds; fails naming `what`. A busy machine is given three times as long."""
    deadline = time.monotonic() + 3 * timeout_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, psycopg.Error, redis.RedisError, httpx.HTTPError):
            if condition():
                return
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s} s: {what}")


def install() -> Path:
    """Install what is missing; returns the folder of PostgreSQL's programs."""
    apt_ensure({REDIS_BINARY: "redis-tools"})
    if not sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        apt_ensure({"/usr/lib/postgresql/bin/initdb": "postgresql"})
    return sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[-1].parent


class Postgres:
    """A server with the roles of the platform; stopped and started at will, on one port.

    Args:
        options: beside and over `POSTGRES_OPTIONS`.
    """

    def __init__(
        self, programs: Path, folder: Path, passwords: dict[str, str], options: Mapping[str, str] | None = None
    ) -> None:
        self._programs, self._folder = programs, folder
        self._options = POSTGRES_OPTIONS | dict(options or {})
        self._standby: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.standby_port = 0
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700)
        shutil.chown(folder, USER, USER)
        data = folder / "data"
        self._run("initdb", "--auth=trust", "--no-sync", "-U", "postgres", "-D", str(data))
        (data / "pg_hba.conf").write_text(HBA)
        write_certificate(data)
        self.start()
        with self.admin() as admin:
            admin.execute(ROLES.encode())
        self.set_passwords(passwords)

    def start(self) -> None:
        """Start and wait until it answers."""
        self._process = self._serve("data", self._options | {"port": str(self.port)})
        eventually(self._answers, 20, "PostgreSQL answers")

    def replicate(self) -> None:
        """Bring up a standby, without which no commit is acknowledged from then on."""
        copy = self._folder / "standby"
        place = ("-h", str(self._folder), "-p", str(self.port), "-U", "postgres")
        self._run("pg_basebackup", *place, "-D", str(copy), "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
        self.standby_port = free_port()
        self.start_standby()
        with self.admin() as admin:
            admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            admin.execute("SELECT pg_reload_conf()")
        eventually(self._is_replicated, 20, "the standby is synchronous")

    def start_standby(self) -> None:
        """Start the standby that `replicate` has made."""
        options = self._options | {"port": str(self.standby_port), "cluster_name": "standby"}
        self._standby = self._serve("standby", options)

    def stop_standby(self) -> None:
        """Stop the standby; the primary no longer waits for it."""
        with self.admin() as admin:
            admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
            admin.execute("SELECT pg_reload_conf()")
        if self._standby:
            self._standby.send_signal(signal.SIGINT)
            self._standby.wait(timeout=20)

    def fail_over(self, sig: signal.Signals) -> None:
        """End the primary by a signal and make the standby the primary."""
        if self._process:
            self._process.send_signal(sig)
            self._process.wait(timeout=20)
        with self.admin(on_standby=True) as admin:
            admin.execute("SELECT pg_promote()")

    def stop(self, sig: signal.Signals = signal.SIGINT) -> None:
        """Stop at once; SIGINT ends all sessions, SIGQUIT is a crash."""
        for process in (self._standby, self._process):
            if process:
                process.send_signal(sig)
                process.wait(timeout=20)

    def admin(self, database: str = "postgres", *, on_standby: bool = False) -> psycopg.Connection[tuple[object, ...]]:
        """A superuser's session over the local socket."""
        port = self.standby_port if on_standby else self.port
        return psycopg.connect(host=str(self._folder), port=port, user="postgres", dbname=database, autocommit=True)

    def create(self, database: str) -> None:
        """Make an empty database that belongs to the owner role."""
        with self.admin() as admin:
            admin.execute(f"CREATE DATABASE {database} OWNER trading_owner".encode())

    def set_passwords(self, passwords: dict[str, str]) -> None:
        """Give the two login roles their passwords."""
        with self.admin() as admin:
            for slot, password in passwords.items():
                admin.execute(f"ALTER ROLE trading_{slot} PASSWORD '{password}'".encode())

    def _answers(self) -> bool:
        with self.admin() as admin:
            return admin.execute("SELECT 1").fetchone() == (1,)

    def _is_replicated(self) -> bool:
        with self.admin() as admin:
            return admin.execute("SELECT sync_state FROM pg_stat_replication").fetchall() == [("sync",)]

    def _serve(self, data: str, options: Mapping[str, str]) -> subprocess.Popen[bytes]:
        settings = {**options, "unix_socket_directories": str(self._folder)}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*(self._as_user() or WITH_US), str(self._programs / "postgres"), "-D", str(self._folder / data)]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen([*command, *flags], stdout=log, stderr=log, cwd="/", start_new_session=True)

    def _as_user(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        user = pwd.getpwnam(USER)
        return ["setpriv", *WITH_US[1:], f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(
            [*self._as_user(), str(self._programs / program), *args], check=True, capture_output=True, cwd="/"
        )


class RedisSet:
    """A master, a replica and a Sentinel, each with the ACL user of the app."""

    def __init__(self, folder: Path, passwords: Sequence[str]) -> None:
        folder.mkdir()
        for name in ("redis-server", "redis-sentinel"):
            (folder / name).symlink_to(REDIS_BINARY)
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.ports = (free_port(), free_port())
        self.sentinel = free_port()
        for port in self.ports:
            replica = "" if port == self.ports[0] else f"replicaof 127.0.0.1 {self.ports[0]}\n"
            self._configure(port, "~* +@all", passwords, f"repl-diskless-sync-delay 0\nsave ''\n{replica}")
        self._configure(
            self.sentinel,
            "+ping +sentinel|masters +sentinel|get-master-addr-by-name",
            passwords,
            f"sentinel monitor trading 127.0.0.1 {self.ports[0]} 1\n"
            "sentinel down-after-milliseconds trading 1000\nsentinel failover-timeout trading 3000\n",
        )
        self.start()

    def start(self) -> None:
        """Start what is not running, and wait until the Sentinel knows a master and its replica."""
        for port in self.ports:
            self._start(port, "redis-server")
        self._start(self.sentinel, "redis-sentinel")
        eventually(lambda: self.master().ping() is True, 20, "a Redis master")
        eventually(lambda: self._ask("sentinel_slaves", "trading") != [], 20, "a Redis replica")

    def kill(self, *ports: int) -> None:
        """Kill the servers at these ports; all of them without any."""
        for port in ports or (*self.ports, self.sentinel):
            if process := self._processes.pop(port, None):
                process.kill()
                process.wait()

    def master(self) -> "redis.Redis":
        """A client with all rights on the present master."""
        return redis.Redis(port=self.master_port(), decode_responses=True)

    def master_port(self) -> int:
        """The port that the Sentinel names."""
        return int(self._ask("sentinel_get_master_addr_by_name", "trading")[1])

    def set_passwords(self, passwords: Sequence[str]) -> None:
        """Replace the passwords of the app's user everywhere."""
        for port in (*self.ports, self.sentinel):
            with redis.Redis(port=port) as admin:
                admin.execute_command("ACL", "SETUSER", REDIS_USER, "resetpass", *(f">{p}" for p in passwords))

    def _ask(self, command: str, *args: str) -> "list[str]":
        with redis.Redis(port=self.sentinel, decode_responses=True, socket_timeout=2) as client:
            answer: list[str] = getattr(client, command)(*args)
            return answer

    def _configure(self, port: int, rights: str, passwords: Sequence[str], more: str) -> None:
        keys = " ".join(f">{password}" for password in passwords)
        (self._folder / f"{port}.conf").write_text(
            f"bind 127.0.0.1\nport {port}\ndir {self._folder}\ndbfilename {port}.rdb\n"
            f"user {REDIS_USER} on {keys} {rights}\n{more}"
        )

    def _start(self, port: int, name: str) -> None:
        if port in self._processes:
            return
        with (self._folder / f"{port}.log").open("ab") as log:
            command = [*WITH_US, str(self._folder / name), str(self._folder / f"{port}.conf")]
            self._processes[port] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def write_certificate(folder: Path) -> None:
    """Put a certificate where the server looks for it."""
    for file, content in zip(("server.crt", "server.key"), certificate(), strict=True):
        (folder / file).write_text(content)
        (folder / file).chmod(0o600)
        shutil.chown(folder / file, USER, USER)
