"""A client that writes unique records and keeps on local disk which of them were acknowledged.

    python -m drills.ledger postgres --hosts H:P,H:P --database D --user U --password-file F --acked FILE
    python -m drills.ledger redis --sentinels H:P,H:P --master M --user U --password-file F --acked FILE

One line a write in FILE, flushed before the next write begins: `<seconds since the epoch> <id> acked|unknown|refused`.
It runs until SIGTERM. `unknown` is a write whose outcome the client was not told; it may be there or not.
"""

import argparse
import contextlib
import itertools
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import redis
from redis.sentinel import Sentinel

PAUSE_S = 0.02
"""Between two writes: about 40 a second, enough to see a gap of 0.1 s."""

WRITE_TIMEOUT_S = 5.0
"""A client's own deadline. Not statement_timeout: a commit cancelled by that is reported as done, but can be lost."""

Write = Callable[[int], None]


class Entry(NamedTuple):
    """One line of the ledger."""

    at: float
    key: int
    outcome: str


class Report(NamedTuple):
    """What became of the writes around one fault.

    Attributes:
        acked: writes that were acknowledged.
        lost: acknowledged, but not there afterwards.
        duplicated: there more than once.
        unknown: outcome not told to the client.
        gap_s: longest time between two acknowledged writes, seconds.
    """

    acked: int
    lost: int
    duplicated: int
    unknown: int
    gap_s: float


def read(path: Path) -> list[Entry]:
    """The whole lines of a ledger file."""
    entries = []
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            at, key, outcome = line.split()
            entries.append(Entry(float(at), int(key), outcome))
    return entries


def compare(entries: list[Entry], found: list[int]) -> Report:
    """Compare a ledger with the keys that are in the store afterwards."""
    acked = [e for e in entries if e.outcome == "acked"]
    there = set(found)
    gaps = [b.at - a.at for a, b in itertools.pairwise(acked)]
    return Report(
        acked=len(acked),
        lost=sum(e.key not in there for e in acked),
        duplicated=len(found) - len(there),
        unknown=sum(e.outcome == "unknown" for e in entries),
        gap_s=max(gaps, default=0.0),
    )


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the body after so many seconds (main thread only)."""

    def expired(_number: int, _frame: object) -> None:
        raise TimeoutError(f"no answer within {seconds} s")

    signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def postgres_writer(args: argparse.Namespace) -> Iterator[Write]:
    """Writes through the clients' multi-host recipe: whoever accepts writes, found anew after each failure."""
    hosts, ports = zip(*(h.split(":") for h in args.hosts.split(",")), strict=True)
    password = args.password_file.read_text().strip()
    connection: psycopg.Connection | None = None

    def write(key: int) -> None:
        nonlocal connection
        if connection is None or connection.closed:
            connection = psycopg.connect(
                host=",".join(hosts), port=",".join(ports), dbname=args.database, user=args.user, password=password,
                sslmode="require", target_session_attrs="read-write", connect_timeout=2, tcp_user_timeout=3000,
                keepalives_idle=1, keepalives_interval=1, keepalives_count=3, autocommit=True,
            )  # fmt: skip
            connection.execute("create table if not exists ledger (key bigint not null)")
        try:
            with deadline(WRITE_TIMEOUT_S):
                connection.execute("insert into ledger (key) values (%s)", (key,))
        except (psycopg.Error, TimeoutError):
            connection.close()
            raise

    yield write
    if connection is not None:
        connection.close()


@contextlib.contextmanager
def redis_writer(args: argparse.Namespace) -> Iterator[Write]:
    """Writes to the master that the Sentinels name."""
    password = args.password_file.read_text().strip()
    auth = {"username": args.user, "password": password, "socket_timeout": 2.0, "socket_connect_timeout": 2.0}
    addresses = [(h, int(p)) for h, p in (s.split(":") for s in args.sentinels.split(","))]
    sentinel = Sentinel(addresses, sentinel_kwargs=auth, **auth)  # type: ignore[no-untyped-call]
    master: redis.Redis = sentinel.master_for(args.master)  # type: ignore[no-untyped-call]

    def write(key: int) -> None:
        master.rpush("ledger", key)

    yield write
    master.close()


def run(write: Write, path: Path, keep_on: Callable[[], bool]) -> None:
    """Write unique keys until told to stop, each outcome on disk before the next write."""
    with path.open("a", buffering=1) as ledger:
        key = 0
        while keep_on():
            key += 1
            try:
                write(key)
                outcome = "acked"
            except (psycopg.OperationalError, psycopg.InternalError, redis.RedisError, TimeoutError) as error:
                outcome = "refused" if refused(error) else "unknown"
                sys.stderr.write(f"{time.time():.3f} {type(error).__name__}: {error}\n")
            ledger.write(f"{time.time():.3f} {key} {outcome}\n")
            time.sleep(PAUSE_S)


def refused(error: Exception) -> bool:
    """Whether the store said no, so that the write is certainly not there."""
    if isinstance(error, redis.ReadOnlyError | redis.sentinel.MasterNotFoundError):
        return True
    return isinstance(error, psycopg.errors.ReadOnlySqlTransaction | psycopg.errors.CannotConnectNow)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="drills.ledger", description=(__doc__ or "").split("\n\n")[0])
    stores = parser.add_subparsers(dest="store", required=True)
    for name, needed in (("postgres", ("--hosts", "--database")), ("redis", ("--sentinels", "--master"))):
        store = stores.add_parser(name, help=f"write to {name}")
        for flag in (*needed, "--user"):
            store.add_argument(flag, required=True)
        store.add_argument("--password-file", type=Path, required=True)
        store.add_argument("--acked", type=Path, required=True, help="the ledger file")
    args = parser.parse_args()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    writer = {"postgres": postgres_writer, "redis": redis_writer}[args.store]
    with writer(args) as write:
        run(write, args.acked, lambda: not stopped)


if __name__ == "__main__":
    main()
