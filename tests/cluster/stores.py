"""The two stores of a running platform, as the tests look into them and write to them."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.platform import NAMESPACE, Platform, eventually


@contextlib.contextmanager
def writing_to_postgres(platform: Platform, folder: Path) -> Iterator[Path]:
    """Numbered writes as the app's role through the multi-host DSN while the body runs; yields the ledger file."""
    hosts = ",".join(f"postgres-{n}.postgres-repl.{NAMESPACE}.svc.cluster.local:5432" for n in range(3))
    flags = ("--hosts", hosts, "--database", "trading")
    with platform.writing("postgres", folder, *flags, kind="postgres-app", user="trading") as acked:
        yield acked


@contextlib.contextmanager
def writing_to_redis(platform: Platform, folder: Path) -> Iterator[Path]:
    """Numbered writes as the app's user through the Sentinels while the body runs; yields the ledger file."""
    sentinels = ",".join(f"redis-sentinel-{n}.{NAMESPACE}.svc.cluster.local:26379" for n in range(3))
    flags = ("--sentinels", sentinels, "--master", "trading")
    with platform.writing("redis", folder, *flags, kind="redis-app", user="trading") as acked:
        yield acked


def query(platform: Platform, sql: str) -> list[list[str]]:
    """Rows of a query on the primary, through its own socket."""
    primary = platform.pod("app.kubernetes.io/name=postgres,role=primary")
    psql = ("psql", "-h", "/run/postgresql", "-d", "trading", "-AtX", "-F", "|", "-c", sql)
    out = platform.kubectl("exec", primary, "-c", "patroni", "--", *psql)
    return [line.split("|") for line in out.splitlines()]


def postgres_members_ready(platform: Platform) -> int:
    """How many PostgreSQL pods are ready."""
    pods = platform.objects("pods", "-l", "app.kubernetes.io/name=postgres")
    return sum(all(c["ready"] for c in p["status"].get("containerStatuses", [{"ready": False}])) for p in pods)


def redis_cli(platform: Platform, pod: str, *command: str) -> str:
    """A command on a member, as the app's user; the password goes through stdin. Empty when it does not answer."""
    _, password = platform.current("redis-app")
    script = f"AUTH trading {password}\n{' '.join(command)}\n"
    address = platform.kubectl("get", "pod", pod, "-o", "jsonpath={.status.podIP}")
    argv = ["kubectl", "-n", NAMESPACE, "exec", "-i", pod, "-c", "server", "--", "redis-cli", "-h", address]
    done = subprocess.run(
        argv, input=script, env=dict(platform.cluster.env), capture_output=True, text=True, check=False
    )
    accepted, _, answer = done.stdout.partition("\n")
    return answer if accepted == "OK" else ""


def redis_master(platform: Platform) -> str:
    """The pod that says it is the master; one that is starting says nothing."""

    def ask() -> str:
        return next((p for p in (f"redis-{n}" for n in range(3)) if redis_cli(platform, p, "ROLE")[:6] == "master"), "")

    return eventually(ask, 30, "a pod that says it is the master")


def redis_ledger(platform: Platform) -> list[int]:
    """The keys that the ledger's client left on the master, which are then removed."""
    master = redis_master(platform)
    found = [int(line) for line in redis_cli(platform, master, "LRANGE", "ledger", "0", "-1").split()]
    redis_cli(platform, master, "DEL", "ledger")
    return found


def postgres_ledger(platform: Platform) -> list[int]:
    """The keys that the ledger's client left in the database, which are then removed."""
    found = [int(row[0]) for row in query(platform, "select key from ledger")]
    query(platform, "drop table ledger")
    return found
