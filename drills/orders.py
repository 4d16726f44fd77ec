"""What the platform's books say of the orders that a drill has placed, and whether they agree with themselves."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drills.faults import postgres, redis
from drills.ledger import Entry
from drills.run import Books
from drills.target import Target, eventually
from toolchain.kit.console import ToolError
from trading.domain.errors import TradingError
from trading.domain.events import Filled, from_payload
from trading.domain.lifecycle import fold
from trading.domain.orders import MARKET_PROTECTION_PERCENT, OrderRequest, OrderType, Product, Side, Status, TimeInForce

PAUSE_S = 1.0
"""An order waits for its check, a commit on two disks and an answer: only what is longer is a pause."""

ROLES = ("api", "cache", "engine", "execution", "marketdata", "risk", "scheduler")
ON_THEIR_WAY = "('INITIALIZED', 'SUBMITTED', 'UNKNOWN', 'PENDING_MODIFY', 'PENDING_CANCEL')"
MINE = """
  o.client_order_id LIKE 'drill-%' AND split_part(o.client_order_id, '-', 2) = (
    SELECT split_part(client_order_id, '-', 2) FROM orders
    WHERE client_order_id LIKE 'drill-%' ORDER BY number DESC LIMIT 1)
"""
"""The orders of the newest run."""

ORDERS = f"""
SELECT coalesce(json_agg(json_build_object(
  'key', split_part(o.client_order_id, '-', 3)::int, 'client_order_id', o.client_order_id, 'account', o.account,
  'symbol', o.symbol, 'side', o.side, 'type', o.type, 'product', o.product,
  'time_in_force', o.time_in_force, 'quantity', o.quantity,
  'status', o.status, 'filled', o.filled_quantity,
  'events', (SELECT json_agg(json_build_object('kind', kind, 'payload', payload,
    'at', extract(epoch FROM recorded_at)) ORDER BY seq) FROM order_event WHERE order_id = o.id))), '[]')
FROM orders o WHERE {MINE}
"""  # noqa: S608 - only constants of this file are put in

# The fills of everybody, not of the drill alone: what a position says is the sum of all that was traded. The money of
# a position is what its fills brought in, exactly.
POSITIONS = """
SELECT coalesce(string_agg(symbol || ' of ' || account, ', '), '') FROM (
  SELECT account, symbol, product, sum(quantity) AS quantity, sum(cash) AS cash FROM (
    SELECT o.account, o.symbol, o.product,
      CASE o.side WHEN 'BUY' THEN 1 ELSE -1 END * (e.payload ->> 'quantity')::numeric AS quantity,
      CASE o.side WHEN 'BUY' THEN -1 ELSE 1 END * (e.payload ->> 'quantity')::numeric
        * (e.payload ->> 'price')::numeric AS cash
    FROM order_event e JOIN orders o ON o.id = e.order_id WHERE e.kind = 'FILLED') fills
  GROUP BY account, symbol, product) fold
FULL JOIN position p USING (account, symbol, product)
WHERE fold.quantity IS DISTINCT FROM p.quantity OR fold.cash IS DISTINCT FROM p.realised_pnl - p.cost
"""

HALTS = f"""
SELECT coalesce(string_agg(DISTINCT reason, '; '), '') FROM trading_state_event WHERE state = 'HALTED'
  AND recorded_at > (SELECT min(o.created_at) FROM orders o WHERE {MINE})
