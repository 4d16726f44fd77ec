"""`make dev`: every role of the engine on a throw-away PostgreSQL and Redis, until ctrl-C; nothing stays behind."""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from toolchain.dev.roles import ROLES, RoleProcess, environment, mount_credentials
from toolchain.dev.servers import Postgres, RedisSet, eventually, free_port, install
from toolchain.kit.paths import ROOT

LOGS = ROOT / ".local" / "dev"
WATCH_S = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run until interrupted; 1 when a role ends by itself."""
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            roles = stack.enter_context(_everything(args.port, args.speed))
            while True:
                time.sleep(WATCH_S)
                for role in roles:
                    if role.process.poll() is not None:
                        _say(f"error: role {role.role} has ended with {role.process.returncode}; see {role.log}")
                        return 1
    except KeyboardInterrupt:
        _say("stopped; nothing is left but the logs")
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m toolchain.dev",
        description="The seven roles of the engine as processes on a throw-away PostgreSQL and Redis; ctrl-C ends all.",
    )
    parser.add_argument("--port", type=int, default=8080, help="of the API, on loopback (default: 8080)")
    parser.add_argument("--speed", default="5", help="bars of each symbol a second (default: 5)")
    return parser


@contextmanager
def _everything(port: int, speed: str) -> Iterator[list[RoleProcess]]:
    """Servers and roles, ended in the opposite order."""
    programs = install()
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trading-dev-")))
        folder.chmod(0o711)  # PostgreSQL runs as another user
        credentials = mount_credentials(folder / "credentials")
        postgres = Postgres(programs, folder / "postgres", credentials["postgres-app"])
        stack.callback(postgres.stop)
        postgres.create("trading")
        redis = RedisSet(folder / "redis", list(credentials["redis-app"].values()))
        stack.callback(redis.kill)
        env = environment(
            folder / "credentials", postgres_port=postgres.port, sentinel_port=redis.sentinel, speed=speed
        )
        _migrate(env)
        roles: list[RoleProcess] = []
        for role in ROLES:
            listen = port if role == "api" else free_port()
            roles.append(RoleProcess(role, listen, env, LOGS / f"{role}.log"))
            stack.callback(roles[-1].stop)
        _wait(roles)
        _say(_summary(roles, port, credentials["api"]["a"]))
        yield roles


def _migrate(env: dict[str, str]) -> None:
    with (LOGS / "migrate.log").open("wb") as log:
        command = [sys.executable, "-m", "trading", "migrate", "--wait-s", "30"]
        subprocess.run(command, env=env | {"PATH": "/usr/bin:/bin"}, check=True, stdout=log, stderr=log)


def _wait(roles: Sequence[RoleProcess]) -> None:
    def are_ready() -> bool:
        return all(
            role.process.poll() is not None
            or httpx.get(f"http://127.0.0.1:{role.port}/health/ready", timeout=5).status_code == httpx.codes.OK
            for role in roles
        )

    eventually(are_ready, 40, f"all roles are ready; see {LOGS}")


def _summary(roles: Sequence[RoleProcess], port: int, key: str) -> str:
    metrics = "\n".join(f"  {role.role:<10} http://127.0.0.1:{role.port}/metrics" for role in roles)
    return (
        f"The engine runs as {len(roles)} processes on synthetic bars.\n"
        f"  API        http://127.0.0.1:{port}  (contract: http://127.0.0.1:{port}/openapi.json)\n"
        f"  API key    {key}\n  logs       {LOGS.relative_to(ROOT)}/<role>.log\n{metrics}\nctrl-C ends all of it."
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
