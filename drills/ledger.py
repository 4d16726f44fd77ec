"""A client that writes unique records and keeps on local disk which of them were acknowledged.

    python -m drills.ledger postgres --hosts H:P,H:P --database D --user U --password-file F --acked FILE
    python -m drills.ledger redis --sentinels H:P,H:P --master M --user U --password-file F --acked FILE
    python -m drills.ledger orders --api URL --run R [--signed] --password-file F --acked FILE

One line a write in FILE (or on standard output, as `-`), flushed before the next write begins:
`<seconds since the epoch> <id> acked|unknown|refused|login [timeline]`. It runs until SIGTERM. `unknown` is one whose
outcome the client was not told; it may be there or not. `login` is one that was not tried since a password was refused.
An order is sent again under its own name until it is answered, so that none is `unknown`.
This file needs nothing but what the engine's image has, so that a pod can run it as it is.
"""

import argparse
import contextlib
import itertools
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import httpx
import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from trading.security.client import Signed

PAUSE_S = 0.02
"""Between two writes: about 40 a second, enough to see a gap of 0.1 s."""

ORDER_PAUSE_S, RETRY_S, ANSWER_S = 0.2, 0.1, 2.0
"""Between two orders, so that no second has the ten that one client may send; before a retry; for an answer."""

ORDER_NAME = "drill-{run}-{key}"
"""The client order id of an order of a run (digits)."""

INSERT = "insert into ledger (key) values (%s) returning substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"

WRITE_TIMEOUT_S = 5.0
"""A client's own deadline. Not statement_timeout: a commit cancelled by that is reported as done, but can be lost."""

Write = Callable[[int], str]
"""Writes a key; returns where it went: the timeline that PostgreSQL was on, empty for Redis."""

PASSWORD_REFUSED = ("28P01", "28000")  # SQLSTATE


class Entry(NamedTuple):
    """One line of the ledger.

    Attributes:
        at: when the outcome was known, seconds since the epoch by the client's clock.
        timeline: of PostgreSQL, as eight hexadecimal digits.
    """

    at: float
    key: int
    outcome: str
    timeline: str = ""


class Report(NamedTuple):
    """What became of the writes around one fault.

    Attributes:
        acked: writes that were acknowledged.
        lost: acknowledged, but not there afterwards.
        duplicated: there more than once.
        unknown: outcome not told to the client.
        gap_s: longest time between two acknowledged writes, seconds.
        refused_auth: writes that a refused password kept from being tried.
    """

    acked: int
    lost: int
    duplicated: int
    unknown: int
    gap_s: float
    refused_auth: int = 0


def read(path: Path) -> list[Entry]:
    """The whole lines of a ledger file; those that begin with # give reasons, for people."""
    entries = []
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n") and not line.startswith("#"):
            at, key, outcome, *timeline = line.split()
            entries.append(Entry(float(at), int(key), outcome, *timeline))
    return entries


def outage_s(entries: list[Entry], fault_at: float, *, pause_s: float = 0.5, outcome: str = "acked") -> float:
    """How long acknowledged writes were held up by a fault, seconds: what its client saw as the recovery time.

    From the last acknowledged write before the first pause that ends after the fault, to the end of the last such
    pause, so that a relapse counts whole. 0 when no pause was longer than `pause_s`. The same for another outcome.
    """
    times = [e.at for e in entries if e.outcome == outcome]
    pauses = [(a, b) for a, b in itertools.pairwise(times) if b - a > pause_s and b > fault_at]
    return pauses[-1][1] - pauses[0][0] if pauses else 0.0


def steps_back(entries: list[Entry]) -> int:
    """Writes that an older timeline acknowledged after a newer one had: two primaries took writes at one time."""
    newest, count = "", 0
    for entry in entries:
        if entry.outcome == "acked":
            count += entry.timeline < newest
            newest = max(newest, entry.timeline)
    return count


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
        refused_auth=sum(e.outcome == "login" for e in entries),
    )


class NotTried(Exception):
    """There was no connection to write over, so that the write is certainly not there."""


TROUBLE = (
    psycopg.OperationalError,
    psycopg.InternalError,
    redis.RedisError,
    TimeoutError,
    NotTried,
    httpx.HTTPStatusError,
)
"""What a write fails with; anything else is a mistake of ours, and ends the client."""


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

    def write(key: int) -> str:
        nonlocal connection
        if connection is None or connection.closed:
            try:
                connection = psycopg.connect(
                    host=",".join(hosts), port=",".join(ports), dbname=args.database, user=args.user,
                    password=password, sslmode="require", target_session_attrs="read-write", connect_timeout=2,
                    tcp_user_timeout=3000, keepalives_idle=1, keepalives_interval=1, keepalives_count=3,
                    autocommit=True,
                )  # fmt: skip
            except psycopg.OperationalError as error:
                raise NotTried(str(error)) from error
            connection.execute("create table if not exists ledger (key bigint not null)")
        try:
            with deadline(WRITE_TIMEOUT_S):
                row = connection.execute(INSERT, (key,)).fetchone()
                return str(row[0]) if row else ""
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
    auth: dict[str, Any] = {"username": args.user, "password": password}
    # one try a write, as the application makes it: a client that tries again by itself waits on a master that is gone
    auth |= {"socket_timeout": 1.0, "socket_connect_timeout": 1.0, "retry": Retry(NoBackoff(), 0)}
    addresses = [(h, int(p)) for h, p in (s.split(":") for s in args.sentinels.split(","))]
    sentinel = Sentinel(addresses, sentinel_kwargs=auth, **auth)  # type: ignore[no-untyped-call]
    master: redis.Redis = sentinel.master_for(args.master)  # type: ignore[no-untyped-call]

    def write(key: int) -> str:
        master.rpush("ledger", key)
        return ""

    yield write
    master.close()


