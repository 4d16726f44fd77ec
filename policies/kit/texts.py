"""Configuration files that stand in ConfigMaps and Secrets."""

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from policies.kit.objects import Object
from policies.kit.values import UnknownField


def files(obj: Object, *about: str) -> Iterator[tuple[str, str]]:
    """Path and text of each file of a ConfigMap or Secret.

    A file that is not known yet matters only in an object that is about one of the programs, by its name or by the
    value of a label: no rule can judge every text that is still to come.

    Raises:
        UnknownField: for such a file.
    """
    for field in ("data", "stringData"):
        try:
            holder = obj.values.sub(field)
        except UnknownField:
            if _is_about(obj, about):
                raise
            continue
        for key in holder:
            try:
                text = holder[key]
            except UnknownField:
                if _is_about(obj, about):
                    raise
                continue
            if isinstance(text, str):
                yield holder.at(key), _decoded(text) if (obj.kind, field) == ("Secret", "data") else text


def _is_about(obj: Object, programs: tuple[str, ...]) -> bool:
    named = [obj.name, *(str(obj.labels[key]) for key in obj.labels)]
    return any(program in text for program in programs for text in named)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def parsed(text: str) -> dict[str, Any]:
    """The object that a JSON or YAML file holds; an empty one for any other text."""
    try:
        value = json.loads(text)
    except ValueError:
        import yaml  # slow to import, and most files are JSON or of no interest

        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            return {}
    return value if isinstance(value, dict) else {}
