"""Completes the OpenAPI document: what every operation shares, schemas without repetition, and examples."""

import json
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic.json_schema import models_json_schema

from trading.api import access, idempotency, problems, ratelimit
from trading.api.schemas.base import Model, Problem
from trading.api.stream import MEDIA_TYPE as STREAM

JSON = "application/json"
REF = "#/components/schemas/"
IN_PATHS = {  # examples of what a path is filled with
    "order_id": "5a3a3a3e-2f64-5d0b-8f0a-5a2f6c9f2b11",
    "backtest_id": "0f3a3a3e-2f64-4d0b-8f0a-5a2f6c9f2b11",
    "symbol": "RELIANCE",
    "name": "ema-crossover",
    "index": "NIFTY50",
    "key_id": "k7f3a9",
}
PARAMETERS = {
    "IdempotencyKey": {
        "name": idempotency.HEADER,
        "in": "header",
        "required": False,
        "description": "Your own name for this request: sent again with it, the request is answered as before.",
        "schema": {"type": "string", "pattern": f"^{idempotency.KEY.pattern}$"},
        "example": "close-2026-01-05-1",
    }
}
HEADERS = {
    "RateLimit-Policy": {
        "description": "How many requests (`q`) within so many seconds (`w`) are served.",
        "schema": {"type": "string"},
        "example": f'"{ratelimit.POLICY}";q=12000;w={ratelimit.WINDOW_S}',
    },
    "RateLimit": {
        "description": "How many are left (`r`), and seconds (`t`) until there are more.",
        "schema": {"type": "string"},
        "example": f'"{ratelimit.POLICY}";r=11990;t=42',
    },
}
LEFT = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
RESPONSES = {
    "400": "The body is no JSON.",
    "401": "The key, token or signature is missing or wrong.",
    "403": "The role is not enough, or the address is not let in.",
    "404": "There is no such thing, or it is not yours.",
    "409": "The key came with another request before.",
    "413": "The body is too long.",
    "415": "The body is not JSON.",
    "422": "A field or a parameter breaks a rule.",
    "429": "Too many requests of this caller.",
    "503": "A store is away; try again.",
}

PROBLEM = {problems.MEDIA_TYPE: {"schema": {"$ref": f"{REF}Problem"}}}

View = Callable[..., Any]


def complete(app: Flask, spec: Any) -> Any:  # noqa: ANN401 - a JSON document, and what the framework declares
    """The document that is served and committed, of what the framework has made of the views."""
    spec["tags"] = [tag for tag in spec["tags"] if tag["name"] != "V1"]
    spec["paths"] = dict(sorted(spec["paths"].items()))
    for path, method, view, endpoint in routes(app):
        operation = spec["paths"].get(path, {}).get(method)
        if operation is not None:
            operation["operationId"] = view.__name__
            for parameter in operation.get("parameters", ()):
                _complete_parameter(parameter)
            if path.startswith("/v1/"):
                _complete_operation(path, method, operation, view, is_free=endpoint in ratelimit.FREE)
    ready = spec["paths"]["/health/ready"]["get"]["responses"]
    ready["503"]["content"] = ready["200"]["content"]
    spec["paths"]["/metrics"]["get"]["responses"]["200"]["content"] = {
        "text/plain": {"schema": {"type": "string"}, "example": "# HELP trading_http_request_seconds Time to answer\n"}
    }
    spec["components"] |= {
        "schemas": _schemas(spec["paths"]),
        "parameters": PARAMETERS,
        "headers": HEADERS,
        "responses": {status: {"description": text, "content": PROBLEM} for status, text in RESPONSES.items()},
    }
    spec = json.loads(re.sub(rf'"{REF}\w+\.(\w+)"', rf'"{REF}\1"', json.dumps(spec)))
    for content in _contents(spec["paths"]):
        name = content.get("schema", {}).get("$ref", "").removeprefix(REF)
        if name in spec["components"]["schemas"]:
            content.setdefault("example", spec["components"]["schemas"][name]["examples"][0])
    return spec


