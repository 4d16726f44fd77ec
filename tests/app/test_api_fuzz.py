"""Every operation with made-up requests, good and bad, against a real process on real stores.

The answers must be among those that the document names, have the bodies that it names, and never be an error of ours;
and nothing that a request has made up comes back in a problem.
"""

from collections.abc import Iterator
from typing import Any

import pytest
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
from tests.app.servers import Postgres, RedisSet
from tests.app.stage import Role, Stage
from tests.app.test_api import spec
from tests.app.test_storage import open_market

pytestmark = pytest.mark.cluster
EXAMPLES = 12  # of each kind an operation; always the same ones
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
NEVER = "/(metrics|v1/quotes/stream|v1/auth/logout|v1/admin/allowlist.*)$"  # no JSON, no end, or it shuts the door


def trusting() -> dict[str, Any]:
    """The document without its keys: every request has a good one, or most would go no further than that."""
    document = spec()
    del document["components"]["securitySchemes"]
    for methods in document["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    return document


SCHEMA = schemathesis.openapi.from_dict(trusting()).exclude(path_regex=NEVER)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_set: RedisSet) -> Iterator[Role]:
    """An API with one symbol."""
    stage: Stage = make_stage(tmp_path_factory.mktemp("fuzz"), postgres, redis_set)
    open_market(stage)
    yield stage.start("api")
    stage.close()


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_keeps_its_word(api: Role, case: Case[Any]) -> None:
    answer = case.call(base_url=f"http://127.0.0.1:{api.port}", headers=KEY, timeout=20)
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code >= 400 and isinstance(case.body, dict):
        problem: dict[str, Any] = answer.json()
        assert problem["code"]
