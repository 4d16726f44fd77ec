"""Lose a table, then the whole cluster, and bring both back from the repository: how long, and what was lost.

    python -m drills.restore --stack local --gib 1

Writes a table of its own into the stack's database, and takes it away again. The second half deletes every member with
its volume: so any stack but local is named once more.
"""

import contextlib
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from components.postgres.names import APP, DATABASE, RESTORE_TEST
from drills import options
from drills.target import guard
from toolchain.kit.console import ToolError, main_guard, result, say
from toolchain.platform.backups import backup, remove_job, start_job, target
from toolchain.platform.kube import Target
from toolchain.platform.restore import restore

TABLE, FILL = "drill_restore", "drill_restore_fill"
BEFORE, AFTER, STREAM = 200, 50, 1000
RTO_BUDGET_S = 300.0
RPO_MARGIN_S = 15.0
READY_S = 1800
SOCKET = ("psql", "-h", "/run/postgresql", "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1")


class Ack(NamedTuple):
    """A write that was acknowledged: its key, and the server's clock then (Unix seconds)."""

    key: int
    at: float


@dataclass(frozen=True)
class Outcome:
    """One half of the drill.

    Attributes:
        name: which.
        seconds: from the loss to the data, or to the first write that is acknowledged again.
        acked: writes that should be there.
        lost: those of them that are not.
        extra: what is there and should not be.
        oldest_lost_s: how long before the loss the oldest lost write was acknowledged.
        passed: whether budgets were kept.
    """

    name: str
    seconds: float
    acked: int
    lost: int
    extra: int
    oldest_lost_s: float
    passed: bool


def main() -> int:
    """Run both halves; exit 1 when one misses its budget."""
    parser = options.parser("drills.restore", __doc__)
    parser.add_argument("--gib", type=float, default=1.0, help="data to fill the database with first (default: 1)")
    args = parser.parse_args()
    where = target(args.stack)
    guard(args.stack, args.confirm)
    sql(where, f"DROP TABLE IF EXISTS {TABLE}, {FILL}; CREATE TABLE {TABLE} (key bigint PRIMARY KEY)")
    outcomes = []
    try:
        fill(where, args.gib)
        backup(args.stack)
        outcomes.append(dropped_table(where))
        outcomes.append(lost_cluster(where, args.stack))
    finally:
        with contextlib.suppress(ToolError):
            sql(where, f"DROP TABLE IF EXISTS {TABLE}, {FILL}")
    report(outcomes)
    return 0 if all(one.passed for one in outcomes) else 1


def sql(where: Target, script: str, *, pod: str = "", container: str = "patroni") -> str:
    """Run SQL over the socket of a pod, the primary when none is given, as the superuser; returns the rows."""
    found = pod or primary(where)
    return where.kubectl("exec", "-i", found, "-c", container, "--", *SOCKET, "-d", DATABASE, stdin=script)


def primary(where: Target) -> str:
    """The pod of the primary. Raises `ToolError` when there is none."""
    found = where.kubectl("get", "pods", "-l", f"app.kubernetes.io/name={APP},role=primary", "-o", "name").split()
    if len(found) != 1:
        raise ToolError(f"{len(found)} pods of stack {where.stack} are the primary")
    return found[0]


def fill(where: Target, gib: float) -> None:
    """Give the database a size; what is written does not compress well, as little does in earnest."""
    rows = int(gib * 1024 * 1024 * 1024 / 1060)
    if rows:
        begin = time.monotonic()
        text = " || ".join(["md5(random()::text)"] * 32)
        sql(where, f"CREATE TABLE {FILL} AS SELECT i, {text} AS filling FROM generate_series(1, {rows}) i")  # noqa: S608
        say(f"  filled with {gib} GiB: {time.monotonic() - begin:.1f} s")


def inserts(first: int, count: int) -> str:
    """SQL that writes so many keys, each in a transaction of its own, and says when each was acknowledged."""
    return "".join(
        f"INSERT INTO {TABLE} VALUES ({key});\n\\echo {key}\nSELECT extract(epoch FROM clock_timestamp());\n"  # noqa: S608
        for key in range(first, first + count)
    )


def acks(text: str) -> list[Ack]:
    """The acknowledged writes in the output of `inserts`: a key, then the clock."""
    words = text.split()
    return [Ack(int(key), float(at)) for key, at in zip(words[::2], words[1::2], strict=False)]


def dropped_table(where: Target) -> Outcome:
    """Write, note the moment, write on, drop the table a second later; restore beside the cluster to that moment."""
    kept = acks(sql(where, inserts(1, BEFORE)))
    moment = sql(where, "SELECT pg_sleep(0.01); SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
                 "'YYYY-MM-DD HH24:MI:SS.US') || '+00'; SELECT pg_sleep(0.01)").split("\n")[1].strip()  # fmt: skip
    sql(where, inserts(BEFORE + 1, AFTER) + f"SELECT pg_sleep(1); DROP TABLE {TABLE}; SELECT pg_switch_wal()")
    begin = time.monotonic()
    with held(where, moment) as pod:
        seconds = time.monotonic() - begin
        found = {int(key) for key in sql(where, f"SELECT key FROM {TABLE}", pod=pod, container="job").split()}  # noqa: S608
    wanted = {ack.key for ack in kept}
    lost, extra = len(wanted - found), len(found - wanted)
    sql(where, f"CREATE TABLE {TABLE} (key bigint PRIMARY KEY)")
    return Outcome("a second before DROP TABLE", seconds, len(wanted), lost, extra, 0.0, not lost and not extra)


