"""Errors as problem+json (RFC 9457) with stable codes; input values are never repeated."""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NoReturn

from apiflask import APIFlask, HTTPError
from flask import Response

from trading.api.codes import status_of
from trading.api.schemas.base import FieldProblem, Problem
from trading.domain.errors import TradingError

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
NAMED = re.compile(r"[A-Za-z0-9_.]{1,80}")  # of our own fields; a name that a request has made up is not repeated


def refuse(
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **extra: Any,  # noqa: ANN401
) -> NoReturn:
    """End the request with a problem."""
    raise HTTPError(status, message=code, detail=detail, headers=headers, extra_data=extra)


def named(field: str) -> str:
    """The name of a field, or `?` for one that a request has made up."""
    return field if NAMED.fullmatch(field) else "?"


def install(app: APIFlask) -> None:
    """Make every error of an app a problem."""
    app.error_processor(_http_error)
    app.register_error_handler(TradingError, _trading_error)
    app.register_error_handler(Exception, _unexpected)


def _http_error(error: HTTPError) -> Response:
    status = HTTPStatus(error.status_code)
    if isinstance(error.detail, dict) and error.detail:
        errors = [
            FieldProblem(field=named(field), rule=rule)
            for fields in error.detail.values()
            for field, rules in fields.items()
            for rule in rules
        ]
        return _response(status, "REQUEST_INVALID", "the request breaks the rules named in errors", errors=errors)
    if isinstance(error.detail, str):
        response = _response(status, str(error.message), error.detail, **error.extra_data)
        response.headers.extend(dict(error.headers or {}))
        return response
    response = _response(status, status.name, status.description or status.phrase)
    response.headers.extend({name: value for name, value in dict(error.headers).items() if name != "Content-Length"})
    return response


def _trading_error(error: TradingError) -> Response:
    status = status_of(error.code)
    if status is None:
        return _unexpected(error)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("request refused", extra={"code": error.code})
    return _response(status, error.code, str(error))


def _unexpected(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return _response(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", "an error of ours; it has been logged")


def _response(status: HTTPStatus, code: str, detail: str, **extra: Any) -> Response:  # noqa: ANN401
    problem = Problem(type="about:blank", title=status.phrase, status=status, code=code, detail=detail, **extra)
    response = Response(problem.model_dump_json(exclude_defaults=True), status, mimetype=MEDIA_TYPE)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
