"""The API without its stores: key check, validation, error bodies, and the committed OpenAPI document."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import trading
from tests.app.credentials import Credentials
from tests.app.servers import free_port
from trading.api import accessmodels
from trading.api.app import create_app
from trading.api.deps import Dependencies
from trading.api.openapi import IN_PATHS
from trading.api.schemas.base import Model
from trading.cache.client import Cache
from trading.risk.checks import Limits
from trading.security.access import Access
from trading.security.addresses import Networks
from trading.security.allowlist import Allowlist, Version
from trading.security.credentials import MountedCredential
from trading.settings import from_environment
from trading.storage.connection import logins
from trading.storage.database import Database

APP = Path(trading.__file__).parents[1]
ORDER = {"client_order_id": "one", "symbol": "INFY", "side": "BUY", "quantity": 1}
KEY = {"X-API-Key": Credentials.values("api")["a"]}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    """The app with stores that are not there: nothing listens at their ports."""
    Credentials(tmp_path)
    env = {
        "TRADING_POSTGRES_HOSTS": f"127.0.0.1:{free_port()}",
        "TRADING_REDIS_SENTINELS": f"127.0.0.1:{free_port()}",
    }
    settings = from_environment(env)
    database = Database(logins(settings, MountedCredential(tmp_path, "postgres-app"), "test"), max_size=1)
    cache = Cache(settings, MountedCredential(tmp_path, "redis-app"))
    database.open()
    access = Access.of(MountedCredential(tmp_path, "jwt"))
    allowlist = Allowlist(None, Networks(), Version())
    keys = MountedCredential(tmp_path, "api")
    yield create_app(Dependencies(database, cache, keys, Limits(), access, allowlist)).test_client()
    database.close()
    cache.close()


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:  # noqa: ANN401 - the test client's response
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.get_json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["title"]
    assert body["detail"]
    return body


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "wrong"}, {"X-API-Key": ""}, {"Authorization": KEY["X-API-Key"]}]
)
def test_without_a_key_nobody_learns_anything(client: FlaskClient, headers: dict[str, str]) -> None:
    paths = [
        (path, method)
        for path, methods in spec()["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1") and operation["security"]
    ]
    assert len(paths) >= 38
    for path, method in paths:
        url = re.sub(r"{(\w+)}", lambda match: IN_PATHS[match[1]], path)
        problem(client.open(url, method=method.upper(), data="{not json", headers=headers), 401, "KEY_REFUSED")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": 0}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": "1"}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": 10**12}, "quantity"),
        ({"side": "HOLD"}, "side"),
        ({"type": "STOP"}, "type"),
        ({"symbol": "infy; drop table"}, "symbol"),
        ({"client_order_id": ""}, "client_order_id"),
        ({"client_order_id": "a\nb"}, "client_order_id"),
        ({"client_order_id": "x" * 65}, "client_order_id"),
        ({"limit_price": "NaN"}, "limit_price"),
        ({"limit_price": "-1"}, "limit_price"),
        ({"limit_price": "1e99"}, "limit_price"),
        ({"account": "../main"}, "account"),
        ({"mode": "LIVE"}, "mode"),
        ({"strategy_id": "ema-crossover"}, "strategy_id"),
        ({"order_id": "5a3a3a3e-2f64-5d0b-8f0a-5a2f6c9f2b11"}, "order_id"),
        ({"<script>": 1}, "?"),
    ],
)
def test_invalid_field_is_named_and_not_repeated(client: FlaskClient, change: dict[str, object], field: str) -> None:
    body = problem(client.post("/v1/orders", json=ORDER | change, headers=KEY), 422, "REQUEST_INVALID")
    assert field in {error["field"] for error in body["errors"]}
    assert "drop table" not in json.dumps(body)
    assert "input" not in body["errors"][0]


def test_missing_fields_are_all_named(client: FlaskClient) -> None:
    body = problem(client.post("/v1/orders", json={}, headers=KEY), 422, "REQUEST_INVALID")
    assert {error["field"] for error in body["errors"]} == set(ORDER)


def test_order_that_is_wrong_by_itself(client: FlaskClient) -> None:
    body = problem(client.post("/v1/orders", json=ORDER | {"type": "LIMIT"}, headers=KEY), 422, "ORDER_INVALID")
    assert body["detail"] == "limit_price=None: a LIMIT order needs a price above 0"


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "code"),
    [
        ("POST", "/v1/orders", "{not json", 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", "[1]", 422, "REQUEST_INVALID"),
        ("POST", "/v1/orders", "x" * 20_000, 413, "REQUEST_ENTITY_TOO_LARGE"),
        ("DELETE", "/v1/orders", "", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/nothing", "", 404, "NOT_FOUND"),
        ("GET", "/v1/orders/not-a-uuid", "", 404, "NOT_FOUND"),
        ("GET", "/v1/orders?limit=501", "", 422, "REQUEST_INVALID"),
        ("GET", "/v1/orders?status=LOST", "", 422, "REQUEST_INVALID"),
        ("GET", "/v1/orders?colour=red", "", 422, "REQUEST_INVALID"),
        ("GET", "/v1/orders?cursor=99999999999999999999", "", 422, "REQUEST_INVALID"),
        ("GET", "/v1/orders?cursor=WyJhIl0", "", 422, "REQUEST_INVALID"),
        ("GET", "/v1/orders?cursor=W1tbW1td", "", 422, "REQUEST_INVALID"),
        ("GET", "/v1/trades?cursor=WzFd", "", 422, "REQUEST_INVALID"),
        ("GET", "/v1/symbols?cursor=WyJcdTAwMDAiXQ", "", 422, "REQUEST_INVALID"),
        ("GET", "/v1/indices/SENSEX/constituents", "", 404, "INDEX_NOT_FOUND"),
        ("GET", "/v1/indices/NIFTY50/constituents?on=1999-01-01", "", 404, "INDEX_NOT_FOUND"),
        ("GET", "/v1/bars/INFY?since=2026-01-05T09:15:00", "", 422, "REQUEST_INVALID"),
        ("POST", "/v1/orders", '{"symbol": "INFY", "symbol": "TCS"}', 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", '{"quantity": NaN}', 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", "[" * 8000, 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", '{"a":' * 21 + "1" + "}" * 21, 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", '{"quantity": ' + "1" * 5000 + "}", 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", b'{"symbol": "\xff"}', 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", '{"client_order_id": "\\ud800"}', 400, "BAD_REQUEST"),
        ("PUT", "/v1/risk/state", '{"state": "HALTED", "reason": "a\\u0000b"}', 400, "BAD_REQUEST"),
        ("PUT", "/v1/risk/state", '{"state": "HALTED"}', 422, "REQUEST_INVALID"),
    ],
)
def test_every_error_is_a_problem(
    client: FlaskClient, method: str, path: str, data: str | bytes, status: int, code: str
) -> None:
    problem(client.open(path, method=method, data=data, headers=KEY), status, code)


def test_body_that_says_it_is_no_json_is_not_read(client: FlaskClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = client.post("/v1/orders", data=json.dumps(ORDER), headers=KEY, content_type=kind)
        problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("key", ["", "a b", "a,b", "x" * 65, "caf\u00e9"])
def test_idempotency_key_that_is_none(client: FlaskClient, key: str) -> None:
    answer = client.post("/v1/positions/square-off", json={}, headers=KEY | {"Idempotency-Key": key})
    problem(answer, 400, "IDEMPOTENCY_KEY_INVALID")


def test_headers_that_come_twice(client: FlaskClient) -> None:
    """Two keys are no key, two idempotency keys are none: neither is chosen."""
    good = KEY["X-API-Key"]
    problem(client.get("/v1/orders", headers=[("X-API-Key", good), ("X-API-Key", good)]), 401, "KEY_REFUSED")
    twice = [("X-API-Key", good), ("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    answer = client.post("/v1/positions/square-off", json={}, headers=twice)
    problem(answer, 400, "IDEMPOTENCY_KEY_INVALID")


def test_answers_are_kept_by_nobody_and_taken_for_nothing_else(client: FlaskClient) -> None:
    answer = client.get("/v1/indices/NIFTY50/constituents?limit=20", headers=KEY)
    assert answer.status_code == 200
    assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_constituents_come_in_pages(client: FlaskClient) -> None:
    seen: list[str] = []
    path = "/v1/indices/NIFTY50/constituents?limit=20&on=2026-01-05"
    page = client.get(path, headers=KEY).get_json()
    while True:
        seen += [member["symbol"] for member in page["constituents"]]
        if page["next_cursor"] is None:
            break
        page = client.get(f"{path}&cursor={page['next_cursor']}", headers=KEY).get_json()
    assert (len(seen), page["as_of"]) == (50, "2025-09-30")
    assert seen == sorted(set(seen))


def test_redis_away_is_said_at_once(client: FlaskClient) -> None:
    answer = client.get("/v1/quotes", headers=KEY)
    problem(answer, 503, "CACHE_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "1"


def test_health_and_metrics_need_no_key(client: FlaskClient) -> None:
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.get_json()["checks"] == {"database": "STORAGE_UNAVAILABLE", "keys": "ok"}
    assert "trading_http_request_seconds_count" in client.get("/metrics").text


def test_missing_keys_close_the_api(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "api" / "a").resolve().unlink()
    body = problem(client.get("/v1/orders", headers=KEY), 503, "CREDENTIALS")
    assert KEY["X-API-Key"] not in json.dumps(body)


def spec() -> dict[str, Any]:
    found: dict[str, Any] = create_app(None).spec  # type: ignore[assignment]
    return found


def test_committed_document_is_what_the_code_says() -> None:
    committed = json.loads((APP / "openapi.json").read_text())
    assert committed == spec(), "run: python -m trading openapi > app/openapi.json"


def test_document_has_every_route_and_only_them() -> None:
    rules = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in create_app(None).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in ("static", "openapi.spec", "docs.page", "docs.file")
    }
    assert rules == {(path, method) for path, operations in spec()["paths"].items() for method in operations}


def resolved(document: dict[str, Any], reference: str) -> Any:  # noqa: ANN401 - any part of a JSON document
    part: Any = document
    for key in reference.split("/"):
        part = part[key]
    return part


def test_document_is_whole() -> None:
    """Every reference resolves, every operation has an id of its own, and v1 names its key and its problems."""
    document = spec()
    assert document["openapi"] == "3.1.0"
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        assert resolved(document, reference) is not None
    operations = {
        (path, method): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)
    for (path, _), operation in operations.items():
        declared = {p["name"] for p in operation.get("parameters", ()) if p.get("in") == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))
        assert operation["summary"]
        if path.startswith("/v1"):
            assert operation["security"] in ([], [{"ApiKey": []}, {"Bearer": []}, {"Signature": []}])
            assert {"401", "403", "503"} <= operation["responses"].keys()


def test_every_example_of_access_is_one() -> None:
    named = {name: found for name, found in vars(accessmodels).items() if isinstance(found, type)}
    models = [
        found for found in named.values() if issubclass(found, Model) and found.__module__ == accessmodels.__name__
    ]
    shown = [found for found in models if not found.__name__.endswith("Query")]
    assert len(shown) == 19
    for model in shown:
        [example] = model.model_json_schema()["examples"]
        model.model_validate_json(json.dumps(example))
