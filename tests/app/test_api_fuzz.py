"""Every operation with made-up requests, good and bad, against a real process on real stores.

The answers must be among those that the document names, have the bodies that it names, and never be an error of ours;
no secret of a request comes back in a problem. What is made up for the allowlist shuts nobody out: the API does not let
its caller shut itself out, and the cases that follow show it.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.app.client import KEY
from tests.app.fix_stage import make_stage
from tests.app.servers import Postgres, RedisSet, eventually
from tests.app.stage import Stage
from tests.app.test_api import spec
from tests.app.test_storage import open_market
from trading.security.credentials import MountedCredential
from trading.security.principal import Role
from trading.security.tokens import AccessTokens, Claims
from trading.storage import sessions, users

pytestmark = pytest.mark.cluster
EXAMPLES = 6  # of each operation, beside some forty at its bounds; always the same ones
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
LOGOUT, STREAM = "/v1/auth/logout", "/v1/quotes/stream"
SECRETS = ("password", "current", "new", "refresh_token")
GUESSABLE = 8  # characters of a made-up secret up to which it may be in a text by chance


def trusting() -> dict[str, Any]:
    """The document without its keys: every request has a good one, or most would go no further than that."""
    document = spec()
    del document["components"]["securitySchemes"]
    for methods in document["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    return document


SCHEMA = schemathesis.openapi.from_dict(trusting())


class Fuzzed:
    """An API with one symbol, and the connection on which it is asked."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._url = f"http://127.0.0.1:{stage.start('api').port}"
        self._session = requests.Session()
        self._tokens = AccessTokens(MountedCredential(stage.credentials.folder, "jwt"))
        self._database = stage.connect()
        users.add_user(self._database, "leaver", Role.VIEWER, None, "")

    def ask(self, case: Case[Any]) -> requests.Response:
        """The answer to a request; of a stream its begin."""
        headers = self.logged_in() if case.operation.path == LOGOUT else KEY
        sent = case.as_transport_kwargs(base_url=self._url, headers=headers)
        answer = self._session.request(**sent, timeout=20, stream=True)
        if answer.ok and case.operation.path == STREAM:
            with answer:
                answer._content = next(answer.iter_content(None), b"")  # none of HEAD
        return answer

    def logged_in(self) -> dict[str, str]:
        """The header of somebody who has just logged in, and whom logging out ends."""
        now, session = datetime.now(UTC), uuid4()
        sessions.begin(self._database, session, "leaver", now + timedelta(hours=1), os.urandom(32))
        return {"Authorization": f"Bearer {self._tokens.issue(Claims('leaver', session), now)}"}

    def close(self) -> None:
        self._session.close()
        self._database.close()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_set: RedisSet) -> Iterator[Fuzzed]:
    stage = make_stage(tmp_path_factory.mktemp("fuzz"), postgres, redis_set)
    open_market(stage)
    made = Fuzzed(stage)
    yield made
    made.close()
    stage.close()


def secrets_of(body: object) -> list[str]:
    """What nobody else may read of a request: its key, and what its body has under the names of secrets."""
    named = [body.get(name) for name in SECRETS] if isinstance(body, dict) else []
    return [KEY["X-API-Key"], *(value for value in named if isinstance(value, str) and len(value) > GUESSABLE)]


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_keeps_its_word(fuzzed: Fuzzed, case: Case[Any]) -> None:
    answer = fuzzed.ask(case)
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code < 400:
        return
    told = [secret for secret in secrets_of(case.body) if secret in answer.text]
    assert not told
    if isinstance(case.body, dict):
        assert answer.json()["code"]


def test_what_is_asked_of_logout_and_stream_is_done(fuzzed: Fuzzed) -> None:
    """The cases above say nothing if each of them was refused. A stream that was left is free at its next word."""
    logout, stream = SCHEMA[LOGOUT]["POST"], SCHEMA[STREAM]["GET"]
    assert fuzzed.ask(logout.Case()).status_code == 204
    eventually(lambda: fuzzed.ask(stream.Case()).status_code == 200, 20, "a stream is free")
