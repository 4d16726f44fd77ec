"""Turn what pydantic finds into problems that name field, value, rule and way out. Pure."""

import copy
import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.kit.errors import NOT_SET, Problem

UNITS: dict[str, tuple[str, dict[str, int]]] = {
    # suffix of a key: what one of it is, and how many of it other spellings are
    "_gib": ("GiB", {"Gi": 1, "GiB": 1, "Ti": 1024, "TiB": 1024}),
    "_mib": ("MiB", {"Mi": 1, "MiB": 1, "Gi": 1024, "GiB": 1024}),
    "_ms": ("milliseconds", {"ms": 1, "s": 1000}),
    "_s": ("seconds", {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}),
    "_m": ("thousandths of a core", {"m": 1}),
}


def problems_of(
    error: ValidationError, model: type[BaseModel], secret_keys: Collection[str], also_known: Collection[str]
) -> list[Problem]:
    """One problem for each thing that is wrong.

    Args:
        error: what pydantic found.
        model: what it checked against.
        secret_keys: keys whose value must not be shown.
        also_known: keys beside the model's own that exist at the first level.
    """
    return [_problem(details, model, secret_keys, also_known) for details in error.errors(include_url=False)]


def _problem(
    details: ErrorDetails, model: type[BaseModel], secret_keys: Collection[str], also_known: Collection[str]
) -> Problem:
    path = tuple(str(part) for part in details["loc"])
    field, kind = ".".join(path), details["type"]
    value = "[secret]" if path and path[0] in secret_keys else details["input"]
    if kind == "extra_forbidden":
        return unknown_key(field, value, [*keys_of(model, path[:-1]), *(also_known if len(path) == 1 else ())])
    if kind == "missing":
        return Problem(field, NOT_SET, "is required", f"pulumi config set --path {field} VALUE")
    if kind in {"int_type", "int_parsing", "int_from_float"}:
        return _whole_number(field, value)
    if kind in {"bool_type", "bool_parsing"}:
        return Problem(field, value, "true or false", "give true or false, without quotes")
    if kind in {"model_type", "model_attributes_type", "dict_type", "dataclass_type"}:
        keys = ", ".join(keys_of(model, path)) or "names"
        return Problem(field, value, f"an object with the keys {keys}", f"pulumi config set --path {field}.KEY VALUE")
    return Problem(field, value, _sentence(details["msg"]), "correct the value")


def unknown_key(field: str, value: object, known: Iterable[str]) -> Problem:
    """A key that nobody reads: most often a typing error, so the nearest known one is named."""
    *parents, key = field.split(".")
    choices = sorted(known)
    near = difflib.get_close_matches(key, choices, n=1, cutoff=0.6)
    if near:
        return Problem(field, value, "there is no such key", f"did you mean {'.'.join([*parents, near[0]])!r}?")
    return Problem(field, value, "there is no such key", f"the keys here are {', '.join(choices)}")


def _whole_number(field: str, value: object) -> Problem:
    unit, _ = _unit(field)
    rule = f"a whole number of {unit}, without a unit" if unit else "a whole number, without quotes"
    meant = _number_meant(field, value)
    return Problem(field, value, rule, "give a number such as 1" if meant is None else f"give {meant}")


def _unit(key: str) -> tuple[str, dict[str, int]]:
    return next((unit for suffix, unit in UNITS.items() if key.endswith(suffix)), ("", {}))


def _number_meant(key: str, value: object) -> int | None:
    """The number that a text such as '10Gi' means in the unit of the key; None where it cannot be told."""
    match = re.fullmatch(r"\s*(\d+)\s*([A-Za-z]*)\s*", value) if isinstance(value, str) else None
    if match is None:
        return None
    factor = ({"": 1} | _unit(key)[1]).get(match[2])
    return None if factor is None else int(match[1]) * factor


def keys_of(model: type[BaseModel], path: Iterable[str]) -> list[str]:
    """The keys, as the configuration spells them, of the object at a path of keys."""
    here: type[BaseModel] | None = model
    for part in path:
        fields = {(f.alias or name): f for name, f in here.model_fields.items()} if here else {}
        here = _model_in(fields[part].annotation) if part in fields else None
    return [f.alias or name for name, f in here.model_fields.items()] if here else []


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  a type annotation is anything
    candidates = get_args(annotation) if get_origin(annotation) is UnionType else (annotation,)
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:]


def repaired(raw: Mapping[str, object], error: ValidationError) -> dict[str, object]:
    """The configuration with each wrong value replaced by the number that it seems to mean, or left out."""
    mended: dict[str, object] = copy.deepcopy(dict(raw))
    for details in error.errors(include_url=False):
        *parents, key = details["loc"]
        here: Any = mended
        for part in parents:
            here = here[part] if isinstance(here, dict) and part in here else None
        if not isinstance(here, dict) or key not in here:
            continue
        meant = _number_meant(str(key), here.pop(key))
        if meant is not None:
            here[key] = meant
    return mended