@contextlib.contextmanager
def orders_writer(args: argparse.Namespace) -> Iterator[Write]:
    """Orders over the API: each is sent under one name until it is answered, as a client in earnest does."""
    secret = args.password_file.read_text().strip()
    who: dict[str, Any] = {"auth": Signed(secret)} if args.signed else {"headers": {"X-API-Key": secret}}
    with httpx.Client(base_url=args.api, timeout=ANSWER_S, **who) as client:

        def asked(method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  JSON
            while True:
                try:
                    answer = client.request(method, path, json=body)
                    if answer.is_success:
                        return answer.json()
                    if not answer.is_server_error and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                        answer.raise_for_status()
                    say(f"sent again after {answer.status_code}")
                except httpx.TransportError as error:
                    say(f"sent again after {type(error).__name__}: {error}")
                time.sleep(RETRY_S)

        quotes: list[dict[str, Any]] = []
        while not quotes:
            quotes = asked("GET", "/v1/quotes")["quotes"]
        symbols = sorted(quote["symbol"] for quote in quotes)

        def write(key: int) -> str:
            asked("POST", "/v1/orders", ticket(args.run, key, symbols))
            return ""

        yield write


def ticket(run: str, key: int, symbols: list[str]) -> dict[str, object]:
    """One share at the market; each second order gives back what the one before has taken. Pure."""
    return {
        "client_order_id": ORDER_NAME.format(run=run, key=key),
        "symbol": symbols[(key - 1) // 2 % len(symbols)],
        "side": "BUY" if key % 2 else "SELL",
        "type": "MARKET",
        "product": "MIS",
        "quantity": 1,
    }


def say(reason: str) -> None:
    """A line for people: both streams of a pod are one log, so that a reason is a line of its own kind in it."""
    sys.stderr.write(f"# {time.time():.3f} {' '.join(reason.split())}\n")


def run(write: Write, path: Path, keep_on: Callable[[], bool], *, pause_s: float = PAUSE_S) -> None:
    """Write unique keys until told to stop, each outcome on disk before the next write."""
    with opened(path) as ledger:
        key = 0
        while keep_on():
            key += 1
            timeline = ""
            try:
                timeline = write(key)
                outcome = "acked"
            except TROUBLE as error:
                outcome = "login" if no_login(error) else "refused" if refused(error) else "unknown"
                say(f"{type(error).__name__}: {error}")
            ledger.write(f"{time.time():.3f} {key} {outcome} {timeline}".rstrip() + "\n")
            ledger.flush()
            time.sleep(pause_s)


def opened(path: Path) -> contextlib.AbstractContextManager[IO[str]]:
    """The ledger file; `-` is standard output."""
    return contextlib.nullcontext(sys.stdout) if str(path) == "-" else path.open("a")


def no_login(error: Exception) -> bool:
    """Whether a password or user was refused, which a rotation must never do to anybody."""
    if isinstance(error, redis.AuthenticationError):
        return True
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
    # libpq tries one host after the other and has no SQLSTATE for the sum of it
    return getattr(error, "sqlstate", None) in PASSWORD_REFUSED or "password authentication failed" in str(error)


def refused(error: Exception) -> bool:
    """Whether the store said no, so that the write is certainly not there."""
    if isinstance(error, redis.ReadOnlyError | redis.sentinel.MasterNotFoundError | NotTried | httpx.HTTPStatusError):
        return True
    return isinstance(error, psycopg.errors.ReadOnlySqlTransaction | psycopg.errors.CannotConnectNow)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="drills.ledger", description=(__doc__ or "").split("\n\n")[0])
    stores = parser.add_subparsers(dest="store", required=True)
    flags = {
        "postgres": ("--hosts", "--database", "--user"),
        "redis": ("--sentinels", "--master", "--user"),
        "orders": ("--api", "--run"),
    }
    for name, needed in flags.items():
        store = stores.add_parser(name, help=f"write to {name}" if name != "orders" else "place orders over the API")
        for flag in needed:
            store.add_argument(flag, required=True)
        store.add_argument("--password-file", type=Path, required=True, help="its whole content is the password or key")
        store.add_argument("--acked", type=Path, required=True, help="the ledger file")
    store.add_argument("--signed", action="store_true", help="sign each request with the key, which is not sent then")
    args = parser.parse_args()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    writer = {"postgres": postgres_writer, "redis": redis_writer, "orders": orders_writer}[args.store]
    with writer(args) as write:
        run(write, args.acked, lambda: not stopped, pause_s=ORDER_PAUSE_S if args.store == "orders" else PAUSE_S)


if __name__ == "__main__":
    main()