def routes(app: Flask) -> Iterator[tuple[str, str, View, str]]:
    """Path, method, view and endpoint of every route."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield path, method.lower(), app.view_functions[rule.endpoint], rule.endpoint


def _complete_parameter(parameter: dict[str, Any]) -> None:
    """A query parameter cannot be null, as it is text; and what is in a path has an example."""
    schema = parameter["schema"]
    named = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if named:
        [kind] = named
        parameter["schema"] = kind | {name: text for name, text in schema.items() if name == "description"}
    if parameter["in"] == "path":
        parameter["example"] = IN_PATHS[parameter["name"]]


def _complete_operation(path: str, method: str, operation: dict[str, Any], view: View, *, is_free: bool) -> None:
    """Name the key, the role and the problems of an operation that needs a key."""
    access.describe(operation, view, method)
    responses: dict[str, dict[str, Any]] = operation["responses"]
    has_body, takes_key = "requestBody" in operation, getattr(view, "takes_key", False)
    has_query = any(parameter["in"] == "query" for parameter in operation["parameters"])
    for status, applies in (
        ("400", has_body),
        ("401", True),
        ("403", True),
        ("404", has_body or has_query or "{" in path),
        ("409", takes_key),
        ("413", has_body),
        ("415", has_body),
        ("422", has_body or has_query),
        ("429", not is_free),
        ("503", True),
    ):
        if applies:
            responses.setdefault(status, {"$ref": f"#/components/responses/{status}"})
    if has_body:
        operation["requestBody"]["required"] = True
    if takes_key:
        operation["parameters"].append({"$ref": "#/components/parameters/IdempotencyKey"})
    if "201" in responses and "200" in responses:
        responses["200"]["content"] = responses["201"]["content"]
    for status, response in responses.items():
        if "$ref" in response:
            continue
        if int(status) >= HTTPStatus.BAD_REQUEST:
            response["content"] = PROBLEM
        elif not is_free:
            response["headers"] = LEFT
    if getattr(view, "is_stream", False):
        responses["200"]["content"] = {STREAM: {"schema": {"type": "string"}, "example": "event: quote\ndata: {}\n\n"}}
    operation["responses"] = dict(sorted(responses.items()))


def _schemas(paths: dict[str, Any]) -> dict[str, Any]:
    """Every schema once: bodies of requests as they are read, those of answers as they are written."""
    models = {model.__name__: model for model in _models(Model)}
    told = {_name(content) for content in _contents(paths, "responses")} | {Problem.__name__}
    wanted = [
        (models[name], "serialization" if name in told else "validation")
        for name in sorted({reference.partition(".")[0] for reference in _references(paths)})
        if name in models
    ]
    _, found = models_json_schema(wanted, ref_template=f"{REF}{{model}}")  # type: ignore[arg-type]  # its literals
    used = {reference.rpartition(".")[2] for reference in _references(paths)}
    used |= {name for schema in found["$defs"].values() for name in _references(schema)}
    return {name: schema for name, schema in sorted(found["$defs"].items()) if name in used}


def _references(part: Any) -> set[str]:  # noqa: ANN401 - any part of a JSON document
    return set(re.findall(rf'"{REF}([^"]+)"', json.dumps(part)))


def _models(base: type[Model]) -> Iterator[type[Model]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _contents(paths: dict[str, Any], *parts: str) -> Iterator[dict[str, Any]]:
    """The media types of all bodies."""
    for methods in paths.values():
        for operation in methods.values():
            bodies = [operation.get("requestBody", {})] if not parts or "requestBody" in parts else []
            bodies += operation["responses"].values() if not parts or "responses" in parts else []
            for body in bodies:
                yield from body.get("content", {}).values()


def _name(content: dict[str, Any]) -> str:
    name: str = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return name
