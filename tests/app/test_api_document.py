"""What the API says of itself: examples that hold, codes that are all explained, and a page to read it on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import BaseModel

import trading
from tests.app.test_api import client, problem, resolved, spec
from toolchain.kit.paths import ROOT
from trading.api.codes import CODES, page
from trading.api.schemas.base import Model
from trading.security.principal import Role

__all__ = ["client"]
SOURCES = Path(trading.__file__).parent
BODY = "application/json"


def models(base: type[BaseModel] = Model) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from models(model)


MODELS = {model.__name__: model for model in models()}


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in spec()["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_body_has_an_example_that_is_one() -> None:
    document = spec()
    for name, operation in operations():
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        answers = {status: body for status, body in operation["responses"].items() if status < "400"}
        assert answers, name
        bodies += [resolved(document, a["$ref"][2:]) if "$ref" in a else a for a in answers.values()]
        for body in bodies:
            if "content" not in body:
                assert answers.keys() == {"204"}, name
                continue
            [(kind, content)] = body["content"].items()
            assert content["example"], name
            if kind == BODY:
                model = MODELS[content["schema"]["$ref"].rpartition("/")[2]]
                model.model_validate_json(json.dumps(content["example"]))


def test_every_parameter_has_an_example_or_bounds() -> None:
    document = spec()
    for name, operation in operations():
        for found in operation.get("parameters", ()):
            parameter = resolved(document, found["$ref"][2:]) if "$ref" in found else found
            schema = parameter["schema"]
            known = schema.keys() & {"examples", "enum", "default", "format", "pattern", "maximum", "$ref"}
            assert known or "example" in parameter or schema["type"] == "boolean", (name, parameter["name"])


def test_every_operation_names_its_role() -> None:
    """Who may only look changes nothing: what changes something takes a trader at least, beside one's own keys."""
    for name, operation in operations():
        method, _, path = name.partition(" ")
        if not path.startswith("/v1/") or operation["security"] == []:
            continue
        assert operation["x-role"] in list(Role), name
        is_own = path.startswith(("/v1/auth/", "/v1/keys")) or path == "/v1/orders/preview"
        if method != "get" and not is_own:
            assert operation["x-role"] != Role.VIEWER, name


def test_no_answer_shows_a_number_where_rupees_are_meant() -> None:
    """A price that is a JSON number becomes a float in most clients."""
    answers = {
        name
        for _, operation in operations()
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for name in re.findall(r"schemas/(\w+)", json.dumps(content))
    }
    schemas = spec()["components"]["schemas"]
    for name in answers:
        for field, schema in schemas[name].get("properties", {}).items():
            assert '"type": "number"' not in json.dumps(schema), (name, field)


def test_every_code_is_explained() -> None:
    """Those that a view refuses with, and those of errors that come up from below."""
    used = set()
    for file in (SOURCES / "api").rglob("*.py"):
        used |= set(re.findall(r'refuse\(\s*HTTPStatus\.\w+,\s*"([A-Z_]+)"', file.read_text()))
    for file in [*(SOURCES / "storage").rglob("*.py"), *(SOURCES / "security").rglob("*.py")]:
        used |= set(re.findall(r'^    code = "([A-Z_]+)"', file.read_text(), re.MULTILINE))
    never_told = {"BROKER_REFUSED", "LEADERSHIP_LOST", "MIGRATION", "ALLOWLIST", "SEAL_BROKEN"}
    assert used - never_told <= CODES.keys()
    assert used > {"ORDER_NOT_FOUND", "IDEMPOTENCY_KEY_REUSED", "RATE_LIMITED"}


def test_every_code_that_is_named_in_the_document_exists() -> None:
    named = set(re.findall(r"\(`([A-Z_]+)`\)", json.dumps(spec())))
    assert named <= CODES.keys()


def test_page_of_codes_is_current() -> None:
    path = ROOT / "docs" / "engine" / "errors.md"
    assert path.read_text() == page(), "run: python -m trading.api.codes > docs/engine/errors.md"


def test_page_of_the_api_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    answer = client.get("/docs")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "http" not in answer.text
    for name in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        file = client.get(f"/{name}")
        assert file.status_code == 200, name
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        assert len(file.get_data()) > 100
    assert client.get("/openapi.json").get_json() == spec()


@pytest.mark.parametrize("name", ["index.html", "..%2f__init__.py", "%2e%2e/codes.py", "swagger-ui.js"])
def test_page_shows_no_other_file(client: FlaskClient, name: str) -> None:
    problem(client.get(f"/docs/{name}"), 404, "NOT_FOUND")
