"""The smoke tests themselves: what they call healthy, and that they see what is not."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from toolchain.kit.console import ToolError
from toolchain.platform import smoke
from toolchain.platform.kube import cluster_flags

QUOTE = {"symbol": "ACC", "bid": "1000.00", "last": "1000.10", "source": "synthetic"}


class Api:
    """An API that keeps its promises unless told otherwise."""

    def __init__(self, **broken: object) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.broken = broken

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = request.url.path
        if path in self.broken:
            wrong = self.broken[path]
            return wrong if isinstance(wrong, httpx.Response) else httpx.Response(200, json=wrong)
        if path.startswith("/health"):
            return httpx.Response(200, json={"status": "ok", "checks": {"database": "ok"}})
        if path == "/v1/quotes":
            return httpx.Response(200, json={"quotes": [QUOTE]})
        if request.method == "POST":
            return self.place(json.loads(request.content))
        found = [order for order in self.orders.values() if path == f"/v1/orders/{order['id']}"]
        return httpx.Response(200, json=found[0]) if found else httpx.Response(404)

    def place(self, body: dict[str, Any]) -> httpx.Response:
        """The same client order id is the same order."""
        key = f"{len(self.orders)}" if self.broken.get("doubles") else body["client_order_id"]
        known = key in self.orders
        order = {"id": f"id-{len(self.orders)}", "status": self.broken.get("status", "CANCELLED"), **body}
        return httpx.Response(200 if known else 201, json=self.orders.setdefault(key, order))


def outcomes(api: Api, *, read_only: bool = False) -> dict[str, smoke.Outcome]:
    """Every check of the API, tried once."""
    with httpx.Client(base_url="http://api", transport=httpx.MockTransport(api)) as client:
        checks = smoke.api_checks(client, read_only=read_only)
        return {name: smoke.run(name, check, time.monotonic()) for name, check in checks.items()}


def test_a_healthy_platform_passes_and_the_order_is_one() -> None:
    api = Api()
    found = outcomes(api)
    assert [name for name, outcome in found.items() if outcome.passed] == ["live", "ready", "quote", "order"]
    assert len(api.orders) == 1
    assert found["quote"].detail == "1 symbols, ACC 1000.10 (synthetic)"


def test_the_order_stays_below_the_market_and_leaves_nothing_working() -> None:
    api = Api()
    outcomes(api)
    (order,) = api.orders.values()
    assert (order["type"], order["time_in_force"], order["quantity"]) == ("LIMIT", "IOC", 1)
    assert Decimal(order["limit_price"]) <= Decimal(950)
    assert Decimal(order["limit_price"]) % 5 == 0


def test_read_only_places_no_order() -> None:
    api = Api()
    assert "order" not in outcomes(api, read_only=True)
    assert api.orders == {}


@pytest.mark.parametrize(
    ("broken", "check", "reason"),
    [
        ({"/health/ready": httpx.Response(503, text="database away")}, "ready", "answers 503: database away"),
        ({"/v1/quotes": {"quotes": []}}, "quote", "no symbol has a quote yet"),
        ({"/v1/quotes": {"quotes": [{**QUOTE, "bid": "3"}]}}, "order", "no symbol has a bid that an order can stay"),
        ({"/v1/orders": httpx.Response(401, text="KEY_REFUSED")}, "order", "answers 401: KEY_REFUSED"),
        ({"doubles": True}, "order", "sent twice made two orders: id-0, id-1"),
        ({"status": "SUBMITTED"}, "order", "order id-0 is still SUBMITTED: no engine has taken it"),
        ({"/health/live": httpx.Response(200, text="<html>")}, "live", "an answer that is not this platform's"),
        ({"/v1/quotes": {"other": 1}}, "quote", "an answer that is not this platform's: KeyError('quotes')"),
    ],
)
def test_what_is_broken_is_named(broken: dict[str, object], check: str, reason: str) -> None:
    outcome = outcomes(Api(**broken))[check]
    assert not outcome.passed
    assert reason in outcome.detail


def test_a_check_is_repeated_until_it_passes() -> None:
    answers: Iterator[Exception | str] = iter([smoke.Failed("not yet"), ToolError("not yet"), "ready"])

    def check() -> str:
        time.sleep(0.01)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    outcome = smoke.run("x", check, time.monotonic() + 30)
    assert (outcome.passed, outcome.detail) == (True, "ready")
    assert outcome.seconds >= 2 * smoke.POLL_S + 0.03


PASSWORD = "hunter2"


def kubectl(answers: dict[str, str], seen: list[tuple[str, ...]] | None = None) -> Callable[..., str]:
    """A kubectl whose answer is that of the first key that is among the arguments."""

    def call(*args: str, stdin: str | None = None) -> str:
        if seen is not None:
            seen.append(args)
        if "secret" in args:
            values = {"a": "old", "b": PASSWORD, "current": "b"}
            return json.dumps({"data": {k: base64.b64encode(v.encode()).decode() for k, v in values.items()}})
        if stdin is not None:
            assert stdin == f"AUTH trading {PASSWORD}\nROLE\n"
        return next((text for key, text in answers.items() if key in args), "")

    return call


PRIMARY = f"{smoke.POSTGRES},role=primary"


def test_a_primary_with_a_synchronous_standby() -> None:
    answers = {PRIMARY: "postgres-1", "postgres-1": "postgres-0 quorum\npostgres-2 quorum\n"}
    assert smoke.postgres(kubectl(answers)) == "primary postgres-1, synchronous postgres-0, postgres-2"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({}, "0 pods are labelled as the primary: none"),
        ({PRIMARY: "postgres-0 postgres-1"}, "2 pods are labelled as the primary: postgres-0, postgres-1"),
        ({PRIMARY: "postgres-0"}, "has no synchronous standby, so no commit returns; it has none"),
        ({PRIMARY: "postgres-0", "postgres-0": "postgres-1 async"}, "it has {'postgres-1': 'async'}"),
    ],
)
def test_a_database_that_would_not_commit(answers: dict[str, str], reason: str) -> None:
    with pytest.raises(smoke.Failed) as caught:
        smoke.postgres(kubectl(answers))
    assert reason in str(caught.value)


NODES = {smoke.REDIS: "redis-0 redis-1"}
MASTER = "OK\nmaster\n3129659\n10.96.0.7\n6379\n3129242\n"
ALONE = "OK\nmaster\n3129659\n"
REPLICA = "OK\nslave\n10.96.0.6\n6379\nconnected\n3167038\n"


def test_a_master_whom_all_follow_and_the_password_is_no_argument() -> None:
    seen: list[tuple[str, ...]] = []
    answers = {**NODES, "redis-0": REPLICA, "redis-1": MASTER}
    assert smoke.redis(kubectl(answers, seen)) == "master redis-1, 1 replicas"
    assert not [args for args in seen if any(PASSWORD in arg for arg in args)]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"redis-0": REPLICA, "redis-1": REPLICA}, "0 of 2 data nodes are masters: none"),
        ({"redis-0": MASTER, "redis-1": MASTER}, "2 of 2 data nodes are masters: redis-0, redis-1"),
        ({"redis-0": ALONE, "redis-1": REPLICA}, "master redis-0 has 0 replicas of 1"),
        ({"redis-0": "WRONGPASS invalid", "redis-1": MASTER}, "refuses the login of the application: WRONGPASS"),
    ],
)
def test_a_redis_that_is_not_whole(answers: dict[str, str], reason: str) -> None:
    with pytest.raises(smoke.Failed) as caught:
        smoke.redis(kubectl({**NODES, **answers}))
    assert reason in str(caught.value)


def test_the_cluster_is_the_one_that_the_stack_names() -> None:
    assert cluster_flags({"context": "prod", "kubeconfig": ""}) == ("--context=prod",)
    assert cluster_flags({"context": "", "kubeconfig": "/k"}) == ("--kubeconfig=/k",)


def test_the_report_has_seconds_verdicts_and_the_sum() -> None:
    rows = [smoke.Outcome("live", 0.02, True, "serving ok"), smoke.Outcome("redis", 60.0, False, "no master")]
    assert smoke.report("http://x", rows).splitlines() == [
        "Smoke tests of http://x",
        "  live         0.02 s  ok      serving ok",
        "  redis       60.00 s  FAILED  no master",
        "  1 of 2 checks failed",
    ]


def test_what_is_asked_is_signed_and_has_the_key_for_an_older_version() -> None:
    with smoke.caller("http://api/", "k" * 32) as client:
        request = client.build_request("POST", "/v1/orders", json={})
        assert client.auth is not None
        next(client.auth.auth_flow(request))
    assert request.headers["X-API-Key"] == "k" * 32
    assert request.headers["X-Signature-Key"] == "platform"
