"""A client that tries to write to every member of PostgreSQL at once, and keeps who acknowledged what when.

    python -m drills.watcher --hosts H:P,H:P --database D --user U --password-file F

One line an acknowledged write on standard output: `<begun> <acknowledged> <member> <timeline>`, times in seconds since
the epoch by one clock. A write leaves nothing but a record in the log, and waits for its standbys like any other. This
file needs nothing but psycopg, so that a pod can run it as it is.
"""

import argparse
import itertools
import signal
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psycopg

PAUSE_S = 0.2
WRITE = """
select case when not pg_is_in_recovery() then substr(pg_walfile_name(pg_logical_emit_message(true, 'drill', '')), 1, 8)
end
"""


class Seen(NamedTuple):
    """A write that a member acknowledged: it took writes at some moment between the two."""

    begun: float
    acked: float
    member: str
    timeline: str


def read(text: str) -> list[Seen]:
    """The whole lines of what a watcher wrote."""
    found = []
    for line in text.splitlines(keepends=True):
        if line.endswith("\n") and not line.startswith("#"):
            begun, acked, member, timeline = line.split()
            found.append(Seen(float(begun), float(acked), member, timeline))
    return found


def conflicts(seen: Iterable[Seen]) -> list[str]:
    """Where two members took writes at one time, or wrote under one timeline; empty as it should be.

    A member that leaves a timeline never writes on it again. So it took writes from the first to the last that it
    acknowledged on one timeline, also in between.
    """
    spans: dict[tuple[str, str], tuple[float, float]] = {}
    for each in seen:
        first, last = spans.get((each.member, each.timeline), (each.acked, each.begun))
        spans[each.member, each.timeline] = min(first, each.acked), max(last, each.begun)
    found = []
    for ((one, here), (begin, end)), ((other, there), (start, stop)) in itertools.combinations(spans.items(), 2):
        if one != other and here == there:
            found.append(f"{one} and {other} both wrote on timeline {here}")
        elif one != other and max(begin, start) < min(end, stop):
            found.append(f"{one} on timeline {here} and {other} on {there} took writes at one time")
    return found


def watch(host: str, args: argparse.Namespace) -> None:
    """Write to one member for ever, as often as it lets us."""
    name, port = host.split(":")
    password = args.password_file.read_text().strip()
    while True:
        try:
            with psycopg.connect(
                host=name, port=port, dbname=args.database, user=args.user, password=password, autocommit=True,
                connect_timeout=2, tcp_user_timeout=4000, keepalives_idle=2, keepalives_interval=1, keepalives_count=2,
                application_name="drill-watcher",
            ) as connection:  # fmt: skip
                while True:
                    note(connection, name.partition(".")[0])
                    time.sleep(PAUSE_S)
        except psycopg.Error:
            time.sleep(PAUSE_S)


def note(connection: psycopg.Connection, member: str) -> None:
    """One write, and its line when it is acknowledged; a standby takes none. Raises `psycopg.Error`."""
    begun = time.time()
    row = connection.execute(WRITE).fetchone()
    if row and row[0]:
        sys.stdout.write(f"{begun:.3f} {time.time():.3f} {member} {row[0]}\n")
        sys.stdout.flush()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="drills.watcher", description=(__doc__ or "").split("\n\n")[0])
    for flag in ("--hosts", "--database", "--user"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    args = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    for host in args.hosts.split(","):
        threading.Thread(target=watch, args=(host, args), daemon=True).start()
    stopped.wait()


if __name__ == "__main__":
    main()
