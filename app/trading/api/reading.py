"""How bodies are read: JSON, neither too deep nor with a name twice, and nothing else."""

import json
from http import HTTPStatus
from typing import Any

from flask import request
from flask.json.provider import DefaultJSONProvider

from trading.api.problems import refuse

MAX_DEPTH = 20


class JsonProvider(DefaultJSONProvider):
    """JSON in and out. What a reader could understand in two ways is an error."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the text holds
        """The value of a text.

        Raises:
            ValueError: it is no JSON, too deep, has a name twice in one object, or a number that JSON has not.
        """
        try:
            value = json.loads(s, object_pairs_hook=_object, parse_constant=_constant, **kwargs)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        _check(value, MAX_DEPTH)
        return value


def require_json() -> None:
    """End a request whose body says that it is something else than JSON."""
    if request.content_length and request.mimetype and not request.is_json:
        refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", "send the body as application/json")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in one object")
    return found


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _check(value: object, left: int) -> None:
    """Raise ValueError for what is nested deeper than `left`, and for text that no database keeps."""
    if isinstance(value, str) and ("\0" in value or (not value.isascii() and has_surrogate(value))):
        raise ValueError("text with a NUL or half a character")
    if isinstance(value, dict | list):
        if not left:
            raise ValueError("nested too deep")
        for part in (*value, *value.values()) if isinstance(value, dict) else value:
            _check(part, left - 1)


def has_surrogate(text: str) -> bool:
    """Whether there is half of a pair, which is no character."""
    return any("\ud800" <= char <= "\udfff" for char in text)
