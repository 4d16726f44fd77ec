"""Orders, trades and positions over HTTP, on a real PostgreSQL."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.app.fix_api import KEY, Api, Caller
from tests.app.test_domain import AT
from tests.app.test_storage import accepted, fill
from trading.domain.events import Filled
from trading.domain.orders import Order, OrderType, Product, Side
from trading.security.principal import Role
from trading.storage import orders

pytestmark = pytest.mark.cluster
LIMIT: dict[str, Any] = {
    "order_type": OrderType.LIMIT,
    "limit_price": Decimal("99.00"),
    "market_protection_percent": None,
}
TICKET = {"symbol": "RELIANCE", "side": "BUY", "quantity": 10, "product": "CNC"}
REPORTS = ("summary", "pnl", "equity", "exposure")
NOBODYS = "00000000-0000-0000-0000-000000000000"


def held(api: Api, quantity: int = 10, *, account: str = "main", product: Product = Product.CNC) -> Order:
    """A position of the account, by one fill at 100.10."""
    with api.stage.connect() as connection:
        orders.open_account(connection, account)
        order = accepted(connection, account=account, client_order_id="held", quantity=quantity, product=product)
        return orders.append(connection, order, fill(f"{account}-{product}", quantity))


def working(api: Api, name: str = "working", **changes: object) -> Order:
    """An order that waits at the venue."""
    with api.stage.connect() as connection:
        return accepted(connection, client_order_id=name, **(LIMIT | changes))


def test_preview_tells_charges_and_verdict_and_books_nothing(api: Api) -> None:
    body = api.done(api.call("POST", "/orders/preview", TICKET), 200)
    assert (body["is_allowed"], body["code"], body["price"], body["position"]) == (True, None, "100", 0)
    assert Decimal(body["value"]) == 1000
    charges = {name: Decimal(value) for name, value in body["charges"].items()}
    assert charges.pop("total") == sum(charges.values()) > 0
    denied = api.done(api.call("POST", "/orders/preview", TICKET | {"quantity": 20_000}), 200)
    assert (denied["is_allowed"], denied["code"], denied["detail"]) == (False, "RISK_QTY", "qty=20000 max=10000")
    assert api.get("/orders")["orders"] == []


def test_modify_asks_for_new_terms_once(api: Api) -> None:
    path = f"/orders/{working(api).order_id}"
    for _ in range(2):
        body = api.done(api.call("PATCH", path, {"limit_price": "98.50"}), 202)
        assert body["status"] == "PENDING_MODIFY"
    events = api.get(f"{path}/events")["events"]
    assert [event["kind"] for event in events] == ["INITIALIZED", "SUBMITTED", "ACCEPTED", "MODIFY_REQUESTED"]
    assert events[-1]["data"]["limit_price"] == "98.50"
    api.refused(api.call("PATCH", path, {"limit_price": "98.00"}), 409, "ORDER_BUSY")


def test_modify_is_held_to_the_same_rules_as_placing(api: Api) -> None:
    path = f"/orders/{working(api).order_id}"
    api.refused(api.call("PATCH", path, {"limit_price": "50.00"}), 422, "RISK_DEVIATION")
    api.refused(api.call("PATCH", path, {"trigger_price": "99.00"}), 422, "ORDER_INVALID")
    assert api.get(path)["status"] == "ACCEPTED"


def test_cancel_is_safe_to_repeat_and_an_end_is_an_end(api: Api) -> None:
    path = f"/orders/{working(api).order_id}"
    for _ in range(2):
        assert api.done(api.call("POST", f"{path}/cancel"), 202)["status"] == "PENDING_CANCEL"
    filled = f"/orders/{held(api).order_id}"
    api.refused(api.call("POST", f"{filled}/cancel"), 409, "ORDER_OVER")
    api.refused(api.call("PATCH", filled, {"quantity": 20}), 409, "ORDER_OVER")


def test_cancel_all_takes_the_account_and_symbol_that_are_named(api: Api) -> None:
    other = working(api, account="main")
    with api.stage.connect() as connection:
        orders.open_account(connection, "asha")
    order = working(api, account="asha")
    assert api.done(api.call("POST", "/orders/cancel", {"symbol": "INFY"}), 202)["orders"] == []
    body = {"account": "asha", "symbol": "RELIANCE", "reason": "end of the test"}
    [found] = api.done(api.call("POST", "/orders/cancel", body), 202)["orders"]
    assert (found["id"], found["status"]) == (str(order.order_id), "PENDING_CANCEL")
    assert api.get(f"/orders/{order.order_id}/events")["events"][-1]["data"] == {"reason": "end of the test"}
    assert api.get(f"/orders/{other.order_id}")["status"] == "ACCEPTED"


def test_orders_and_events_come_in_pages_without_a_gap(api: Api) -> None:
    made = [str(working(api, f"w{number}").order_id) for number in range(5)]
    seen, path = [], "/orders?limit=2"
    page = api.get(path)
    while True:
        seen += [order["id"] for order in page["orders"]]
        if page["next_cursor"] is None:
            break
        working(api, f"late{len(seen)}")  # a new order in front does not shift what follows
        page = api.get(f"{path}&cursor={page['next_cursor']}")
    assert seen == made[::-1]
    events = api.get(f"/orders/{made[0]}/events?limit=2")
    rest = api.get(f"/orders/{made[0]}/events?limit=2&cursor={events['next_cursor']}")
    assert [event["seq"] for event in events["events"] + rest["events"]] == [1, 2, 3]
    assert rest["next_cursor"] is None


def test_trades_are_listed_newest_first_in_pages(api: Api) -> None:
    with api.stage.connect() as connection:
        order = accepted(connection, quantity=10)
        for number in range(1, 4):
            order = orders.append(connection, order, fill(f"t{number}", number))
    first = api.get("/trades?limit=2")
    second = api.get(f"/trades?limit=2&cursor={first['next_cursor']}")
    assert [trade["trade_id"] for trade in first["trades"] + second["trades"]] == ["t3", "t2", "t1"]
    assert second["next_cursor"] is None
    [trade] = second["trades"]
    assert (trade["quantity"], trade["price"], trade["symbol"]) == (1, "100.10", "RELIANCE")
    assert len(api.get(f"/trades?order_id={order.order_id}")["trades"]) == 3
    assert api.get(f"/trades?order_id={NOBODYS}")["trades"] == []


def test_closing_sells_what_is_held_and_no_more_however_often(api: Api) -> None:
    held(api)
    body = {"symbol": "RELIANCE", "product": "CNC"}
    [order] = api.done(api.call("POST", "/positions/close", body), 201)["orders"]
    assert (order["side"], order["quantity"], order["type"], order["status"]) == ("SELL", 10, "MARKET", "INITIALIZED")
    assert api.done(api.call("POST", "/positions/close", body), 201)["orders"] == []


def test_closing_at_once_by_many_closes_once(api: Api) -> None:
    held(api)

    def close(_: int) -> int:
        answer = api.client.application.test_client().post(
            "/v1/positions/square-off", json={"product": None}, headers=KEY
        )
        return len(api.done(answer, 201)["orders"])

    with ThreadPoolExecutor(4) as many:
        assert sorted(many.map(close, range(4))) == [0, 0, 0, 1]


def test_square_off_leaves_delivery_alone_unless_it_is_asked_for(api: Api) -> None:
    held(api)
    assert api.done(api.call("POST", "/positions/square-off", {}), 201)["orders"] == []
    [order] = api.done(api.call("POST", "/positions/square-off", {"product": None}), 201)["orders"]
    assert order["product"] == "CNC"


def test_large_position_is_closed_by_several_orders(api: Api) -> None:
    """More rupees than one order may have; equal parts are no duplicates."""
    with api.stage.connect() as connection:
        for number in range(3):
            order = accepted(connection, client_order_id=f"h{number}", quantity=8000)
            orders.append(connection, order, Filled("paper", f"t{number}", 8000, Decimal(100), AT))
    found = api.done(api.call("POST", "/positions/square-off", {"product": "CNC"}), 201)["orders"]
    assert [order["status"] for order in found] == ["INITIALIZED"] * 3
    assert sum(order["quantity"] for order in found) == 24_000


def test_same_key_gives_the_first_answer_and_does_it_once(api: Api) -> None:
    held(api)
    body = {"symbol": "RELIANCE", "product": "CNC"}
    first = api.call("POST", "/positions/close", body, Idempotency_Key="close-1")
    again = api.call("POST", "/positions/close", body, Idempotency_Key="close-1")
    assert (first.status_code, first.get_json()) == (again.status_code, again.get_json())
    assert len(first.get_json()["orders"]) == 1
    other = api.call("POST", "/positions/close", body | {"product": "MIS"}, Idempotency_Key="close-1")
    api.refused(other, 409, "IDEMPOTENCY_KEY_REUSED")
    elsewhere = api.call("POST", "/positions/square-off", body, Idempotency_Key="close-1")
    assert elsewhere.status_code in (409, 422)


def test_key_of_a_request_that_was_refused_is_free_again(api: Api) -> None:
    body = {"account": "nobody", "symbol": "RELIANCE", "product": "CNC"}
    api.refused(api.call("POST", "/positions/close", body, Idempotency_Key="k"), 404, "ACCOUNT_NOT_FOUND")
    assert api.call("POST", "/positions/close", body | {"account": "main"}, Idempotency_Key="k").status_code == 201


def test_keys_are_each_callers_own(api: Api, caller: Caller) -> None:
    for name in ("asha", "ravi"):
        caller.be(Role.TRADER, "main", name=name)
        body = {"product": "CNC" if name == "asha" else "MIS"}
        assert api.call("POST", "/positions/square-off", body, Idempotency_Key="mine").status_code == 201


def test_another_account_is_as_if_it_were_not_there(api: Api, caller: Caller) -> None:
    """Every id and account of one crossed with another caller (OWASP API1)."""
    order = held(api, account="ravi")
    waiting = working(api, account="ravi")
    caller.be(Role.ADMIN, "asha")
    for path in (f"/orders/{order.order_id}", f"/orders/{order.order_id}/events"):
        api.refused(api.call("GET", path), 404, "ORDER_NOT_FOUND")
    api.refused(api.call("POST", f"/orders/{waiting.order_id}/cancel"), 404, "ORDER_NOT_FOUND")
    api.refused(api.call("PATCH", f"/orders/{waiting.order_id}", {}), 404, "ORDER_NOT_FOUND")
    bodies: list[tuple[str, dict[str, object]]] = [
        ("/orders", TICKET | {"client_order_id": "x"}),
        ("/orders/preview", TICKET),
        ("/orders/cancel", {}),
        ("/positions/close", {"symbol": "RELIANCE", "product": "CNC"}),
        ("/positions/square-off", {}),
    ]
    for path, body in bodies:
        api.refused(api.call("POST", path, body | {"account": "ravi"}), 404, "ACCOUNT_NOT_FOUND")
    for path in ("/orders", "/trades", "/positions", *(f"/portfolio/{name}" for name in REPORTS)):
        api.refused(api.call("GET", f"{path}?account=ravi"), 404, "ACCOUNT_NOT_FOUND")
    assert api.get("/orders")["orders"] == api.get("/trades")["trades"] == api.get("/positions")["positions"] == []
    assert api.get("/accounts")["accounts"] == []
    assert api.get("/orders?is_open=true")["next_cursor"] is None


def test_who_may_only_look_changes_nothing(api: Api, caller: Caller) -> None:
    """Every operation of a higher role, and before the body is looked at (OWASP API5)."""
    caller.be(Role.VIEWER)
    waiting = working(api)
    for method, path in (
        ("POST", "/orders"),
        ("POST", "/orders/cancel"),
        ("POST", f"/orders/{waiting.order_id}/cancel"),
        ("PATCH", f"/orders/{waiting.order_id}"),
        ("POST", "/positions/close"),
        ("POST", "/positions/square-off"),
        ("POST", "/backtests"),
        ("PUT", "/risk/state"),
        ("POST", "/strategies/ema-crossover/enable"),
        ("POST", "/strategies/ema-crossover/disable"),
        ("PUT", "/strategies/ema-crossover/parameters"),
    ):
        api.refused(api.call(method, path, {"nonsense": True}), 403, "ROLE_REFUSED")
    assert api.get(f"/orders/{waiting.order_id}")["status"] == "ACCEPTED"


def test_order_in_an_account_that_is_not_there(api: Api) -> None:
    answer = api.call("POST", "/orders", TICKET | {"client_order_id": "x", "account": "nobody"})
    api.refused(answer, 404, "ACCOUNT_NOT_FOUND")
    time.sleep(0.11)
    body = api.done(api.call("POST", "/orders", TICKET | {"client_order_id": "x", "account": "main"}), 201)
    assert (body["account"], body["side"]) == ("main", Side.BUY)
