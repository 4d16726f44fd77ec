"""The rules that inputs are checked against, types first."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from toolchain.plugins.random.kinds import Kind
from toolchain.plugins.values import UNKNOWN

TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "map": lambda value: isinstance(value, Mapping) and all(_text(item) for item in value.values()),
    "list": lambda value: isinstance(value, list) and all(_text(item) for item in value),
}
NAMES: Final = {
    "integer": "a whole number",
    "boolean": "true or false",
    "string": "a string",
    "map": "a map of strings",
    "list": "a list of strings",
}


def failures(kind: Kind, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of property and broken rule. Values that are not known yet break none."""
    found = [(name, "is required") for name, field in kind.inputs.items() if field.required and given.get(name) is None]
    known = {}
    for name, value in given.items():
        if name.startswith("__") or value is None or value is UNKNOWN:
            continue
        if name not in kind.inputs:
            found.append((name, f"is no input of {kind.token}; it has {', '.join(sorted(kind.inputs))}"))
        elif not TYPES[kind.inputs[name].type](value):
            found.append((name, f"must be {NAMES[kind.inputs[name].type]}"))
        else:
            known[name] = value
    return found or kind.problems(known)


def _text(value: object) -> bool:
    return isinstance(value, str) or value is None or value is UNKNOWN
