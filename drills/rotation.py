"""Rotate every kind of credential under load, with a failover in the middle: is anybody refused?

    make drill-rotation                       (FAULTS=3 rotations of each, STACK=local, CONFIRM=stack)

Signed requests come from outside the pods and a client of its own writes to the store, both with the password of
before. The last rotation of each kind meets a failover. Epochs are higher in the stack's file afterwards, as after any
rotation. Exit 1 when a request or a login was refused, or an acknowledged write is lost.
"""

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from drills import ledger, options, requests
from drills.__main__ import report
from drills.faults.base import Fault, nothing
from drills.faults.postgres import primary
from drills.faults.redis import MAX_LAG_S, master
from drills.run import Outcome
from drills.stores import STORES
from drills.target import POSTGRES, REDIS, Late, Target, eventually, find, guard
from drills.writer import writing
from toolchain.kit.console import main_guard, say
from toolchain.kit.paths import ROOT
from toolchain.platform.smoke import forwarded

BUDGET_S = 25.0
MOVING = "to move"
REFUSALS = re.compile("password authentication failed|no pg_hba.conf entry|role .* is not permitted to log in")
DENIED = re.compile(r"acl_access_denied_auth:(\d+)")


@dataclass(frozen=True)
class Class:
    """One kind of rotation.

    Attributes:
        what: as of `trading rotate`.
        store: which one the client writes to.
        leader: the pod that the failover takes away.
        may_lose: as of `Fault`, by the failover alone.
    """

    what: str
    store: str
    leader: Callable[[Target], str]
    may_lose: float = 0.0

    def fault(self) -> Fault:
        """What the report calls it."""
        what = f"rotation of {self.what}"
        return Fault(self.what, what, lambda _: nothing, BUDGET_S, self.leader, may_lose=self.may_lose)


CLASSES = (
    Class("database", "postgres", primary),
    Class("redis", "redis", master, MAX_LAG_S),
    Class("api-keys", "postgres", primary),
)


def main() -> int:
    """Command line."""
    parser = options.counting("drills.rotation", __doc__, of="rotations of each kind")
    parser.add_argument("--class", dest="name", default="", choices=["", *(c.what for c in CLASSES)], help="one kind")
    args = parser.parse_args()
    guard(args.stack, args.confirm)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    target = find(args.stack)
    outcomes = []
    for one in CLASSES:
        for number in range(1, args.faults + 1 if args.name in ("", one.what) else 0):
            outcomes.append(rotated(target, one, failover=number == args.faults))
            if not outcomes[-1].settled:
                break
    return 0 if report("rotation", outcomes) else 1


def rotated(target: Target, one: Class, *, failover: bool) -> Outcome:
    """One rotation under load."""
    store = STORES[one.store]
    store.settle(target)
    store.books(target)  # what an interrupted drill has left
    key = target.credential("api")[1]
    denied, since = redis_denied(target), datetime.now(UTC)
    with tempfile.TemporaryDirectory() as scratch, forwarded(target) as api:
        path = Path(scratch) / "ledger"
        with (
            writing(target, one.store, path, beside=target.node_of(one.leader(target))) as writer,
            requests.requesting(api, key, requests.a_symbol(api, key)) as answers,
        ):
            begun_at = time.time()
            trouble = rotate(target, one, failover=failover)
            ended_at = time.time()
            try:
                writer.wait(store.writes, 60)
            except Late as error:
                trouble = f"{trouble} {error}".strip()
        entries = ledger.read(path)
    settled = True
    try:
        store.settle(target)
    except Late as error:
        settled, trouble = False, f"{trouble} {error}".strip()
    counted = ledger.compare(entries, store.books(target).found)
    logins = postgres_refusals(target, since) + more(denied, redis_denied(target))
    met = " with a failover" if failover else ""
    say(
        f"rotation of {one.what}{met}: {ended_at - begun_at:.1f} s, {answers.total} requests, "
        f"{answers.refused} refused, {answers.errors} failed otherwise {dict(sorted(answers.by_status.items()))}, "
        f"{logins} logins refused by the stores, {counted.acked} writes acked, {counted.lost} lost"
    )
    whole = counted._replace(refused_auth=counted.refused_auth + answers.refused + logins)
    outage_s = ledger.outage_s(entries, begun_at)
    back = ledger.steps_back(entries)
    return Outcome(one.fault(), outage_s, whole, back, entries, begun_at, ended_at, trouble, settled=settled)


def rotate(target: Target, one: Class, *, failover: bool) -> str:
    """`trading rotate`, with the leader deleted while nodes and clients move; returns what went wrong."""
    argv = [sys.executable, "-m", "trading.rotation", one.what, "--stack", target.stack]
    struck = not failover
    with subprocess.Popen(
        argv, cwd=ROOT, env=dict(target.tools.env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        last = ""
        for line in process.stderr or ():
            last = line.strip()
            say(f"  {last}")
            if not struck and MOVING in line:
                target.kubectl("delete", "pod", one.leader(target), "--force", "--grace-period=0")
                struck = True
    if process.returncode:
        return last
    return "" if struck else "all had moved before the failover"


def postgres_refusals(target: Target, since: datetime) -> int:
    """Logins that PostgreSQL refused since then, by the logs of its members."""
    at = since.isoformat(timespec="seconds").replace("+00:00", "Z")
    logs = [target.kubectl("logs", pod, "-c", "patroni", f"--since-time={at}") for pod in target.names(POSTGRES)]
    return sum(len(REFUSALS.findall(log)) for log in logs)


def redis_denied(target: Target) -> dict[str, int]:
    """Data node to the logins that it has refused since it started."""

    def denied(pod: str) -> int:
        found = DENIED.search(eventually(lambda: target.redis_cli(pod, "INFO", "stats"), 60, f"an answer of {pod}"))
        return int(found[1]) if found else 0

    return {pod: denied(pod) for pod in target.names(REDIS)}


def more(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """How much counters have grown; one that is smaller than before has begun anew."""
    grown = {pod: count - before.get(pod, 0) for pod, count in after.items()}
    return sum(after[pod] if by < 0 else by for pod, by in grown.items())


if __name__ == "__main__":
    main_guard(main)
