"""The OWASP API Security Top 10 of 2023, by number, for what the OpenAPI document says there is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import trading
from tests.app.client import KEY
from tests.app.fix_stage import make_stage
from tests.app.people import PASSWORD, Person, call, user
from tests.app.servers import Postgres, RedisSet
from tests.app.stage import Role as Process
from trading.security.principal import Role

pytestmark = pytest.mark.cluster

DOCUMENT = json.loads((Path(trading.__file__).parents[1] / "openapi.json").read_text())
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if path.startswith("/v1/")
]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_set: RedisSet) -> Iterator[Process]:
    stage = make_stage(tmp_path_factory.mktemp("owasp"), postgres, redis_set)
    yield stage.start("api")
    stage.close()


@pytest.fixture(scope="module")
def people(api: Process) -> dict[Role, Person]:
    """One of each role."""
    return {role: user(api, f"a-{role}", role, ["main"]) for role in Role}


def filled(path: str) -> str:
    """A path with ids that name nothing; a stream, which would not end, with symbols that are none."""
    query = "?symbols=," if path.endswith("/stream") else ""
    return re.sub(r"{\w*id}", str(uuid4()), path).replace("{", "").replace("}", "") + query


def is_public(operation: dict[str, Any]) -> bool:
    return not operation["security"]


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_api5_every_function_is_for_its_role_and_those_above(
    api: Process, people: dict[Role, Person], method: str, path: str, operation: dict[str, Any]
) -> None:
    """Broken function level authorization: every route, asked by every role, before anything is read."""
    if is_public(operation):
        assert path in ("/v1/auth/login", "/v1/auth/refresh"), "who logs in is not known yet; nothing else is public"
        return
    if path == "/v1/auth/logout":
        return  # would end the sessions of the other cases; it is for viewers, so for everybody
    needed = Role(operation["x-role"])
    for role, person in people.items():
        answer = call(api, method, filled(path), person.headers)
        refused = (answer.status_code, answer.json().get("code")) == (403, "ROLE_REFUSED") if answer.content else False
        assert refused == (not role.includes(needed)), (role, answer.text)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_api2_no_function_works_without_a_credential(
    api: Process, method: str, path: str, operation: dict[str, Any]
) -> None:
    """Broken authentication."""
    if is_public(operation):
        return
    for headers in ({}, {"X-API-Key": "x"}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}):
        answer = call(api, method, filled(path), headers)
        assert answer.status_code == 401, (headers, answer.text)


def test_api1_nobody_reaches_the_keys_of_another(api: Process) -> None:
    """Broken object level authorization: an id of another's is answered as one that names nothing."""
    one, two = user(api, "one", "trader", ["main"]), user(api, "two", "trader", ["main"])
    key = one.post("/v1/keys", label="mine").json()
    for path, ask in ((f"/v1/keys/{key['id']}", two.delete), (f"/v1/keys/{key['id']}/rotate", two.post)):
        theirs = ask(path, overlap_s=1) if ask == two.post else ask(path)
        nobodys_path = path.replace(key["id"], "a" * 12)
        nobodys = ask(nobodys_path, overlap_s=1) if ask == two.post else ask(nobodys_path)
        assert (theirs.status_code, theirs.json()["code"]) == (404, "KEY_NOT_FOUND")
        assert theirs.json() == nobodys.json()
    assert two.get("/v1/keys").json()["keys"] == []
    assert call(api, "GET", "/v1/auth/me", {"X-API-Key": key["key"]}).status_code == 200


def test_api1_even_an_administrator_gets_no_secret_of_another(api: Process) -> None:
    one, boss = user(api, "holder", "trader"), user(api, "keeper", "admin")
    key_id = one.post("/v1/keys", label="mine").json()["id"]
    assert boss.post(f"/v1/keys/{key_id}/rotate", overlap_s=1).status_code == 404
    assert boss.delete(f"/v1/keys/{key_id}").status_code == 204, "but may revoke it"


@pytest.mark.parametrize("field", ["owner", "id", "secret_hash", "created_at", "revoked_at", "name", "session"])
def test_api3_a_key_takes_no_field_that_is_not_its_makers(api: Process, people: dict[Role, Person], field: str) -> None:
    """Broken object property level authorization: mass assignment."""
    answer = people[Role.TRADER].post("/v1/keys", label="x", **{field: "a-admin"})
    assert (answer.status_code, answer.json()["code"]) == (422, "REQUEST_INVALID")
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("field", ["password_hash", "version", "created_at", "disabled", "is_admin"])
def test_api3_a_user_takes_no_field_that_is_not_an_administrators(api: Process, field: str) -> None:
    body: dict[str, Any] = {"name": "massive", "password": PASSWORD, "role": "viewer", field: 1}
    answer = call(api, "POST", "/v1/admin/users", KEY, **body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_api3_every_body_refuses_fields_that_it_does_not_know() -> None:
    for method, path, operation in OPERATIONS:
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
            assert schema["additionalProperties"] is False, (method, path)


def test_api3_no_one_gives_a_key_more_than_they_have(api: Process, people: dict[Role, Person]) -> None:
    trader = people[Role.TRADER]
    above = trader.post("/v1/keys", label="x", role="admin")
    assert (above.status_code, above.json()["code"]) == (403, "ROLE_REFUSED")
    beyond = trader.post("/v1/keys", label="x", accounts=["main", "other"])
    assert (beyond.status_code, beyond.json()["code"]) == (404, "ACCOUNT_NOT_FOUND")
    made = trader.post("/v1/keys", label="x")
    assert (made.status_code, made.json()["role"]) == (201, "trader")


def test_api4_bodies_pages_and_keys_have_a_limit(api: Process, people: dict[Role, Person]) -> None:
    """Unrestricted resource consumption."""
    admin = people[Role.ADMIN]
    assert admin.post("/v1/keys", label="x" * 20_000).status_code == 413
    for path in ("/v1/admin/users?limit=501", "/v1/admin/audit?limit=0", "/v1/admin/audit?cursor=0"):
        assert admin.get(path).json()["code"] == "REQUEST_INVALID"
    many = user(api, "collector", "viewer")
    statuses = [many.post("/v1/keys", label="x", role="viewer").status_code for _ in range(51)]
    assert statuses == [201] * 50 + [409]


def test_api8_answers_with_secrets_are_not_to_be_kept(api: Process, people: dict[Role, Person]) -> None:
    """Security misconfiguration."""
    made = people[Role.VIEWER].post("/v1/keys", label="x", role="viewer")
    login = call(api, "POST", "/v1/auth/login", {}, name="a-viewer", password=PASSWORD)
    assert {made.headers["Cache-Control"], login.headers["Cache-Control"]} == {"no-store"}


def test_api9_the_document_names_a_role_or_nobody_for_every_function() -> None:
    """Improper inventory management; that routes and document are the same is tested with the document."""
    for method, path, operation in OPERATIONS:
        assert is_public(operation) or operation["x-role"] in set(Role), (method, path)
    assert KEY["X-API-Key"] not in json.dumps(DOCUMENT)
