"""How long an order takes from the API to the event that two servers have on disk, under a steady load.

    make bench-orders         (ARGS="--rates 50 200 --seconds 60")

The API is a process of its own and so are the engine and the feed, so that orders are traded meanwhile; every commit
waits for a synchronous standby, with fsync on both. Orders leave on a fixed timetable and each is timed from the moment
at which it should have left: a queue counts as latency. Any answer but 201 is an error. One JSON line at the end; exit
1 when there was an error.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from itertools import count
from statistics import quantiles
from typing import NamedTuple

from bench.stage import TRADERS, durable_stage
from tests.app.client import KEY
from tests.app.servers import eventually
from tests.app.stage import Stage

THREADS = 16
LEAD = 245  # bars that are played at once in the beginning
ACKNOWLEDGED = (
    "SELECT extract(epoch FROM a.recorded_at - i.recorded_at) FROM order_event i JOIN order_event a USING (order_id) "
    "JOIN orders o ON o.id = i.order_id WHERE i.kind = 'INITIALIZED' AND a.kind = 'ACCEPTED' "
    "AND o.client_order_id LIKE 'bench-{rate}-%'"
)


class Result(NamedTuple):
    """One order: seconds until it was acknowledged, and the HTTP status (0 for no answer)."""

    seconds: float
    status: int


def body(name: str, number: int, symbols: list[str]) -> bytes:
    """An order that differs from the few hundred before it, and that the next one undoes."""
    order = {
        "client_order_id": name,
        "symbol": symbols[number // 2 % len(symbols)],
        "side": "SELL" if number % 2 else "BUY",
        "type": "MARKET",
        "product": "MIS",
        "quantity": 1 + number // (2 * len(symbols)) % 5,
    }
    return json.dumps(order).encode()


def load(port: int, rate: int, seconds: int, symbols: list[str]) -> list[Result]:
    """Place orders at a rate; returns what became of each."""
    numbers, begin = count(), time.monotonic() + 0.5
    headers = {**KEY, "Content-Type": "application/json"}

    def worker(_: int) -> list[Result]:
        found = []
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        with closing(connection):
            while (number := next(numbers)) < rate * seconds:
                due = begin + number / rate
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    connection.request("POST", "/v1/orders", body(f"bench-{rate}-{number}", number, symbols), headers)
                    response = connection.getresponse()
                    response.read()
                    status = response.status
                except (HTTPException, OSError):
                    connection.close()
                    status = 0
                found.append(Result(time.monotonic() - due, status))
        return found

    with ThreadPoolExecutor(THREADS) as threads:
        return [result for part in threads.map(worker, range(THREADS)) for result in part]


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """p50 and p95 in milliseconds."""
    cuts = quantiles(seconds, n=100)
    return round(cuts[49] * 1000, 1), round(cuts[94] * 1000, 1)


def measure(stage: Stage, port: int, rate: int, seconds: int) -> dict[str, object]:
    """The figures of one rate."""
    symbols = [str(symbol) for (symbol,) in stage.query("SELECT symbol FROM instrument ORDER BY symbol")]
    results = load(port, rate, seconds, symbols)
    statuses = Counter(result.status for result in results)
    p50, p95 = percentiles([result.seconds for result in results])
    to_venue = [float(value) for (value,) in stage.query(ACKNOWLEDGED.format(rate=rate))]
    venue_p50, venue_p95 = percentiles(to_venue)
    return {
        "rate": rate,
        "seconds": seconds,
        "orders": len(results),
        "errors": len(results) - statuses[201],
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
        "p50_ms": p50,
        "p95_ms": p95,
        "at_venue": len(to_venue),
        "to_venue_p50_ms": venue_p50,
        "to_venue_p95_ms": venue_p95,
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.orders", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[50, 200], help="orders a second (default 50 200)")
    parser.add_argument("--seconds", type=int, default=60, help="of load at each rate (default 60)")
    args = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the start")
    with durable_stage() as stage:
        stage.env["TRADING_FEED_SPEED"] = "1"  # bars of each symbol a second: sixty times that of a real market
        stage.start("marketdata")
        for role in TRADERS:
            stage.start(role)
        api = stage.start("api", TRADING_MAX_ORDERS_A_SECOND="1000", TRADING_REQUESTS_A_MINUTE="1000000")
        eventually(lambda: int(stage.query("SELECT max(step) FROM feed_progress")[0][0] or 0) > LEAD, 120, "bars")
        load(api.port, 7, 3, ["RELIANCE"])  # connections and caches are warm
        with stage.postgres.admin(stage.database) as admin:
            admin.execute("ANALYZE")  # as autovacuum has after the first minute
        runs = [measure(stage, api.port, rate, args.seconds) for rate in args.rates]
    for run in runs:
        print(f"{run['rate']:>4} orders/s: p50 {run['p50_ms']} ms, p95 {run['p95_ms']} ms, errors {run['errors']}")
    is_clean = not any(run["errors"] for run in runs)
    print(json.dumps({"bench": "orders", "runs": runs, "pass": is_clean}))
    sys.exit(not is_clean)


if __name__ == "__main__":
    main()
