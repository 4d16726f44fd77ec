"""The API in this process on real stores, with one symbol that trades, and callers of every role."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.app.credentials import Credentials
from tests.app.stage import Stage
from tests.app.test_storage import open_market
from trading.api.app import create_app
from trading.api.deps import Dependencies
from trading.cache.client import Cache
from trading.risk.checks import Limits
from trading.security.access import Access
from trading.security.addresses import Networks
from trading.security.allowlist import Allowlist, Version
from trading.security.credentials import MountedCredential
from trading.security.principal import Principal, Role
from trading.storage.database import Database

KEY = {"X-API-Key": Credentials.values("api")["a"]}


class Api:
    """Calls of the app, each with a good key and a JSON body."""

    def __init__(self, client: FlaskClient, stage: Stage) -> None:
        self.client, self.stage = client, stage

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:  # noqa: ANN401 - the test client's
        """One call."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(f"/v1{path}", method=method, json=body, headers=KEY | named)

    def get(self, path: str) -> dict[str, Any]:
        """The body of a GET that must succeed."""
        return self.done(self.call("GET", path), 200)

    def done(self, answer: Any, status: int) -> dict[str, Any]:  # noqa: ANN401
        """The body of an answer that must have a status."""
        assert answer.status_code == status, answer.text
        body: dict[str, Any] = answer.get_json()
        return body

    def refused(self, answer: Any, status: int, code: str) -> dict[str, Any]:  # noqa: ANN401
        """The problem that an answer must be."""
        body = self.done(answer, status)
        assert (body["code"], answer.mimetype) == (code, "application/problem+json")
        return body


def make_api(stage: Stage) -> Iterator[Api]:
    """The app on the stores of a stage."""
    folder = stage.credentials.folder
    database = Database(stage.logins(), max_size=4)
    cache = Cache(stage.settings, MountedCredential(folder, "redis-app"))
    database.open()
    access = Access.of(MountedCredential(folder, "jwt"))
    keys, allowlist = MountedCredential(folder, "api"), Allowlist(None, Networks(), Version())
    app = create_app(Dependencies(database, cache, keys, Limits(), access, allowlist))
    yield Api(app.test_client(), stage)
    database.close()
    cache.close()


@pytest.fixture
def api(stage: Stage) -> Iterator[Api]:
    """The app on a market of one symbol at 100 rupees."""
    open_market(stage)
    yield from make_api(stage)


class Caller:
    """Who the API takes the caller for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def be(self, role: Role, *accounts: str, name: str = "asha") -> None:
        """From now on the caller has this role, in these accounts or in all."""
        who = Principal(name, role, frozenset(accounts) or None)
        self._monkeypatch.setattr("trading.api.access._whoever", lambda: who)


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Caller:
    """See `Caller`."""
    return Caller(monkeypatch)
