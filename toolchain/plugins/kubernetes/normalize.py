"""One written form for what the server takes as the same, so that a diff shows real changes only."""

import base64
from typing import Any, Final

from toolchain.plugins.kubernetes import quantity
from toolchain.plugins.kubernetes.objects import Object, dig, kind_of, without_nulls
from toolchain.plugins.values import has_unknown

READ_ONLY_METADATA: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
DASHED: Final = {
    f"x_kubernetes_{name.replace('-', '_')}": f"x-kubernetes-{name}"
    for name in (
        "embedded-resource",
        "int-or-string",
        "list-map-keys",
        "list-type",
        "map-type",
        "preserve-unknown-fields",
        "validations",
    )
}
"""Keys of a CRD's schema that the SDKs write with underscores."""
UNDERSCORED: Final = {dashed: key for key, dashed in DASHED.items()}


def is_secret(obj: Object) -> bool:
    """Whether the object is a core/v1 Secret."""
    return kind_of(obj) == ("", "v1", "Secret")


def inputs(obj: Object) -> Object:
    """The object without nulls and read-only metadata, a Secret's `stringData` turned into `data` as the server does.

    A Secret with anything unknown keeps its `stringData`: what it will be encoded to is not known either.
    """
    obj = without_nulls(obj)
    if isinstance(metadata := obj.get("metadata"), dict):
        obj["metadata"] = {key: value for key, value in metadata.items() if key not in READ_ONLY_METADATA}
    strings = obj.get("stringData")
    if is_secret(obj) and isinstance(strings, dict) and not has_unknown(obj):
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in strings.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
        del obj["stringData"]
    return obj


def rename_keys(value: Any, names: dict[str, str]) -> Any:  # noqa: ANN401
    """The value with keys renamed at any depth."""
    if isinstance(value, dict):
        return {names.get(key, key): rename_keys(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [rename_keys(item, names) for item in value]
    return value


def is_zero(value: Any) -> bool:  # noqa: ANN401
    """Whether this is a value that servers leave out when they print an object (Go's `omitempty`)."""
    return value is None or value is False or value in ("", 0) or (isinstance(value, dict | list) and not value)


def prune(live: Any, shape: Any, path: tuple[str | int, ...] = ()) -> Any:  # noqa: ANN401
    """What the live object has of the fields that the inputs (`shape`) set.

    Where the server merely writes a field in another way (a quantity, a zero value left out), the inputs' form stays.
    """
    if isinstance(live, dict) and isinstance(shape, dict):
        kept = {key: prune(live[key], wanted, (*path, key)) for key, wanted in shape.items() if key in live}
        return kept | {key: wanted for key, wanted in shape.items() if key not in live and is_zero(wanted)}
    if isinstance(live, list) and isinstance(shape, list):
        return [prune(item, wanted, (*path, i)) for i, (item, wanted) in enumerate(zip(live, shape, strict=False))]
    return shape if quantity.same(path, live, shape) else live


def importable(live: Object) -> Object:
    """The inputs for an object that nobody declared yet: all of it but what only a server writes."""
    obj = inputs({key: value for key, value in live.items() if key != "status"})
    annotations = dig(obj, "metadata", "annotations", default={})
    own = {
        key: value
        for key, value in annotations.items()
        if key not in ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration")
    }
    if annotations and own:
        obj["metadata"]["annotations"] = own
    elif annotations:
        del obj["metadata"]["annotations"]
    return obj
