"""One fault, and a series of them: break, watch the client, heal, wait until all is as before, compare the ledger."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drills import ledger, watcher
from drills.faults.base import Fault
from drills.target import Late, Target
from drills.writer import Writer, writing
from toolchain.kit.console import ToolError, say

AFTER_WRITES = 100
NEVER_ABOVE_S = 300.0


@dataclass(frozen=True)
class Store:
    """What a drill writes to.

    Attributes:
        name: "postgres" or "redis".
        faults: the classes that there are.
        settle: waits until the store is whole.
        found: the keys of the ledger that the store has, which are then removed.
    """

    name: str
    faults: Sequence[Fault]
    settle: Callable[[Target], None]
    found: Callable[[Target], list[int]]


@dataclass(frozen=True)
class Outcome:
    """What one fault did.

    Attributes:
        rto_s: how long the client was without acknowledged writes, seconds.
        steps_back: writes of an older timeline after a newer one's, and pairs of members that took writes at one time.
        entries: the client's ledger.
        fault_at, healed_at: seconds since the epoch.
        trouble: why it counts as failed apart from numbers; empty when there is nothing.
        settled: whether all was as before in the end; a drill goes no further from a platform that is not whole.
    """

    fault: Fault
    rto_s: float
    report: ledger.Report
    steps_back: int
    entries: Sequence[ledger.Entry]
    fault_at: float
    healed_at: float
    trouble: str = ""
    settled: bool = True

    @property
    def lost_too_many(self) -> bool:
        """Whether more was lost than the class may lose: the writes of so many seconds at the pace of the client."""
        return self.report.lost > self.fault.may_lose / ledger.PAUSE_S


def run_one(target: Target, store: Store, fault: Fault) -> Outcome:
    """Inject a fault under load; always heals, also when interrupted."""
    store.settle(target)
    store.found(target)  # what an interrupted drill has left
    victim = fault.victim(target)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "ledger"
        with writing(target, store.name, path, beside=target.node_of(victim)) as writer:
            fault_at, healed_at, trouble = struck(target, fault, writer)
            with contextlib.suppress(Late):
                writer.wait(AFTER_WRITES, 30)
        entries = ledger.read(path)
        both = watcher.conflicts(watcher.read(writer.watched.read_text())) if writer.watched.exists() else []
    trouble = "; ".join(filter(None, (trouble, *both)))
    settled = True
    try:
        store.settle(target)
    except Late as error:
        settled, trouble = False, f"{trouble} {error}".strip()
    report = ledger.compare(entries, store.found(target))
    rto_s = ledger.outage_s(entries, fault_at)
    back = ledger.steps_back(entries) + len(both)
    return Outcome(fault, rto_s, report, back, entries, fault_at, healed_at, trouble, settled=settled)


def struck(target: Target, fault: Fault, writer: Writer) -> tuple[float, float, str]:
    """Break, wait for writes to be acknowledged again, heal: when it broke and was healed, and what went wrong."""
    fault_at, trouble = time.time(), ""
    heal = fault.inject(target)
    try:
        begin = time.monotonic()
        try:
            time.sleep(1)
            writer.wait(AFTER_WRITES, NEVER_ABOVE_S)
        except Late as error:
            trouble = str(error)
        time.sleep(max(0.0, fault.hold_s - (time.monotonic() - begin)))
    finally:
        heal()
    return fault_at, time.time(), trouble


def run_series(target: Target, store: Store, faults: Sequence[Fault], count: int) -> list[Outcome]:
    """Each fault so many times, with a line of progress for each."""
    outcomes: list[Outcome] = []
    for fault in faults:
        if fault.needs_nodes and not target.own_nodes:
            say(f"{store.name} {fault.name}: left out, it needs the local cluster's nodes")
            continue
        for number in range(1, count + 1):
            outcome = run_one(target, store, fault)
            outcomes.append(outcome)
            say(line(store.name, number, count, outcome))
            if not outcome.settled:
                return outcomes
    return outcomes


def line(store: str, number: int, count: int, outcome: Outcome) -> str:
    """One fault in one line."""
    report = outcome.report
    return (
        f"{store} {outcome.fault.name} {number}/{count}: back after {outcome.rto_s:.2f} s, {report.acked} acked, "
        f"{report.lost} lost, {report.duplicated} doubled, {report.unknown} unknown {outcome.trouble}".rstrip()
    )


def chosen(store: Store, name: str) -> Sequence[Fault]:
    """The classes of a name, all for an empty one; raises `ToolError` for a name that none has."""
    if not name:
        return store.faults
    found = [fault for fault in store.faults if fault.name == name]
    if not found:
        names = ", ".join(fault.name for fault in store.faults)
        raise ToolError(f"CLASS={name}: {store.name} has no such class of faults; give one of {names}")
    return found
