"""The Flask app: routes, key check, problems, metrics, and the OpenAPI document that follows from them."""

import time
from http import HTTPStatus
from typing import Any

from apiflask import APIBlueprint, APIFlask
from flask import Response, g, request
from prometheus_client import Histogram

from trading import __version__
from trading.api import access, addresses, admin, allowlist, auth, keys, orders, problems, quotes, system
from trading.api.deps import NAME, Dependencies
from trading.api.schemas import Problem

MAX_BODY_BYTES = 16 * 1024
SECONDS = Histogram(
    "trading_http_request_seconds",
    "Time to answer",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)


def create_app(given: Dependencies | None) -> APIFlask:
    """The app; without dependencies it can only describe itself."""
    app = APIFlask("trading.api", title="Trading API", version=__version__, docs_path=None)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        OPENAPI_VERSION="3.1.0",
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_OPERATION_ID=True,
        INFO={"description": "Orders, positions and quotes of the trading engine. It trades on paper."},
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.security_schemes = access.SCHEMES
    problems.install(app)
    app.register_blueprint(system.blueprint)
    app.register_blueprint(_v1())
    app.spec_processor(lambda spec: _complete(spec, access.views(app)))
    app.before_request(_begin)
    if given:
        app.before_request(addresses.check_address)
    app.after_request(_observe)
    if given:
        app.extensions[NAME] = given
    return app


def _v1() -> APIBlueprint:
    """Everything that needs a key; checked before the body is looked at."""
    v1 = APIBlueprint("v1", __name__, url_prefix="/v1")
    v1.before_request(access.recognise)
    v1.register_blueprint(orders.blueprint)
    v1.register_blueprint(quotes.blueprint)
    for blueprint in (auth.blueprint, keys.blueprint, admin.blueprint, allowlist.blueprint):
        v1.register_blueprint(blueprint)
    return v1


def _begin() -> None:
    g.begin = time.perf_counter()


def _observe(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    SECONDS.labels(request.method, route, response.status_code).observe(time.perf_counter() - g.begin)
    return response


def _complete(spec: Any, views: access.Views) -> Any:  # noqa: ANN401 - a JSON document, as the framework declares
    """Put order into the document, and name the key and the problems of every operation that needs a key."""
    schemas = spec["components"]["schemas"]
    schemas.pop("HTTPError", None)  # the framework's own error, which we never send
    schemas.update(_problem_schemas())
    spec["tags"] = [tag for tag in spec["tags"] if tag["name"] != "V1"]
    spec["paths"] = dict(sorted(spec["paths"].items()))
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/v1"):
                access.describe(operation, views[path, method], method)
                _complete_operation(path, operation)
    ready = spec["paths"]["/health/ready"]["get"]["responses"]
    ready["503"]["content"] = ready["200"]["content"]
    spec["paths"]["/metrics"]["get"]["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return spec


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    responses: dict[str, dict[str, Any]] = operation["responses"]
    common = {
        "401": "The key, token or signature is missing or wrong.",
        "403": "The role is not enough, or the address is not let in.",
        "503": "A store is away; try again.",
    }
    if "{" in path:
        common["404"] = "There is no such thing."
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
        common["422"] = "A parameter is invalid."
    if "requestBody" in operation:
        common |= {"400": "The body is no JSON.", "413": "The body is too long.", "422": "A field is invalid."}
    for status, text in common.items():
        responses.setdefault(status, {"description": text})
    if "201" in responses and "200" in responses:
        responses["200"]["content"] = responses["201"]["content"]
    for status, response in responses.items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            response["content"] = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"] = dict(sorted(responses.items()))


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/Problem.{model}")
    nested = {f"Problem.{name}": part for name, part in schema.pop("$defs").items()}
    return nested | {"Problem": schema}
