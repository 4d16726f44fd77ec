"""How long the engine takes from its start until it trades again, with many orders in its history.

    make bench-restart        (ORDERS=100000)

The orders are real rows with real events, most of them filled, a few hundred open. The clock runs from the start of the
process to the first step of the market that it has played. One JSON line at the end; exit 1 when it is over the limit.
"""

import argparse
import json
import sys
import time
from decimal import Decimal

from bench.stage import TRADERS, durable_stage
from tests.app.servers import eventually
from tests.app.stage import Stage
from trading.domain.orders import MARKET_PROTECTION_PERCENT, OrderRequest, OrderType, Product, Side, TimeInForce
from trading.storage.orders import columns

LIMIT_S = 10.0
OPEN = 200
SYMBOL = "RELIANCE"
EVENTS = (
    ("INITIALIZED", "{}"),
    ("SUBMITTED", "{}"),
    ("ACCEPTED", '{"venue_order_id": "%s", "market_time": null}'),
    (
        "FILLED",
        '{"venue": "paper", "trade_id": "%s", "quantity": 10, "price": "100", "charges": "0.1", '
        '"market_time": "2026-01-05T09:15:00+05:30"}',
    ),
)


def request(number: int) -> OrderRequest:
    """One of the history."""
    return OrderRequest(
        account="main",
        client_order_id=f"history-{number}",
        symbol=SYMBOL,
        side=Side.BUY if number % 2 else Side.SELL,
        order_type=OrderType.MARKET,
        product=Product.MIS,
        time_in_force=TimeInForce.DAY,
        quantity=10,
        market_protection_percent=MARKET_PROTECTION_PERCENT,
    )


def fill(stage: Stage, orders: int) -> None:
    """Put so many orders into the database, the last `OPEN` of them open."""
    requests = [request(number) for number in range(orders)]
    names = ", ".join(columns(requests[0]))
    with stage.postgres.admin(stage.database) as admin, admin.cursor() as cursor:
        with cursor.copy(f"COPY orders (id, {names}, status, seq, filled_quantity, filled_value) FROM STDIN") as copy:
            for number, one in enumerate(requests):
                done = ("FILLED", 4, 10, Decimal(1000)) if number < orders - OPEN else ("ACCEPTED", 3, 0, Decimal(0))
                copy.write_row([one.order_id, *columns(one).values(), *done])
        [(day,)] = cursor.execute("SELECT max(day) FROM orders").fetchall()
        with cursor.copy("COPY order_event (order_id, day, seq, kind, payload, venue, trade_id) FROM STDIN") as copy:
            for number, one in enumerate(requests):
                for seq, (kind, payload) in enumerate(EVENTS[: 4 if number < orders - OPEN else 3], start=1):
                    trade = ("paper", f"t{number}") if kind == "FILLED" else (None, None)
                    copy.write_row([one.order_id, day, seq, kind, payload.replace("%s", f"t{number}"), *trade])
        cursor.execute("ANALYZE")


def played(stage: Stage) -> int:
    """The last step that was played."""
    return int(stage.query("SELECT coalesce(max(step), 0) FROM feed_progress")[0][0])


def measure(orders: int) -> float:
    """Seconds from the start of the engine to its first step."""
    with durable_stage() as stage:
        stage.start("marketdata", TRADING_FEED_SPEED="5")
        fill(stage, orders)
        begin = time.monotonic()
        for role in TRADERS:
            stage.launch(role)
        eventually(lambda: played(stage) > 0, 120, "the engine trades")
        return time.monotonic() - begin


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.restart", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000, help="in the history (default 100000)")
    orders = parser.parse_args().orders
    seconds = measure(orders)
    report = {"bench": "restart", "orders": orders, "open": OPEN, "trading_again_s": round(seconds, 2)}
    print(json.dumps(report | {"limit_s": LIMIT_S, "pass": seconds < LIMIT_S}))
    sys.exit(seconds >= LIMIT_S)


if __name__ == "__main__":
    main()
