"""Signed requests on real processes: who has signed, replays across a failover, rotations, a Redis that is away."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import httpx
import pytest

from tests.app.asking import NO_AUTHORITIES
from tests.app.client import KEY as PLATFORM
from tests.app.client import order
from tests.app.credentials import Credentials
from tests.app.fix_stage import make_stage
from tests.app.people import call
from tests.app.servers import Postgres, RedisSet, eventually
from tests.app.stage import Role as Process
from tests.app.stage import Stage
from trading.cache.client import Cache, Redis
from trading.cache.nonces import claim
from trading.security.apikeys import mint, signing_key
from trading.security.client import Signed
from trading.security.credentials import MountedCredential
from trading.security.knownkeys import HOLDS_S
from trading.security.signing import KEY, NONCE, SIGNATURE, TIMESTAMP, Request, Stamp, sign

pytestmark = pytest.mark.cluster

T = TypeVar("T")


@pytest.fixture(scope="module")
def stage_(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_set: RedisSet) -> Iterator[Stage]:
    stage = make_stage(tmp_path_factory.mktemp("signing"), postgres, redis_set)
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def api(stage_: Stage) -> Process:
    """An API whose writes must be signed."""
    return stage_.start("api", TRADING_SIGNING="writes")


def signed(api: Process, key: str) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{api.port}", auth=Signed(key), timeout=20, verify=NO_AUTHORITIES)


def by_hand(api: Process, key: str, key_id: str, body: bytes, **stamp: object) -> httpx.Request:
    """A signed order that can be sent again as it is."""
    values = {"key_id": key_id, "timestamp": int(time.time()), "nonce": mint().secret} | stamp
    request = Request("POST", "/v1/orders", f"127.0.0.1:{api.port}", body)
    headers = sign(request, Stamp(**values), signing_key(key))  # type: ignore[arg-type]
    url = f"http://127.0.0.1:{api.port}/v1/orders"
    return httpx.Request("POST", url, content=body, headers=headers | {"Content-Type": "application/json"})


def send(request: httpx.Request) -> httpx.Response:
    with httpx.Client(timeout=20, verify=NO_AUTHORITIES) as client:
        return client.send(request)


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_write_must_be_signed_and_a_read_need_not(api: Process) -> None:
    unsigned = call(api, "POST", "/v1/orders", PLATFORM, **order())
    assert reason(unsigned) == (401, "SIGNATURE_REFUSED")
    assert call(api, "GET", "/v1/orders", PLATFORM).status_code == 200
    with signed(api, PLATFORM["X-API-Key"]) as client:
        assert client.get("/v1/auth/me").json()["name"] == "platform"
        placed = client.post("/v1/orders", json=order())
        assert placed.json()["code"] == "RISK_SYMBOL", "the signature was fine; there is just no market"


def test_whoever_signs_is_the_holder_of_the_key(api: Process) -> None:
    person = user_of_signed(api, "signer")
    key = person_key(api, person)
    with signed(api, key) as client:
        me = client.get("/v1/auth/me", params={"b": "x y", "a": "ä"})
        assert (me.status_code, me.json().get("name")) == (200, "signer")
        assert client.post("/v1/orders", json=order()).json()["code"] == "RISK_SYMBOL"
        assert client.get("/v1/admin/users").json()["code"] == "ROLE_REFUSED"
        assert client.get("/v1/quotes/M%26M").json()["code"] == "QUOTE_NOT_FOUND"


def user_of_signed(api: Process, name: str) -> str:
    """A trader, made by a signed request; returns the access token."""
    password = "correct horse battery"
    with signed(api, PLATFORM["X-API-Key"]) as client:
        made = client.post("/v1/admin/users", json={"name": name, "password": password, "role": "trader"})
        assert made.status_code == 201, made.text
    tokens = call(api, "POST", "/v1/auth/login", {}, name=name, password=password).json()
    return str(tokens["access_token"])


def person_key(api: Process, token: str) -> str:
    made = call(api, "POST", "/v1/keys", {"Authorization": f"Bearer {token}"}, label="bot")
    return str(made.json()["key"])


def test_the_same_signed_request_works_once(api: Process) -> None:
    request = by_hand(api, PLATFORM["X-API-Key"], "platform", b'{"client_order_id":"once"}')
    assert reason(send(request)) == (422, "REQUEST_INVALID")
    assert reason(send(request)) == (401, "SIGNATURE_REFUSED")


def test_a_wrong_signature_uses_up_no_nonce(api: Process) -> None:
    request = by_hand(api, PLATFORM["X-API-Key"], "platform", b"{}")
    right = request.headers[SIGNATURE]
    request.headers[SIGNATURE] = "v1=" + "0" * 64
    assert reason(send(request)) == (401, "SIGNATURE_REFUSED")
    request.headers[SIGNATURE] = right
    assert reason(send(request)) == (422, "REQUEST_INVALID")


@pytest.mark.parametrize("seconds", [-305, 305])
def test_an_old_or_a_future_stamp_is_refused(api: Process, seconds: int) -> None:
    request = by_hand(api, PLATFORM["X-API-Key"], "platform", b"{}", timestamp=int(time.time()) + seconds)
    assert reason(send(request)) == (401, "SIGNATURE_REFUSED")


def test_a_stamp_from_the_future_is_remembered_until_it_is_too_old(api: Process, redis_set: RedisSet) -> None:
    request = by_hand(api, PLATFORM["X-API-Key"], "platform", b"{}", timestamp=int(time.time()) + 290)
    send(request)
    life_s = redis_set.master().ttl(f"trading:nonce:platform:{request.headers[NONCE]}")
    assert 585 <= int(str(life_s)) <= 606


@pytest.mark.parametrize("name", [KEY, TIMESTAMP, NONCE, SIGNATURE])
def test_a_header_that_comes_twice_is_refused(api: Process, name: str) -> None:
    request = by_hand(api, PLATFORM["X-API-Key"], "platform", b"{}")
    twice = [*request.headers.raw, (name.encode(), request.headers[name].encode())]
    answer = send(httpx.Request("POST", request.url, content=b"{}", headers=twice))
    assert answer.status_code in (400, 401)
    assert answer.status_code == 400 or answer.json()["code"] == "SIGNATURE_REFUSED"


def test_unknown_revoked_and_wrong_keys_are_told_the_same(api: Process) -> None:
    token = user_of_signed(api, "revoked")
    key = person_key(api, token)
    key_id, secret = key.split(".")
    answers = [
        send(by_hand(api, secret, "a" * 12, b"{}")),
        send(by_hand(api, mint().secret, key_id, b"{}")),
    ]
    call(api, "DELETE", f"/v1/keys/{key_id}", {"Authorization": f"Bearer {token}"})
    answers.append(send(by_hand(api, secret, key_id, b"{}")))
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}


def test_what_ends_a_key_in_one_process_ends_it_in_the_others_within_the_time_that_a_key_is_known_for(
    api: Process, stage_: Stage
) -> None:
    """Revoked, or its owner disabled, while both processes know it well."""
    other = stage_.start("api")
    for name in ("gone-key", "gone-user"):
        token = user_of_signed(api, name)
        key = person_key(api, token)
        with signed(api, key) as here, signed(other, key) as there:
            assert [client.get("/v1/auth/me").status_code for client in (here, there)] == [200, 200]
            if name == "gone-key":
                gone = call(api, "DELETE", f"/v1/keys/{key.split('.')[0]}", {"Authorization": f"Bearer {token}"})
            else:
                with signed(api, PLATFORM["X-API-Key"]) as platform:
                    gone = platform.patch(f"/v1/admin/users/{name}", json={"version": 1, "disabled": True})
            ended_at = time.monotonic()
            assert gone.is_success
            assert here.get("/v1/auth/me").status_code == 401, "at once where it was ended"
            asked_at, answer = time.monotonic(), there.get("/v1/auth/me")
            while answer.status_code == 200:
                assert asked_at - ended_at < HOLDS_S, "still good after the time"
                asked_at, answer = time.monotonic(), there.get("/v1/auth/me")
            assert answer.status_code == 401
    other.stop()


def test_a_rotated_key_signs_with_both_secrets_and_lives_through_rotations_of_the_seal(
    api: Process, stage_: Stage
) -> None:
    token = user_of_signed(api, "sealed")
    key = person_key(api, token)
    bearer = {"Authorization": f"Bearer {token}"}
    rotated = call(api, "POST", f"/v1/keys/{key.split('.')[0]}/rotate", bearer, overlap_s=600).json()["key"]
    slots = Credentials.values("jwt")
    for epoch in (1, 2, 3):
        slots["ab"[epoch % 2]] = f"seal {epoch}".ljust(32, "z")
        before = seals_of(stage_, key)
        stage_.credentials.mount("jwt", slots, current="ab"[epoch % 2], epoch=epoch)
        for text in (key, rotated):
            with signed(api, text) as client:
                assert client.get("/v1/auth/me").status_code == 200, epoch
                eventually(partial(is_sealed_anew, client, stage_, key, before), 2, f"sealed under epoch {epoch}")
    assert call(api, "GET", "/v1/auth/me", bearer).status_code == 401, (
        "an access token outlives one rotation, not three"
    )


def is_sealed_anew(client: httpx.Client, stage_: Stage, key: str, before: set[object]) -> bool:
    """Whether neither secret's seal is of those before; a process looks at them again when it has known them enough."""
    return client.get("/v1/auth/me").status_code == 200 and not before & seals_of(stage_, key)