"""  # noqa: S608


@dataclass(frozen=True)
class Booked:
    """An order as it is booked.

    Attributes:
        key: its number in the ledger.
        traded_at: when its first trade was booked, seconds since the epoch; None without one.
        trades: venue and id of each trade.
        problem: what contradicts itself; empty when nothing does.
    """

    key: int
    traded_at: float | None
    trades: tuple[str, ...]
    problem: str


def booked(row: Mapping[str, Any]) -> Booked:
    """An order from its row and events, which must lead to what the row says. Pure."""
    events = [(each["at"], from_payload(each["kind"], each["payload"])) for each in row["events"]]
    fills = [(at, event) for at, event in events if isinstance(event, Filled)]
    problem = ""
    try:
        order = fold(request(row), (event for _, event in events))
        if (order.status, order.filled_quantity) != (Status(row["status"]), row["filled"]):
            problem = f"{row['client_order_id']}: is {row['status']}, and {order.status} by its events"
    except TradingError as error:
        problem = f"{row['client_order_id']}: {error}"
    trades = tuple(f"{fill.venue}/{fill.trade_id}" for _, fill in fills)
    return Booked(int(row["key"]), float(fills[0][0]) if fills else None, trades, problem)


def request(row: Mapping[str, Any]) -> OrderRequest:
    """What was asked for. Pure."""
    return OrderRequest(
        account=row["account"],
        client_order_id=row["client_order_id"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        order_type=OrderType(row["type"]),
        product=Product(row["product"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        quantity=row["quantity"],
        market_protection_percent=MARKET_PROTECTION_PERCENT,
    )


def judged(orders: Sequence[Booked], wrong_positions: str, halts: str) -> str:
    """What is wrong with the books, in one line; empty when nothing is. Pure."""
    trades = [trade for order in orders for trade in order.trades]
    found = [order.problem for order in orders if order.problem][:3]
    if len(trades) > len(set(trades)):
        found.append(f"{len(trades) - len(set(trades))} trades are booked twice")
    if wrong_positions:
        found.append(f"positions are not the sum of their fills: {wrong_positions}")
    if halts:
        found.append(f"the platform has halted: {halts}")
    return "; ".join(found)


def books(target: Target) -> Books:
    """The orders of the newest run. They stay: what was traded is never deleted."""
    orders = [booked(row) for row in json.loads(text(target, ORDERS))]
    trouble = judged(orders, text(target, POSITIONS), text(target, HALTS))
    return Books([order.key for order in orders], list(traded(orders)), trouble)


def traded(orders: Iterable[Booked]) -> Iterable[Entry]:
    """When each was traded, in the order of time. Pure."""
    times = sorted((order.traded_at, order.key) for order in orders if order.traded_at is not None)
    return (Entry(at, key, "traded") for at, key in times)


def text(target: Target, sql: str) -> str:
    """The one value that a query has, whatever is in it."""
    return "\n".join("|".join(row) for row in target.psql(sql))


def wait_for_trade(target: Target, within_s: float) -> None:
    """Wait until an order that is placed from now on has traded; raises `Late` when there is none in time."""
    newest = "SELECT coalesce(max(number), 0) FROM orders"
    begun = eventually(lambda: text(target, newest), within_s, "an answer of the primary")
    newer = f"""SELECT count(*) FROM order_event e JOIN orders o ON o.id = e.order_id
        WHERE {MINE} AND o.number > {begun} AND e.kind = 'FILLED'"""  # noqa: S608  a number of ours
    eventually(lambda: text(target, newer) != "0", within_s, "a trade of a new order")


def settle(target: Target) -> None:
    """Wait until every role and store is whole, and no order of the drill is on its way any more."""
    postgres.settle(target)
    redis.settle(target)
    for role in ROLES:
        eventually(lambda role=role: whole(target, role), 420, f"every pod of role {role}")  # type: ignore[misc]
    newest = text(target, "SELECT coalesce(max(number), 0) FROM orders")  # a client that goes on places more
    waiting = f"SELECT count(*) FROM orders o WHERE {MINE} AND number <= {newest} AND status IN {ON_THEIR_WAY}"  # noqa: S608
    eventually(lambda: text(target, waiting) == "0", 60, "an end of orders that are on their way")


def whole(target: Target, role: str) -> bool:
    """Whether a role has the pods that it should, all ready, and none that is going."""
    found = json.loads(target.kubectl("get", "deployment", f"trading-{role}", "-o", "json"))
    pods = target.pods(f"app.kubernetes.io/name=trading,app.kubernetes.io/component={role}")
    return bool(len(pods) == found["status"].get("readyReplicas", 0) == found["spec"]["replicas"])


def paper_only(target: Target) -> None:
    """Raises `ToolError` for a platform whose orders go to a broker in earnest."""
    broker = target.setting("execution", "TRADING_BROKER")
    if broker not in ("", "paper"):
        raise ToolError(f"stack {target.stack} trades at broker {broker!r}: a drill places orders on paper only")
