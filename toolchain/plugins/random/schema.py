"""The provider's schema in Pulumi's package format, from which the CLI reads property types and secrecy."""

import json
from typing import Any

from toolchain.plugins.random.kinds import KINDS, Field, Kind

SHAPES: dict[str, dict[str, Any]] = {
    "map": {"type": "object", "additionalProperties": {"type": "string"}},
    "list": {"type": "array", "items": {"type": "string"}},
}


def schema(version: str) -> str:
    """The schema as JSON."""
    return json.dumps(
        {
            "name": "random",
            "version": version,
            "description": "Random values that are drawn once and kept in the state.",
            "config": {},
            "provider": {"description": "The provider of the random package."},
            "resources": {token: resource(kind) for token, kind in KINDS.items()},
        }
    )


def resource(kind: Kind) -> dict[str, Any]:
    """One resource's part of the schema."""
    properties = {**kind.inputs, **kind.outputs}
    return {
        "inputProperties": {name: shape(field) for name, field in kind.inputs.items()},
        "requiredInputs": [name for name, field in kind.inputs.items() if field.required],
        "properties": {name: shape(field) for name, field in properties.items()},
        "required": [n for n, field in properties.items() if field.required or n in kind.outputs or field.default],
    }


def shape(field: Field) -> dict[str, Any]:
    """One property's type."""
    shape = dict(SHAPES.get(field.type) or {"type": field.type})
    return shape | ({"secret": True} if field.secret else {})
