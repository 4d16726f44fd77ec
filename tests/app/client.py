"""Calls of a running API."""

import itertools

import httpx

from tests.app.asking import ask
from tests.app.credentials import Credentials
from tests.app.stage import Role

KEY = {"X-API-Key": Credentials.values("api")["a"]}
COUNTER = itertools.count()


def order(**changes: object) -> dict[str, object]:
    body = {"client_order_id": f"c{next(COUNTER)}", "symbol": "INFY", "side": "BUY", "quantity": 1}
    return body | changes


def post(api: Role, body: dict[str, object]) -> httpx.Response:
    return ask("POST", f"http://127.0.0.1:{api.port}/v1/orders", KEY, body)


def get(api: Role, path: str) -> httpx.Response:
    return ask("GET", f"http://127.0.0.1:{api.port}{path}", KEY)


def kinds(api: Role, path: str) -> list[str]:
    """The kinds of an order's events."""
    return [event["kind"] for event in get(api, f"{path}/events").json()["events"]]
