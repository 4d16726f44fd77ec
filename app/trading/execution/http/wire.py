"""What goes over the wire to an HTTP broker and what comes back, as pure functions.

The shape is what Indian brokers' APIs have in common: form-encoded orders with a tag, an order book and a trade book as
JSON, `{"status": "success", "data": …}` or `{"status": "error", "error_type": …, "message": …}`, and calls back that
carry a checksum.
"""

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.costs.table import CostTable
from trading.domain.events import Filled
from trading.domain.orders import ZERO, Order, OrderType, Product, Side, Terms
from trading.domain.prices import parse_decimal
from trading.execution.broker import VenueOrder, VenueState, tag_of
from trading.marketdata.bars import IST

# The broker's own words for "no, and nothing was done". Whatever else it says leaves a doubt.
REFUSALS = frozenset(
    {"InputException", "OrderException", "MarginException", "HoldingException", "UserException", "TokenException"}
)
STATES = {
    "OPEN": VenueState.WORKING,
    "TRIGGER PENDING": VenueState.SLEEPING,
    "COMPLETE": VenueState.FILLED,
    "CANCELLED": VenueState.CANCELLED,
    "REJECTED": VenueState.REJECTED,
    "EXPIRED": VenueState.EXPIRED,
}  # all others are steps between door and exchange
ALL = set(OrderType)
MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class Done:
    """The broker has done it; `data` is what it says."""

    data: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker has said no, definitively."""

    reason: str


@dataclass(frozen=True, slots=True)
class Busy:
    """The broker has not looked at it, because it was asked too often."""

    reason: str = "HTTP 429: more requests than the broker takes"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Nobody knows whether it was done."""

    reason: str


Reply = Done | Refused | Busy | Doubt


def reply(status: int, body: bytes) -> Reply:
    """What a response means; only words that are the broker's own beyond doubt are definitive.

    An error page of something between us and the broker, a redirect, 5xx, or half a JSON is doubt, and so is a success
    that does not say what of.
    """
    if status == 429:
        return Busy()
    try:
        answer = json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return Doubt(f"HTTP {status}: not JSON")
    if not isinstance(answer, dict):
        return Doubt(f"HTTP {status}: not an answer of the broker")
    if status == 200 and answer.get("status") == "success" and "data" in answer:
        return Done(answer["data"])
    kind, text = answer.get("error_type"), str(answer.get("message", ""))[:MAX_REASON]
    if 400 <= status < 500 and answer.get("status") == "error" and kind in REFUSALS:
        return Refused(f"{kind}: {text}")
    return Doubt(f"HTTP {status}: {answer.get('status')}, {kind}"[:MAX_REASON])


def order_form(order: Order) -> dict[str, str]:
    """The fields that place an order."""
    request = order.request
    form = {
        "exchange": "NSE",
        "tradingsymbol": request.symbol,
        "transaction_type": request.side.value,
        "order_type": request.order_type.value,
        "product": request.product.value,
        "validity": request.time_in_force.value,
        "tag": tag_of(order),
        "algo_id": request.algo_id or "",
    } | terms_form(order.terms)
    if request.market_protection_percent is not None:
        form["market_protection"] = format(request.market_protection_percent, "f")
    return form


def terms_form(terms: Terms) -> dict[str, str]:
    """The fields that a modification may change."""
    named = {"quantity": terms.quantity, "price": terms.limit_price, "trigger_price": terms.trigger_price}
    return {name: format(value, "f" if isinstance(value, Decimal) else "d") for name, value in named.items() if value}


def orders_of(rows: Any, trades: Any, venue: str, costs: CostTable) -> list[VenueOrder]:  # noqa: ANN401 - as it came
    """The order book with its trades.

    Raises:
        ValueError, TypeError, KeyError: a row is not what a row must be.
    """
    if not isinstance(rows, list) or not isinstance(trades, list):
        raise TypeError("the books must be lists")
    fills: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for trade in trades:
        fills[str(trade["order_id"])].append(trade)
    return [_order(row, fills[str(row["order_id"])], venue, costs) for row in rows]


def _order(row: Mapping[str, Any], trades: Sequence[Mapping[str, Any]], venue: str, costs: CostTable) -> VenueOrder:
    quantity = _whole(row["quantity"])
    side, symbol = str(row["transaction_type"]), str(row["tradingsymbol"])
    return VenueOrder(
        tag=str(row.get("tag") or ""),
        venue_order_id=_name(row["order_id"]),
        text=f"{side} {quantity} {symbol}",
        terms=_terms(quantity, row),
        state=STATES.get(str(row["status"]), VenueState.PENDING),
        trades=_fills(row, trades, venue, costs),
        reason=str(row.get("status_message") or "")[:MAX_REASON],
    )


def _terms(quantity: int, row: Mapping[str, Any]) -> Terms:
    kind = str(row["order_type"])
    has_limit = kind not in ALL or OrderType(kind).has_limit
    has_trigger = kind not in ALL or OrderType(kind).has_trigger
    return Terms(
        quantity,
        _price(row.get("price")) if has_limit else None,
        _price(row.get("trigger_price")) if has_trigger else None,
    )


def _fills(
    row: Mapping[str, Any], trades: Sequence[Mapping[str, Any]], venue: str, costs: CostTable
) -> tuple[Filled, ...]:
    """Trade numbers begin anew every day at the exchange, so that the day is a part of the name."""
    found: list[Filled] = []
    value = ZERO
    for trade in sorted(trades, key=lambda trade: (str(trade["fill_timestamp"]), str(trade["trade_id"]))):
        at = datetime.fromisoformat(str(trade["fill_timestamp"])).replace(tzinfo=IST)
        price, quantity = _price(trade["average_price"]), _whole(trade["quantity"])
        if price <= 0 or quantity <= 0:
            raise ValueError(f"trade {trade['trade_id']}: price and quantity must be above 0")
        charges = ZERO
        if row["product"] in set(Product):
            rates = costs.rates(at.date(), Product(row["product"]), Side(row["transaction_type"]))
            charges = rates.total(price * quantity, value)
        value += price * quantity
        found.append(Filled(venue, f"{at:%Y%m%d}-{_name(trade['trade_id'])}", quantity, price, at, charges))
    return tuple(found)


def is_genuine(body: bytes, secret: str) -> bool:
    """Whether a call back is the broker's: its checksum is SHA-256 over order id, its time, and our secret."""
    try:
        told = json.loads(body)
        text = f"{told['order_id']}{told['order_timestamp']}{secret}"
        return hmac.compare_digest(hashlib.sha256(text.encode()).hexdigest().encode(), str(told["checksum"]).encode())
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _price(value: Any) -> Decimal:  # noqa: ANN401 - as it came
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise TypeError(f"{value!r}: must be a price")
    return parse_decimal(str(value))


def _whole(value: Any) -> int:  # noqa: ANN401 - as it came
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r}: must be a whole number")
    return value


def _name(value: Any) -> str:  # noqa: ANN401 - as it came
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r}: must be a name")
    return value


def _no_number(text: str) -> Decimal:
    raise ValueError(f"{text} is no number")
