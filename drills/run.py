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

NEVER_ABOVE_S = 300.0
TRADE_PAUSE_S = 2.0


@dataclass(frozen=True)
class Books:
    """What a store has after a fault, beside what the client noted.

    Attributes:
        found: the keys of the ledger that the store has, as often as it has them.
        traded: when orders were traded, as entries of the outcome `traded`.
        trouble: what is wrong with the books in themselves; empty when nothing is.
    """

    found: list[int]
    traded: Sequence[ledger.Entry] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Store:
    """What a drill writes to.

    Attributes:
        name: what the drill is called.
        client: what its client writes to: "postgres", "redis" or "orders".
        faults: the classes that there are.
        settle: waits until the store is whole.
        books: what the store has of the ledger, which is then removed if it can be.
        writes: how many writes must be acknowledged before, and after a fault is healed.
        resumed: waits until what follows an acknowledged write goes on too, so many seconds at most.
        pause_s: longest time between two acknowledged writes that is no outage, seconds.
    """

    name: str
    client: str
    faults: Sequence[Fault]
    settle: Callable[[Target], None]
    books: Callable[[Target], Books]
    writes: int = 100
    resumed: Callable[[Target, float], None] = lambda _target, _within_s: None
    pause_s: float = 0.5


@dataclass(frozen=True)
class Outcome:
    """What one fault did.

    Attributes:
        rto_s: how long the client was without acknowledged writes, seconds.
        trade_rto_s: how long no order was traded, seconds; None where nothing is traded.
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
    trade_rto_s: float | None = None

    @property
    def lost_too_many(self) -> bool:
        """Whether more was lost than the class may lose: the writes of so many seconds at the pace of the client."""
        return self.report.lost > self.fault.may_lose / ledger.PAUSE_S


def run_one(target: Target, store: Store, fault: Fault) -> Outcome:
    """Inject a fault under load; always heals, also when interrupted."""
    store.settle(target)
    store.books(target)  # what an interrupted drill has left
    victim = fault.victim(target)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "ledger"
        with writing(target, store.client, path, beside=target.node_of(victim)) as writer:
            fault_at, healed_at, trouble = struck(target, store, fault, writer)
            with contextlib.suppress(Late):
                writer.wait(store.writes, 30)
        entries = ledger.read(path)
        both = watcher.conflicts(watcher.read(writer.watched.read_text())) if writer.watched.exists() else []
    trouble = "; ".join(filter(None, (trouble, *both)))
    settled = True
    try:
        store.settle(target)
    except Late as error:
        settled, trouble = False, f"{trouble} {error}".strip()
    books = store.books(target)
    entries = sorted([*entries, *books.traded], key=lambda entry: entry.at)
    return Outcome(
        fault,
        rto_s=ledger.outage_s(entries, fault_at, pause_s=store.pause_s),
        report=ledger.compare(entries, books.found),
        steps_back=ledger.steps_back(entries) + len(both),
        entries=entries,
        fault_at=fault_at,
        healed_at=healed_at,
        trouble=f"{trouble} {books.trouble}".strip(),
        settled=settled,
        trade_rto_s=traded_again_s(entries, fault_at) if books.traded else None,
    )


def traded_again_s(entries: list[ledger.Entry], fault_at: float) -> float:
    """How long no order was traded; a market that goes on step by step has pauses of its own."""
    return ledger.outage_s(entries, fault_at, pause_s=TRADE_PAUSE_S, outcome="traded")


def struck(target: Target, store: Store, fault: Fault, writer: Writer) -> tuple[float, float, str]:
    """Break, wait for writes to be acknowledged again, heal: when it broke and was healed, and what went wrong."""
    fault_at, trouble = time.time(), ""
    heal = fault.inject(target)
    try:
        begin = time.monotonic()
        try:
            time.sleep(1)
            writer.wait(store.writes, NEVER_ABOVE_S)
            store.resumed(target, NEVER_ABOVE_S)
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
    traded = "" if outcome.trade_rto_s is None else f", traded again after {outcome.trade_rto_s:.2f} s"
    return (
        f"{store} {outcome.fault.name} {number}/{count}: back after {outcome.rto_s:.2f} s, {report.acked} acked, "
        f"{report.lost} lost, {report.duplicated} doubled, {report.unknown} unknown{traded} {outcome.trouble}".rstrip()
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