def seals_of(stage_: Stage, key: str) -> set[object]:
    [row] = stage_.query("SELECT sealed, previous_sealed FROM api_key WHERE id = %s", key.split(".")[0])
    return set(row)


def test_the_platforms_key_signs_with_either_slot(api: Process) -> None:
    for value in Credentials.values("api").values():
        with signed(api, value) as client:
            assert client.get("/v1/auth/me").status_code == 200


def test_without_redis_writes_fail_closed_and_reads_go_on(api: Process, redis_set: RedisSet) -> None:
    redis_set.kill(*redis_set.ports)
    try:
        with signed(api, PLATFORM["X-API-Key"]) as client:
            assert reason(client.post("/v1/orders", json=order())) == (503, "CACHE_UNAVAILABLE")
            assert client.get("/v1/orders").status_code == 200
    finally:
        redis_set.start()


def test_a_nonce_that_no_replica_has_does_not_count(api: Process, redis_set: RedisSet) -> None:
    master = redis_set.master_port()
    redis_set.kill(*(port for port in redis_set.ports if port != master))
    try:
        with signed(api, PLATFORM["X-API-Key"]) as client:
            assert reason(client.post("/v1/orders", json=order())) == (503, "CACHE_UNAVAILABLE")
    finally:
        redis_set.start()


