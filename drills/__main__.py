"""Break a running platform under load, and see what its clients see.

    make drill | drill-postgres | drill-redis | drill-engine   (FAULTS=n of each class, CLASS=name for one, STACK=local)

A table and one JSON line for each drill; a page with timelines in .local/drills/. Exit 1 when a budget is missed.
"""

import signal

from drills import options, orders, page
from drills.run import Outcome, Store, chosen, run_series
from drills.stores import STORES
from drills.summary import summary, table
from drills.target import find, guard
from toolchain.kit.console import main_guard, result, say
from toolchain.kit.paths import LOCAL


def main() -> int:
    """Command line."""
    parser = options.counting("drills", __doc__)
    parser.add_argument("drill", choices=[*STORES, "all"], help="what to break")
    parser.add_argument("--class", dest="name", default="", help="one class of faults; all by default")
    args = parser.parse_args()
    stores = list(STORES.values()) if args.drill == "all" else [STORES[args.drill]]
    plans = [(store, chosen(store, args.name)) for store in stores]
    guard(args.stack, args.confirm)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is broken is healed, as after ^C
    target = find(args.stack)
    if any(store.client == "orders" for store in stores):
        orders.paper_only(target)
    passed = [report(name(store, args.name), run_series(target, store, faults, args.faults)) for store, faults in plans]
    return 0 if all(passed) else 1


def name(store: Store, only: str) -> str:
    """What the drill is called: after its store, and its class when there is only one."""
    return f"{store.name}-{only}" if only else store.name


def report(drill: str, outcomes: list[Outcome]) -> bool:
    """Print what came out, and keep it as a page; whether it is good enough."""
    result(table(drill, outcomes))
    say(f"page: {page.write(LOCAL / 'drills', drill, outcomes)}")
    one = summary(drill, outcomes)
    result(one.json())
    return one.passed


if __name__ == "__main__":
    main_guard(main)
