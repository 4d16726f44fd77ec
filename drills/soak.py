"""Faults of all classes in a random order, for a while, under a client of each store: what is left in the end.

    make drill-soak MINUTES=60 SEED=1

Every ledger must be clean, nobody may have had to help, and nothing may be left behind: no replication slot, pod,
volume or connection. One line of JSON at the end; exit 1 when something is wrong. ^C heals what is broken and ends it.
"""

import contextlib
import json
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drills import ledger, options, orders, stores
from drills.faults.base import Fault
from drills.run import Books, Store
from drills.stores import STORES
from drills.target import Late, Target, find, guard
from drills.writer import Writer, writing
from toolchain.kit.console import ToolError, main_guard, result, say

MOST_S = 300.0  # for a client to have writes acknowledged again
AGAIN = 5
SLOTS = "select coalesce(string_agg(slot_name, ', '), '') from pg_replication_slots where not active"
SESSIONS = """
select count(*) filter (where backend_type = 'client backend'),
  count(*) filter (where state like 'idle in transaction%' and state_change < now() - interval '1 minute')
from pg_stat_activity
"""


@dataclass(frozen=True)
class Inventory:
    """What there is of the things that can be left behind.

    Attributes:
        pods: names, without what a Deployment makes up.
        volumes: claims by name, and the volumes behind them.
        idle_slots: replication slots that nobody reads.
        sessions: of clients in PostgreSQL.
        stuck: those that hold a transaction open for more than a minute.
    """

    pods: Counter[str]
    volumes: frozenset[str]
    idle_slots: str
    sessions: int
    stuck: int


@dataclass(frozen=True)
class Kept:
    """What became of the writes of one client: the fields are those of the JSON line."""

    acked: int
    lost: int
    duplicated: int
    unknown: int
    longest_s: float
    trouble: str = ""


def main() -> int:
    """Command line."""
    parser = options.parser("drills.soak", __doc__)
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N", help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="of the order of faults; a printed one by default")
    args = parser.parse_args()
    if args.minutes <= 0:
        parser.error(f"--minutes {args.minutes:g}: must be above 0")
    guard(args.stack, args.confirm)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is broken is healed, as after ^C
    target = find(args.stack)
    orders.paper_only(target)
    seed = random.randrange(10**6) if args.seed is None else args.seed  # noqa: S311  no secret
    say(f"soak of stack {args.stack}: {args.minutes:g} min, SEED={seed}")
    return 0 if soak(target, args.minutes * 60, random.Random(seed)) else 1  # noqa: S311


def soak(target: Target, seconds: float, dice: random.Random) -> bool:
    """Break and heal until the time is over, then look; whether all is well."""
    settle(target)
    for store in STORES.values():
        store.books(target)  # what an interrupted drill has left
    before = inventory(target)
    home = target.node_of(target.names(stores.CLIENTS_BESIDE)[0])
    deadline, done, trouble = time.monotonic() + seconds, Counter[str](), ""
    with tempfile.TemporaryDirectory() as scratch:
        with contextlib.ExitStack() as clients:
            writers = [
                clients.enter_context(writing(target, store.client, Path(scratch) / store.client, on=home))
                for store in STORES.values()
            ]
            try:
                for store, fault in drawn(target, dice, home):
                    if time.monotonic() > deadline:
                        break
                    done[f"{store.name} {fault.name}"] += 1
                    say(f"  {time.strftime('%H:%M:%S')} {store.name} {fault.name}: {broken(target, fault, writers)}")
            except Late as error:
                trouble = str(error)
        entries = {store.name: ledger.read(Path(scratch) / store.client) for store in STORES.values()}
    with contextlib.suppress(Late):
        settle(target)
    kept = {name: judged(entries[name], store, store.books(target), done) for name, store in STORES.items()}
    left = left_behind(before, inventory(target))
    report(target, done, kept, left, trouble)
    return not (trouble or left or any(one.trouble for one in kept.values()))


def drawn(target: Target, dice: random.Random, home: str) -> Iterator[tuple[Store, Fault]]:
    """Classes at random, for ever: one of nodes only where these are ours, and not of the clients' own."""
    classes = [(store, fault) for store in STORES.values() for fault in store.faults]
    while True:
        store, fault = dice.choice(classes)
        if not fault.needs_nodes or (target.own_nodes and target.node_of(fault.victim(target)) != home):
            yield store, fault


def broken(target: Target, fault: Fault, writers: Sequence[Writer]) -> str:
    """Break, wait until every client writes again, heal, wait until all is whole; how long that took."""
    begin = time.monotonic()
    heal = fault.inject(target)
    try:
        for writer in writers:
            writer.wait(AGAIN, MOST_S)
        clients_s = time.monotonic() - begin
        time.sleep(max(0.0, fault.hold_s - clients_s))
    finally:
        heal()
    settle(target)
    return f"all clients write after {clients_s:.0f} s, whole after {time.monotonic() - begin:.0f} s"


