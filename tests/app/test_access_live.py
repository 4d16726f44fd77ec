"""Logging in, keys, users and the audit on a real database and Redis, over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.app.client import KEY
from tests.app.fix_stage import make_stage
from tests.app.people import PASSWORD, Person, call, user
from tests.app.servers import Postgres, RedisSet, eventually
from tests.app.stage import Role as Process
from tests.app.stage import Stage
from trading.security.audit import first_broken
from trading.storage.audit import whole

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def stage_(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_set: RedisSet) -> Iterator[Stage]:
    stage = make_stage(tmp_path_factory.mktemp("access"), postgres, redis_set)
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def api(stage_: Stage) -> Process:
    return stage_.start("api")


@pytest.fixture(autouse=True)
def calm(redis_set: RedisSet) -> None:
    """Nobody has tried a password lately."""
    redis_set.master().flushall()


def code(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]  # type: ignore[attr-defined]


def test_whoever_logs_in_is_known_by_name_and_role(api: Process) -> None:
    ravi = user(api, "ravi", "trader", ["main"])
    assert ravi.get("/v1/auth/me").json() == {"name": "ravi", "role": "trader", "accounts": ["main"], "key_id": None}
    assert ravi.get("/v1/orders").status_code == 200
    assert code(ravi.get("/v1/admin/users")) == (403, "ROLE_REFUSED")
    platform = call(api, "GET", "/v1/auth/me").json()
    assert platform == {"name": "platform", "role": "admin", "accounts": None, "key_id": "platform"}


def test_wrong_passwords_and_unknown_names_are_told_the_same(api: Process) -> None:
    user(api, "asha", "viewer")
    wrong = Person(api, "asha").log_in("not the password")
    unknown = Person(api, "nobody").log_in("not the password")
    assert code(wrong) == (401, "LOGIN_REFUSED")
    assert wrong.json() == unknown.json()
    assert wrong.headers["WWW-Authenticate"] == "Bearer"
    assert "not the password" not in wrong.text


def test_a_name_is_throttled_at_its_address_and_freed_by_success(api: Process) -> None:
    user(api, "throttled", "viewer")
    person = Person(api, "throttled")
    for _ in range(4):
        assert person.log_in("wrong").status_code == 401
    assert person.log_in().status_code == 200
    for _ in range(5):
        assert person.log_in("wrong").status_code == 401
    refused = person.log_in()
    assert code(refused) == (429, "LOGIN_THROTTLED")
    assert 0 < int(refused.headers["Retry-After"]) <= 300
    assert user(api, "other", "viewer").get("/v1/auth/me").status_code == 200


def test_many_tries_at_once_count_as_many(api: Process) -> None:
    with ThreadPoolExecutor(8) as pool:
        tries = list(pool.map(lambda _: Person(api, "hammered").log_in("wrong").status_code, range(24)))
    assert sum(status == 401 for status in tries) <= 5
    assert set(tries) <= {401, 429, 503}


def test_a_refresh_token_is_used_once_and_the_second_use_ends_the_session(api: Process) -> None:
    person = user(api, "refresher", "viewer")
    first, first_access = person.refresh, person.access
    assert person.renew().status_code == 200
    assert person.access != first_access
    second = person.refresh
    assert person.get("/v1/auth/me").status_code == 200
    thief = Person(api, "refresher")
    assert code(thief.renew(first)) == (401, "TOKEN_REFUSED")
    assert code(person.renew(second)) == (401, "TOKEN_REFUSED")
    assert code(person.get("/v1/auth/me")) == (401, "TOKEN_REFUSED")
    audit = call(api, "GET", "/v1/admin/audit").json()["entries"]
    assert {"actor": "refresher", "action": "session.reuse"}.items() <= audit[0].items()


def test_of_two_who_refresh_at_once_at_most_one_goes_on(api: Process) -> None:
    person = user(api, "racer", "viewer")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: Person(api, "racer").renew(person.refresh).status_code, range(4)))
    assert sorted(answers) == [200, 401, 401, 401]


@pytest.mark.parametrize("token", ["refresh.x", "x", "refresh." + "A" * 43, "refresh." + "A" * 44])
def test_an_unknown_refresh_token_is_refused(api: Process, token: str) -> None:
    assert code(Person(api, "nobody").renew(token)) == (401, "TOKEN_REFUSED")


def test_after_logging_out_no_token_is_good(api: Process) -> None:
    person = user(api, "leaver", "viewer")
    other = Person(api, "leaver")
    other.log_in()
    assert person.post("/v1/auth/logout").status_code == 204
    assert code(person.get("/v1/auth/me")) == (401, "TOKEN_REFUSED")
    assert code(person.renew()) == (401, "TOKEN_REFUSED")
    assert other.get("/v1/auth/me").status_code == 200, "another session of the same user goes on"
    assert code(call(api, "POST", "/v1/auth/logout")) == (403, "LOGIN_NEEDED")


def test_a_new_password_ends_every_session(api: Process) -> None:
    person = user(api, "changer", "viewer")
    assert code(person.post("/v1/auth/password", current="wrong", new="another horse")) == (401, "LOGIN_REFUSED")
    assert person.post("/v1/auth/password", current=PASSWORD, new="another horse").status_code == 204
    assert person.get("/v1/auth/me").status_code == 401
    assert person.log_in().status_code == 401
    assert person.log_in("another horse").status_code == 200
    short = person.post("/v1/auth/password", current="another horse", new="short")
    assert code(short) == (422, "REQUEST_INVALID")
    assert "short" not in short.json()["detail"]


def test_a_disabled_user_is_out_at_once_with_every_token_and_key(api: Process) -> None:
    person = user(api, "fired", "trader")
    key = {"X-API-Key": person.post("/v1/keys", label="bot").json()["key"]}
    assert call(api, "GET", "/v1/auth/me", key).status_code == 200
    assert call(api, "PATCH", "/v1/admin/users/fired", version=1, disabled=True).status_code == 200
    assert person.get("/v1/auth/me").status_code == 401
    assert person.renew().status_code == 401
    assert person.log_in().status_code == 401
    assert call(api, "GET", "/v1/auth/me", key).status_code == 401
    assert call(api, "PATCH", "/v1/admin/users/fired", version=2, disabled=False).status_code == 200
    assert person.renew().status_code == 401, "what was ended does not come back"
    assert person.log_in().status_code == 200


def test_a_changed_role_holds_for_the_next_request(api: Process) -> None:
    person = user(api, "riser", "viewer")
    assert person.post("/v1/orders").json()["code"] == "ROLE_REFUSED"
    assert call(api, "PATCH", "/v1/admin/users/riser", version=1, role="trader").json()["role"] == "trader"
    assert person.post("/v1/orders").json()["code"] != "ROLE_REFUSED"


def test_users_are_changed_on_the_version_that_was_read(api: Process) -> None:
    user(api, "versioned", "viewer", ["main"])
    path = "/v1/admin/users/versioned"
    assert call(api, "PATCH", path, version=1, role="risk").json()["version"] == 2
    assert code(call(api, "PATCH", path, version=1, role="admin")) == (409, "VERSION_STALE")
    again = call(api, "PATCH", path, version=1, role="risk")
    assert (again.status_code, again.json()["version"]) == (200, 2), "the same change again is none"
    assert call(api, "PATCH", path, version=2, accounts=None).json()["accounts"] is None
    assert code(call(api, "PATCH", path, version=3, accounts=["nowhere"])) == (422, "ACCOUNT_UNKNOWN")
    assert code(call(api, "PATCH", "/v1/admin/users/nobody", version=1)) == (404, "USER_NOT_FOUND")


def test_names_are_unique_and_the_platforms_is_taken(api: Process) -> None:
    user(api, "unique", "viewer")
    for name in ("unique", "platform"):
        answer = call(api, "POST", "/v1/admin/users", name=name, password=PASSWORD, role="viewer")
        assert code(answer) == (409, "USER_EXISTS")


def test_people_are_listed_in_pages(api: Process) -> None:
    for name in ("zz-a", "zz-b", "zz-c"):
        user(api, name, "viewer")
    first = call(api, "GET", "/v1/admin/users?limit=2&cursor=zz").json()
    assert [found["name"] for found in first["users"]] == ["zz-a", "zz-b"]
    second = call(api, "GET", f"/v1/admin/users?limit=2&cursor={first['next_cursor']}").json()
    assert ([found["name"] for found in second["users"]], second["next_cursor"]) == (["zz-c"], None)
    assert "hash" not in str(first)


def test_an_administrator_does_not_change_their_own_rights(api: Process) -> None:
    boss = user(api, "boss", "admin")
    answer = call(api, "PATCH", "/v1/admin/users/boss", boss.headers, version=1, role="viewer")
    assert code(answer) == (409, "USER_IS_SELF")


def test_a_key_works_until_it_is_revoked_and_is_told_once(api: Process) -> None:
    person = user(api, "keyed", "trader", ["main"])
    made = person.post("/v1/keys", label="my bot", role="viewer", expires_in_days=1)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    key = {"X-API-Key": made.json()["key"]}
    me = call(api, "GET", "/v1/auth/me", key).json()
    assert me == {"name": "keyed", "role": "viewer", "accounts": ["main"], "key_id": made.json()["id"]}
    assert call(api, "POST", "/v1/orders", key).json()["code"] == "ROLE_REFUSED"
    [listed] = person.get("/v1/keys").json()["keys"]
    assert (listed["label"], listed["revoked_at"]) == ("my bot", None)
    assert made.json()["key"].split(".")[1] not in person.get("/v1/keys").text
    assert person.delete(f"/v1/keys/{made.json()['id']}").status_code == 204
    assert code(call(api, "GET", "/v1/auth/me", key)) == (401, "KEY_REFUSED")
    assert person.delete(f"/v1/keys/{made.json()['id']}").status_code == 204, "safe to repeat"
    assert code(person.post(f"/v1/keys/{made.json()['id']}/rotate", overlap_s=1)) == (409, "KEY_ENDED")


def test_after_a_rotation_both_secrets_are_good_for_the_overlap(api: Process, stage_: Stage) -> None:
    person = user(api, "rotator", "trader")
    made = person.post("/v1/keys", label="bot").json()
    rotated = person.post(f"/v1/keys/{made['id']}/rotate", overlap_s=600).json()
    assert rotated["id"] == made["id"]
    assert rotated["key"] != made["key"]
    for text in (made["key"], rotated["key"]):
        assert call(api, "GET", "/v1/auth/me", {"X-API-Key": text}).status_code == 200
    last = person.post(f"/v1/keys/{made['id']}/rotate", overlap_s=0).json()
    assert call(api, "GET", "/v1/auth/me", {"X-API-Key": last["key"]}).status_code == 200
    for text in (made["key"], rotated["key"]):
        assert call(api, "GET", "/v1/auth/me", {"X-API-Key": text}).status_code == 401


def test_a_key_makes_no_keys_and_two_credentials_are_one_too_many(api: Process) -> None:
    person = user(api, "keymaker", "trader")
    key = {"X-API-Key": person.post("/v1/keys", label="bot").json()["key"]}
    assert code(call(api, "POST", "/v1/keys", key, label="child")) == (403, "LOGIN_NEEDED")
    assert code(call(api, "POST", "/v1/keys", KEY, label="child")) == (403, "LOGIN_NEEDED")
    assert code(call(api, "GET", "/v1/auth/me", key | person.headers)) == (401, "KEY_REFUSED")


def test_an_expired_key_and_an_expired_session_are_refused(api: Process, stage_: Stage) -> None:
    person = user(api, "expiring", "trader")
    made = person.post("/v1/keys", label="bot").json()
    with stage_.postgres.admin(stage_.database) as admin:
        admin.execute(b"UPDATE api_key SET expires_at = now() - interval '1 second' WHERE owner = 'expiring'")
        admin.execute(b"UPDATE user_session SET expires_at = now() - interval '1 second' WHERE user_name = 'expiring'")
    eventually(
        lambda: call(api, "GET", "/v1/auth/me", {"X-API-Key": made["key"]}).status_code == 401, 2, "the key has expired"
    )
    assert person.get("/v1/auth/me").status_code == 401
    assert person.renew().status_code == 401


def test_nothing_that_opens_a_door_is_in_the_database(api: Process, stage_: Stage) -> None:
    person = user(api, "secretive", "trader")
    made = person.post("/v1/keys", label="bot").json()
    kept = str(stage_.query("SELECT u::text FROM user_account u UNION ALL SELECT k::text FROM api_key k"))
    kept += str(stage_.query("SELECT r::text FROM refresh_token r UNION ALL SELECT s::text FROM user_session s"))
    kept += str(stage_.query("SELECT a::text FROM access_audit a"))
    for secret in (PASSWORD, person.refresh, person.access, made["key"].split(".")[1]):
        assert secret not in kept
        assert secret.encode().hex() not in kept


def test_every_change_is_in_a_chain_that_holds(api: Process, stage_: Stage) -> None:
    person = user(api, "audited", "trader")
    key_id = person.post("/v1/keys", label="bot").json()["id"]
    person.post(f"/v1/keys/{key_id}/rotate", overlap_s=1)
    person.delete(f"/v1/keys/{key_id}")
    person.post("/v1/auth/logout")
    entries = call(api, "GET", "/v1/admin/audit?limit=6").json()["entries"]
    assert [(entry["actor"], entry["action"]) for entry in reversed(entries)] == [
        ("platform", "user.create"),
        ("audited", "session.begin"),
        ("audited", "key.create"),
        ("audited", "key.rotate"),
        ("audited", "key.revoke"),
        ("audited", "session.end"),
    ]
    assert {entry["address"] for entry in entries} == {"127.0.0.1"}
    older = call(api, "GET", f"/v1/admin/audit?limit=1&cursor={entries[-1]['seq']}").json()["entries"]
    assert older[0]["seq"] == entries[-1]["seq"] - 1
    with stage_.connect() as connection:
        assert first_broken(whole(connection)) is None


def test_a_chain_that_a_superuser_has_changed_is_found_broken(api: Process, stage_: Stage) -> None:
    user(api, "tampered", "viewer")
    [(seq,)] = stage_.query("SELECT max(seq) FROM access_audit WHERE subject = 'tampered'")
    with stage_.postgres.admin(stage_.database) as admin:
        admin.execute(b"ALTER TABLE access_audit DISABLE TRIGGER access_audit_is_append_only")
        admin.execute("UPDATE access_audit SET actor = 'somebody' WHERE seq = %s", (seq,))
    with stage_.connect() as connection:
        assert first_broken(whole(connection)) == seq
    with stage_.postgres.admin(stage_.database) as admin:
        admin.execute("UPDATE access_audit SET actor = 'platform' WHERE seq = %s", (seq,))
        admin.execute(b"ALTER TABLE access_audit ENABLE TRIGGER access_audit_is_append_only")


def test_without_redis_nobody_logs_in_and_who_is_in_goes_on(api: Process, redis_set: RedisSet) -> None:
    person = user(api, "steady", "viewer")
    redis_set.kill(*redis_set.ports)
    try:
        assert code(person.log_in()) == (503, "CACHE_UNAVAILABLE")
        assert person.get("/v1/orders").status_code == 200
        assert person.renew().status_code == 200
    finally:
        redis_set.start()
