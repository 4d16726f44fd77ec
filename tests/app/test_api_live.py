"""The API on a running market: feed, engine and API as processes, shared by the tests of this file."""

import time
from collections.abc import Iterator

import pytest

from tests.app.client import get, kinds, order, post
from tests.app.fix_stage import make_stage
from tests.app.servers import Postgres, RedisSet, eventually
from tests.app.stage import Role, Stage

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_set: RedisSet) -> Iterator[Stage]:
    """A feed and an engine that trades."""
    stage = make_stage(tmp_path_factory.mktemp("market"), postgres, redis_set)
    stage.start("marketdata")
    stage.trade()
    eventually(lambda: stage.query("SELECT count(*) FROM feed_progress") == [(1,)], 40, "bars")
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def api(market: Stage) -> Role:
    """An API on it."""
    return market.start("api")


def test_api_order_is_traded_by_the_engine(market: Stage, api: Role) -> None:
    body = order(quantity=5)
    first, second = post(api, body), post(api, body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    path = f"/v1/orders/{first.json()['id']}"
    eventually(lambda: get(api, path).json()["status"] == "FILLED", 15, "the order is filled")
    assert kinds(api, path) == ["INITIALIZED", "SUBMITTED", "ACCEPTED", "FILLED"]
    [position] = get(api, "/v1/positions?account=main").json()["positions"]
    assert (position["symbol"], position["quantity"], position["product"]) == ("INFY", 5, "MIS")
    assert position["average_price"] == get(api, path).json()["average_price"]
    quotes = get(api, "/v1/quotes").json()["quotes"]
    assert {quote["source"] for quote in quotes} == {"synthetic"}
    assert len(quotes) == 50
    assert float(get(api, "/v1/quotes/M%26M").json()["last"]) > 0
    assert get(api, "/v1/quotes/NOWHERE").json()["code"] == "QUOTE_NOT_FOUND"


def test_api_answers_of_placing(market: Stage, api: Role) -> None:
    body = order()
    assert post(api, body).status_code == 201
    reused = post(api, body | {"quantity": 2})
    assert (reused.status_code, reused.json()["code"]) == (409, "CLIENT_ORDER_ID_REUSED")
    for _ in range(2):
        denied = post(api, order(client_order_id="big", quantity=20_000))
        assert (denied.status_code, denied.json()["code"]) == (422, "RISK_QTY")
        assert denied.json()["detail"] == "qty=20000 max=10000"
    assert get(api, f"/v1/orders/{denied.json()['order_id']}").json()["status"] == "DENIED"
    assert post(api, order(symbol="NOWHERE")).json()["code"] == "RISK_SYMBOL"
    missing = get(api, "/v1/orders/00000000-0000-0000-0000-000000000000")
    assert (missing.status_code, missing.json()["code"]) == (404, "ORDER_NOT_FOUND")


def test_orders_are_listed_in_pages(market: Stage, api: Role) -> None:
    for number in range(5):
        assert post(api, order(client_order_id=f"p{number}", symbol="WIPRO", quantity=number + 1)).status_code == 201
        time.sleep(0.11)
    seen: list[str] = []
    cursor = ""
    while True:
        page = get(api, f"/v1/orders?account=main&symbol=WIPRO&limit=2{cursor}").json()
        seen += [found["client_order_id"] for found in page["orders"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["p4", "p3", "p2", "p1", "p0"]
    assert get(api, "/v1/orders?symbol=WIPRO&status=DENIED").json()["orders"] == []