def settle(target: Target) -> None:
    """Wait until stores and roles are whole, while orders go on coming in."""
    for store in STORES.values():
        store.settle(target)


def judged(entries: list[ledger.Entry], store: Store, books: Books, done: Counter[str]) -> Kept:
    """The writes of one client against what its store has. Pure."""
    found = ledger.compare(entries, books.found)
    may_lose = sum(fault.may_lose * done[f"{store.name} {fault.name}"] for fault in store.faults) / ledger.PAUSE_S
    problems = [books.trouble] if books.trouble else []
    if found.lost > may_lose:
        problems.append(f"{found.lost} acknowledged writes lost, {may_lose:.0f} may be")
    if found.duplicated:
        problems.append(f"{found.duplicated} writes doubled")
    if found.refused_auth:
        problems.append(f"{found.refused_auth} logins refused")
    if back := ledger.steps_back(entries):
        problems.append(f"two primaries took writes at one time: {back}")
    return Kept(found.acked, found.lost, found.duplicated, found.unknown, round(found.gap_s, 1), "; ".join(problems))


def inventory(target: Target) -> Inventory:
    """What is there now."""
    claims = json.loads(target.kubectl("get", "pvc", "-o", "json"))["items"]
    sessions, stuck = target.psql(SESSIONS.replace("\n", " "))[0]
    return Inventory(
        pods=Counter(owner(pod) for pod in json.loads(target.kubectl("get", "pods", "-o", "json"))["items"]),
        volumes=frozenset(f"{c['metadata']['name']} ({c['spec'].get('volumeName', 'unbound')})" for c in claims),
        idle_slots=target.psql(SLOTS)[0][0],
        sessions=int(sessions),
        stuck=int(stuck),
    )


def owner(pod: dict[str, Any]) -> str:
    """What a pod is one of: its owner's name; of a job, which come and go by schedule, none. Pure."""
    owners = pod["metadata"].get("ownerReferences", [{"kind": "", "name": pod["metadata"]["name"]}])
    return "a job" if owners[0]["kind"] == "Job" else str(owners[0]["name"])


def left_behind(before: Inventory, after: Inventory) -> list[str]:
    """What is there after that was not there before. Pure.

    Sessions come and go with pools: twice as many as before are no coincidence.
    """
    pods = (after.pods - before.pods) - Counter({"a job": after.pods["a job"]})
    missing = (before.pods - after.pods) - Counter({"a job": before.pods["a job"]})
    found = [f"{count} pods more of {name}" for name, count in pods.items()]
    found += [f"{count} pods fewer of {name}" for name, count in missing.items()]
    found += [f"volume {name}" for name in sorted(after.volumes - before.volumes)]
    if after.idle_slots:
        found.append(f"replication slots that nobody reads: {after.idle_slots}")
    if after.stuck:
        found.append(f"{after.stuck} sessions hold a transaction open")
    if after.sessions > 2 * before.sessions:
        found.append(f"{after.sessions} sessions in PostgreSQL, {before.sessions} before")
    return found


def usage(target: Target) -> list[str]:
    """Memory and restarts of each pod, a line each; memory is `?` where the kubelet may not be asked."""
    memory: dict[str, int] = {}
    pods = json.loads(target.kubectl("get", "pods", "-o", "json"))["items"]
    for node in sorted({str(pod["spec"]["nodeName"]) for pod in pods if "nodeName" in pod["spec"]}):
        with contextlib.suppress(ToolError):
            seen = json.loads(target.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
            for pod in seen["pods"]:
                memory[pod["podRef"]["name"]] = pod.get("memory", {}).get("workingSetBytes", 0) // 1024**2
    return [
        f"  {pod['metadata']['name']:44} {memory.get(pod['metadata']['name'], '?'):>5} MiB  "
        f"{sum(c['restartCount'] for c in pod['status'].get('containerStatuses', []))} restarts"
        for pod in pods
    ]


def report(target: Target, done: Counter[str], kept: dict[str, Kept], left: list[str], trouble: str) -> None:
    """The table, and one line of JSON."""
    for line in usage(target):
        result(line)
    for name, one in kept.items():
        result(
            f"  {name:9} {one.acked:7} acked  {one.lost} lost  {one.duplicated} doubled  {one.unknown} unknown  "
            f"longest pause {one.longest_s} s  {one.trouble or 'ok'}"
        )
    passed = not (trouble or left or any(one.trouble for one in kept.values()))
    facts = {"drill": "soak", "faults": done.total(), "classes": len(done), "left_behind": left, "trouble": trouble}
    result(json.dumps(facts | {name: asdict(one) for name, one in kept.items()} | {"pass": passed}))


if __name__ == "__main__":
    main_guard(main)