class Stutter(Cache):
    """Sends its first command twice, as after an answer that was lost."""

    lost = True

    def run(self, command: Callable[[Redis], T], *, deadline_s: float) -> T:
        result = super().run(command, deadline_s=deadline_s)
        if self.lost:
            self.lost = False
            return super().run(command, deadline_s=deadline_s)
        return result


def test_a_claim_whose_answer_was_lost_is_known_again_as_ones_own(stage_: Stage) -> None:
    cache = Stutter(stage_.settings, MountedCredential(stage_.credentials.folder, "redis-app"))
    stamp = Stamp("platform", int(time.time()), mint().secret)
    assert claim(cache, stamp, 60)
    assert not claim(cache, stamp, 60)
    cache.close()


def test_a_replay_is_refused_after_redis_has_failed_over(stage_: Stage, redis_set: RedisSet) -> None:
    """The master that noted the nonce dies at once; the replica that Sentinel promotes knows it."""
    api = stage_.start("api", TRADING_SIGNING="all")
    for _ in range(2):
        eventually(lambda: is_in_step(redis_set), 20, "the replica is in step")
        request = by_hand(api, PLATFORM["X-API-Key"], "platform", b"{}")
        assert reason(send(request)) == (422, "REQUEST_INVALID")
        fail_over(redis_set, partial(is_refused, request))
        eventually(partial(is_answered, request), 20, "an answer that is not 503")
        assert reason(send(request)) == (401, "SIGNATURE_REFUSED")
        redis_set.start()


def is_refused(request: httpx.Request) -> bool:
    return send(request).status_code in (401, 503)


def is_answered(request: httpx.Request) -> bool:
    return send(request).status_code != 503


def fail_over(redis_set: RedisSet, meanwhile: Callable[[], bool]) -> None:
    """Kill the master and wait for another; what must hold meanwhile is asked all the time."""
    old = redis_set.master_port()
    redis_set.kill(old)

    def is_over() -> bool:
        assert meanwhile()
        return redis_set.master_port() != old

    eventually(is_over, 30, "a new master")


def is_in_step(redis_set: RedisSet) -> bool:
    found = redis_set.master().info("replication")
    return "online" in str(found) and "connected_slaves': 1" in str(found)