@contextlib.contextmanager
def held(where: Target, moment: str) -> Iterator[str]:
    """A server restored beside the cluster, to look into; yields its pod. Raises `ToolError` when it fails."""
    name = f"drill-restore-{random.randrange(10**6)}"  # noqa: S311  a name
    start_job(where, RESTORE_TEST, name, ("--to", moment, "--hold-s", "600"))
    try:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            log = ""
            with contextlib.suppress(ToolError):
                log = where.kubectl("logs", f"job/{name}", "--tail=40")
            if "\nready: " in f"\n{log}":
                break
            status = json.loads(where.kubectl("get", "job", name, "-o", "json"))["status"]
            if status.get("failed"):
                raise ToolError(f"the restore beside the cluster has failed:\n{log}")
            time.sleep(0.5)
        else:
            raise ToolError(f"the restore beside the cluster is not ready after {READY_S} s")
        yield where.kubectl("get", "pods", "-l", f"job-name={name}", "-o", "name").strip()
    finally:
        remove_job(where, name)


def lost_cluster(where: Target, stack: str) -> Outcome:
    """Write, delete every member with its volume at once, restore; what comes back, and when writes do."""
    # what came in before this is archived: only the stream can be lost
    sql(where, "SELECT pg_switch_wal()")
    paced = "SELECT pg_sleep(0.02) \\g /dev/null\nINSERT"
    written = acks(sql(where, inserts(1, STREAM).replace("INSERT", paced)))
    timeout_s = float(sql(where, "SELECT extract(epoch FROM current_setting('archive_timeout')::interval)"))
    begin, lost_at = time.monotonic(), time.time()
    destroy(where)
    say("  every member and volume is gone")
    prober = Prober(where)
    restore(stack, confirm=stack)
    seconds = prober.wait() - begin
    found = {int(key) for key in sql(where, f"SELECT key FROM {TABLE}").split()}  # noqa: S608
    lost = [ack for ack in written if ack.key not in found]
    oldest = max((lost_at - ack.at for ack in lost), default=0.0)
    in_order = [ack.key in found for ack in written] == sorted((ack.key in found for ack in written), reverse=True)
    passed = seconds <= RTO_BUDGET_S and oldest <= timeout_s + RPO_MARGIN_S and in_order
    extra = len(found - {ack.key for ack in written} - {0})
    return Outcome(
        "every member and volume lost", seconds, len(written), len(lost), extra, oldest, passed and not extra
    )


def destroy(where: Target) -> None:
    """Delete the members by force and their volumes, as the loss of a site does."""
    where.kubectl("scale", "statefulset", APP, "--replicas=0")
    where.kubectl("delete", "pods", "-l", f"app.kubernetes.io/name={APP}", "--force", "--grace-period=0")
    where.kubectl("delete", "pvc", "-l", f"app.kubernetes.io/name={APP}")


class Prober:
    """Tries to write, over and over, until a write is acknowledged."""

    def __init__(self, where: Target) -> None:
        self._where = where
        self._done = threading.Event()
        self._at = 0.0
        threading.Thread(target=self._probe, daemon=True).start()

    def _probe(self) -> None:
        while not self._done.is_set():
            with contextlib.suppress(ToolError):
                sql(self._where, f"INSERT INTO {TABLE} VALUES (0) ON CONFLICT DO NOTHING")  # noqa: S608
                self._at = time.monotonic()
                self._done.set()
            time.sleep(0.5)

    def wait(self) -> float:
        """Monotonic time of the first acknowledged write. Raises `ToolError` when there is none."""
        if not self._done.wait(RTO_BUDGET_S):
            raise ToolError("the restored cluster takes no write")
        return self._at


def report(outcomes: Sequence[Outcome]) -> None:
    """The table, and one line of JSON."""
    result(f"  {'loss':30} {'back after':>10} {'acked':>6} {'lost':>5} {'extra':>6} {'oldest lost':>12}")
    for one in outcomes:
        verdict = "ok" if one.passed else "FAILED"
        result(
            f"  {one.name:30} {one.seconds:8.1f} s {one.acked:6} {one.lost:5} {one.extra:6}"
            f" {one.oldest_lost_s:10.1f} s  {verdict}"
        )
    facts = {
        "drill": "restore",
        "rto_s": round(outcomes[-1].seconds, 1),
        "point_in_time_s": round(outcomes[0].seconds, 1),
        "acked": sum(one.acked for one in outcomes),
        "lost": sum(one.lost for one in outcomes),
        "rpo_s": round(outcomes[-1].oldest_lost_s, 1),
        "pass": all(one.passed for one in outcomes),
    }
    result(json.dumps(facts))


if __name__ == "__main__":
    main_guard(main)
