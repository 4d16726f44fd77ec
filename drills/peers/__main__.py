"""The same faults against the platform and against plain setups on the same cluster, side by side.

    make drill-peers      (FAULTS=n of each class, CLASS=name for one, STACK=local)

Plain is Patroni and Sentinel with every parameter at its default, in a namespace of their own that goes afterwards.
A table and one JSON line; exit 1 when the platform misses a budget. What plain does is told, not judged.
"""

import json
import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from drills import options
from drills.peers.plain import plain, stores
from drills.run import Outcome, Store, run_series
from drills.stores import STORES
from drills.summary import Summary, aligned, by_class, problems, summary
from drills.target import Target, find, guard
from toolchain.kit.console import main_guard, result, say

CLASSES = {
    "postgres": ("pod-delete", "sigkill", "hang", "switchover", "double-failure", "node-loss", "isolation"),
    "redis": ("pod-delete", "sigkill", "hang", "switchover", "all-restarted", "node-loss", "isolation"),
}
SETUPS = ("ours", "plain")  # an operator would be a third


class Row(NamedTuple):
    """One class of faults of one store, by setup."""

    store: str
    fault: str
    by_setup: dict[str, Summary]


def main() -> int:
    """Command line."""
    parser = options.counting("drills.peers", __doc__)
    parser.add_argument("--class", dest="name", default="", help="one class of faults; those that tell by default")
    args = parser.parse_args()
    telling = [narrowed(store, args.name) for store in STORES.values() if store.name in CLASSES]
    if not any(store.faults for store in telling):
        parser.error(
            f"--class {args.name}: must be one of {', '.join(sorted({c for s in CLASSES.values() for c in s}))}"
        )
    guard(args.stack, args.confirm)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    target = find(args.stack)
    found = {"ours": [series(target, store, args.faults) for store in telling]}
    with plain(target) as peer:
        found["plain"] = [series(peer, store, args.faults) for store in stores(telling)]
    for store in telling:
        store.settle(target)
    rows = side_by_side(telling, found)
    result(table(rows))
    passed = not any(problems(group) for outcomes in found["ours"] for group in by_class(outcomes).values())
    result(line(rows, passed=passed))
    return 0 if passed else 1


def narrowed(store: Store, name: str) -> Store:
    """A store with the classes that are compared, or with one of them."""
    wanted = [name] if name else CLASSES[store.name]
    return replace(store, faults=[f for f in store.faults if f.name in wanted])


def series(target: Target, store: Store, count: int) -> list[Outcome]:
    """Every fault of a store, so many times."""
    say(f"{store.name} in namespace {target.namespace}")
    return run_series(target, store, store.faults, count)


def side_by_side(telling: Sequence[Store], found: dict[str, list[list[Outcome]]]) -> list[Row]:
    """A row for each class that was run."""
    rows = []
    for number, store in enumerate(telling):
        groups = {setup: by_class(outcomes[number]) for setup, outcomes in found.items()}
        for fault in groups["ours"]:
            rows.append(Row(store.name, fault, {s: summary(fault, g[fault]) for s, g in groups.items() if fault in g}))
    return rows


def table(rows: Sequence[Row]) -> str:
    """A line a class: for each setup the recovery in the middle and at worst, and what was lost."""
    head = ["store", "class", *(f"{setup} {what}" for setup in SETUPS for what in ("p50 s", "max s", "acked", "lost"))]
    lines = [head]
    for row in rows:
        cells = [row.store, row.fault]
        for setup in SETUPS:
            one = row.by_setup.get(setup)
            cells += (
                [f"{one.rto_p50_s:.1f}", f"{one.rto_max_s:.1f}", str(one.acked), str(one.lost)] if one else ["-"] * 4
            )
        lines.append(cells)
    widths = [max(len(cells[column]) for cells in lines) for column in range(len(head))]
    return "\n".join("  ".join(aligned(cells, widths, left=(0, 1))) for cells in lines)


def line(rows: Sequence[Row], *, passed: bool) -> str:
    """The one line that a machine reads."""
    names = ("faults", "rto_p50_s", "rto_p95_s", "rto_max_s", "acked", "lost", "duplicated", "unknown", "two_primaries")
    return json.dumps(
        {
            "drill": "peers",
            "classes": [
                {"store": row.store, "class": row.fault}
                | {setup: {name: getattr(one, name) for name in names} for setup, one in row.by_setup.items()}
                for row in rows
            ],
            "pass": passed,
        }
    )


if __name__ == "__main__":
    main_guard(main)
