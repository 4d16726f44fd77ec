"""The header `Idempotency-Key`: a request that is sent again is answered as before and done once."""

import hashlib
import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from flask import Response, jsonify, request

from trading.api.access import principal
from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.schemas.base import Model
from trading.storage.connection import Connection
from trading.storage.idempotency import Answer
from trading.storage.idempotency import once as booked_once

P = ParamSpec("P")
R = TypeVar("R")
HEADER = "Idempotency-Key"
KEY = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def once(status: HTTPStatus, work: Callable[[Connection], Model]) -> Response:
    """Do the work of this request in one transaction, once a key; without a key each request is a new one.

    Its key is in any case on record before the work begins, so that a commit whose outcome is not known is asked for
    and not done again.
    """
    given = request.headers.get(HEADER)
    if given is not None and not KEY.fullmatch(given):
        refuse(HTTPStatus.BAD_REQUEST, "IDEMPOTENCY_KEY_INVALID", f"{HEADER}: must be 1 to 64 of A-Z a-z 0-9 _ . : -")
    key = given or f"once:{secrets.token_hex(16)}"
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.get_data()).hexdigest()
    who = principal().name

    def run(connection: Connection) -> Answer:
        with connection.writing():
            return booked_once(connection, who, key, digest, lambda: (status, work(connection).model_dump(mode="json")))

    code, body = dependencies().database.run(run)
    answer = jsonify(body)
    answer.status_code = code
    return answer


def keyed(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a view that uses `once`, for the document."""
    view.takes_key = True  # type: ignore[attr-defined]
    return view
