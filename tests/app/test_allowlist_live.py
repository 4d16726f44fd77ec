"""The allowlist over HTTP: proxies, changes while running, and editors who do not lock themselves out."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.app.asking import ask
from tests.app.client import KEY
from tests.app.fix_stage import make_stage
from tests.app.people import call
from tests.app.servers import Postgres, RedisSet, eventually
from tests.app.stage import Role as Process
from tests.app.stage import Stage

pytestmark = pytest.mark.cluster

LIST = "/v1/admin/allowlist"
OFFICE = {"X-Forwarded-For": "203.0.113.9"}
ELSEWHERE = {"X-Forwarded-For": "198.51.100.7"}


@pytest.fixture
def stage_(tmp_path: Path, postgres: Postgres, redis_set: RedisSet) -> Iterator[Stage]:
    stage = make_stage(tmp_path, postgres, redis_set)
    yield stage
    stage.close()


@pytest.fixture
def api(stage_: Stage) -> Process:
    """An API behind a proxy on loopback; nobody has made a list yet."""
    return stage_.start("api", TRADING_TRUSTED_PROXIES="127.0.0.0/8, ::1")


def status(api: Process, headers: dict[str, str], path: str = "/v1/auth/me") -> int:
    return call(api, "GET", path, KEY | headers).status_code


def edit(api: Process, method: str, path: str, headers: dict[str, str], **body: object) -> httpx.Response:
    return call(api, method, path, KEY | headers, **body)


def test_an_editor_lists_networks_and_is_never_locked_out(api: Process) -> None:
    assert status(api, ELSEWHERE) == 200
    empty = edit(api, "GET", LIST, OFFICE).json()
    assert empty == {"version": 0, "enforced": False, "file": None, "networks": []}
    alone = edit(api, "PUT", LIST, OFFICE, version=0, enforced=True, networks=[])
    assert (alone.status_code, alone.json()["code"]) == (409, "ALLOWLIST_LOCKS_OUT")
    office = [{"network": "::ffff:203.0.113.0/120", "note": "office"}]
    made = edit(api, "PUT", LIST, OFFICE, version=0, enforced=True, networks=office)
    assert made.json()["networks"] == [{"network": "203.0.113.0/24", "note": "office"}]
    assert (status(api, OFFICE), status(api, ELSEWHERE)) == (200, 403)
    again = edit(api, "PUT", LIST, OFFICE, version=0, enforced=True, networks=office)
    assert (again.status_code, again.json()["version"]) == (200, 1), "safe to repeat"
    stale = edit(api, "PUT", LIST, OFFICE, version=0, enforced=False, networks=[])
    assert (stale.status_code, stale.json()["code"]) == (409, "VERSION_STALE")
    added = edit(api, "POST", f"{LIST}/networks", OFFICE, network="198.51.100.7", note="branch")
    assert added.json()["version"] == 2
    assert status(api, ELSEWHERE) == 200
    mine = edit(api, "DELETE", f"{LIST}/networks?network=203.0.113.0/24", OFFICE)
    assert (mine.status_code, mine.json()["code"]) == (409, "ALLOWLIST_LOCKS_OUT")
    gone = edit(api, "DELETE", f"{LIST}/networks?network=198.51.100.7", OFFICE)
    assert gone.json()["version"] == 3
    assert status(api, ELSEWHERE) == 403
    assert edit(api, "DELETE", f"{LIST}/networks?network=198.51.100.7", OFFICE).json()["version"] == 3
    wrong = edit(api, "POST", f"{LIST}/networks", OFFICE, network="10.0.0.1/8")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "NETWORK_INVALID")
    assert edit(api, "PUT", LIST, OFFICE, version=3, enforced=False, networks=[]).json()["enforced"] is False
    assert status(api, ELSEWHERE) == 200
    entries = edit(api, "GET", "/v1/admin/audit", OFFICE).json()["entries"]
    assert [entry["action"] for entry in entries] == ["allowlist.change"] * 4
    assert entries[-1]["detail"] == {"enforced": True, "added": ["203.0.113.0/24"], "removed": []}
    assert {entry["address"] for entry in entries} == {"203.0.113.9"}


def test_nothing_but_health_answers_who_is_not_let_in(api: Process) -> None:
    edit(api, "PUT", LIST, OFFICE, version=0, enforced=True, networks=[{"network": "203.0.113.9"}])
    for headers in (ELSEWHERE, {}, {"X-Forwarded-For": "garbage"}, {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}):
        for path in ("/v1/auth/me", "/v1/nothing", "/metrics"):
            answer = call(api, "GET", path, KEY | headers)
            assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
        assert call(api, "POST", "/v1/auth/login", headers, name="x", password="y").status_code == 403
        for path in ("/health/live", "/health/ready"):
            assert status(api, headers, path) == 200
        assert status(api, headers, "/health/../v1/auth/me") in (403, 404)
    metrics = call(api, "GET", "/metrics", OFFICE).text
    assert 'trading_allowlist_refused_total{reason="not listed"}' in metrics
    assert 'trading_allowlist_refused_total{reason="unknown"}' in metrics
    assert 'trading_allowlist_generation{source="store"} 1.0' in metrics


def test_two_headers_are_read_as_one(api: Process) -> None:
    edit(api, "PUT", LIST, OFFICE, version=0, enforced=True, networks=[{"network": "203.0.113.9"}])
    url = f"http://127.0.0.1:{api.port}/v1/auth/me"
    for hops, expected in ((("203.0.113.9", "198.51.100.7"), 403), (("198.51.100.7", "203.0.113.9"), 200)):
        headers = [*KEY.items(), *(("X-Forwarded-For", hop) for hop in hops)]
        assert ask("GET", url, headers).status_code == expected


def test_a_change_holds_in_every_process_soon(api: Process, stage_: Stage) -> None:
    other = stage_.start("api", TRADING_TRUSTED_PROXIES="127.0.0.1")
    assert status(other, ELSEWHERE) == 200
    edit(api, "PUT", LIST, OFFICE, version=0, enforced=True, networks=[{"network": "203.0.113.9"}])
    eventually(lambda: status(other, ELSEWHERE) == 403, 3, "the other process refuses")
    assert status(other, OFFICE) == 200


def test_what_is_known_holds_on_while_the_database_is_away(api: Process, stage_: Stage) -> None:
    edit(api, "PUT", LIST, OFFICE, version=0, enforced=True, networks=[{"network": "203.0.113.9"}])
    stage_.postgres.stop()
    try:
        assert status(api, ELSEWHERE) == 403
        assert status(api, OFFICE) == 200
    finally:
        stage_.postgres.start()


def test_the_file_is_in_force_at_once_and_its_networks_are_removed_there(stage_: Stage, tmp_path: Path) -> None:
    file = tmp_path / "allowlist"
    file.write_text("203.0.113.0/24\n")
    api = stage_.start("api", TRADING_TRUSTED_PROXIES="127.0.0.1", TRADING_ALLOWLIST_FILE=str(file))
    assert (status(api, OFFICE), status(api, ELSEWHERE)) == (200, 403)
    there = edit(api, "DELETE", f"{LIST}/networks?network=203.0.113.0/24", OFFICE)
    assert (there.status_code, there.json()["code"]) == (409, "NETWORK_IN_FILE")
    assert edit(api, "GET", LIST, OFFICE).json()["file"] == ["203.0.113.0/24"]
    file.write_text("203.0.113.0/24\n198.51.100.0/24\n")
    eventually(lambda: status(api, ELSEWHERE) == 200, 3, "the file is read again")
    file.write_text("nonsense\n")
    eventually(lambda: failures(api) == 1, 3, "the failure is counted")
    assert (status(api, OFFICE), status(api, ELSEWHERE)) == (200, 200)


def failures(api: Process) -> float:
    """How often the file could not be read."""
    text = call(api, "GET", "/metrics", OFFICE).text
    name = 'trading_allowlist_reload_failures_total{source="file"} '
    return sum(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))


def test_a_file_that_is_wrong_at_the_start_ends_the_process_with_one_line(stage_: Stage, tmp_path: Path) -> None:
    file = tmp_path / "allowlist"
    file.write_text("10.0.0.1/8\n")
    role = stage_.launch("api", TRADING_ALLOWLIST_FILE=str(file))
    assert role.process.wait(timeout=30) == 1
    [line] = [line for line in role.log.read_text().splitlines() if line.startswith("error: ")]
    assert "line 1: network='10.0.0.1/8'" in line
