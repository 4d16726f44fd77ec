"""Pulumi's property values on the wire (protobuf Struct) and in Python.

In Python a `Value` is None, bool, int, float, str, a list or a str-keyed dict of values, or one of the marks below:
`UNKNOWN`, `Secret`, `Output`, `Asset`, `Archive`, `ResourceReference`. The wire form writes a mark as an object whose
signature key says what it is; keys and signatures are the Pulumi protocol's (sdk/go/common/resource/sig).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from google.protobuf.struct_pb2 import NULL_VALUE, Struct
from google.protobuf.struct_pb2 import Value as Wire

Value: TypeAlias = Any
"""A property value, as the module's docstring says; a recursive union of invariant containers would help nobody."""

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"

UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_TEXT,  # string, and what the Python SDK sends for any type
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
EXACT_INTEGERS: Final = 2**53
"""Beyond this a double, the wire's only number, no longer holds every integer."""


class Unknown:
    """The type of `UNKNOWN`, a value that only the update will tell; use the constant, compare with `is`."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the state encrypts and the CLI hides; its repr does not show it."""

    value: Value = field(repr=False)


@dataclass(frozen=True, slots=True)
class Output:
    """An output value: a value that may be unknown or secret, with the URNs that it depends on."""

    value: Value = field(repr=False)
    secret: bool = False
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asset:
    """A file's content: exactly one of text, path and uri, and its SHA-256 when known."""

    text: str | None = None
    path: str | None = None
    uri: str | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """A tree of files: exactly one of assets (name to `Asset` or `Archive`), path and uri, and its hash when known."""

    assets: Mapping[str, Value] | None = None
    path: str | None = None
    uri: str | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class ResourceReference:
    """A reference to another resource; `id` is None for a component and may be `UNKNOWN`."""

    urn: str
    id: Value = None
    package_version: str = ""


# --- wire to Python ---------------------------------------------------------------------------------------------------


def unmarshal(struct: Struct) -> dict[str, Value]:
    """The properties in a Struct. Whole numbers become int. Raises ValueError for a signature nobody knows."""
    return {key: _read(value) for key, value in struct.fields.items()}


def _read(wire: Wire) -> Value:
    kind = wire.WhichOneof("kind")
    if kind == "string_value":
        text = wire.string_value
        return UNKNOWN if text in UNKNOWN_TEXTS else text
    if kind == "struct_value":
        plain = unmarshal(wire.struct_value)
        return _read_mark(plain) if SIGNATURE_KEY in plain else plain
    if kind == "number_value":
        number = wire.number_value
        return int(number) if abs(number) <= EXACT_INTEGERS and number.is_integer() else number
    if kind == "list_value":
        return [_read(item) for item in wire.list_value.values]
    return wire.bool_value if kind == "bool_value" else None


def _read_mark(plain: dict[str, Value]) -> Value:
    signature = plain.pop(SIGNATURE_KEY)
    if signature == SECRET:
        return Secret(plain.get("value"))
    if signature == OUTPUT:
        dependencies = tuple(plain.get("dependencies") or ())
        return Output(plain.get("value", UNKNOWN), bool(plain.get("secret", False)), dependencies)
    if signature == ASSET:
        return Asset(**_content(plain, "text"))
    if signature == ARCHIVE:
        return Archive(**_content(plain, "assets"))
    if signature == RESOURCE:
        # The engine writes an id that is not known yet as an empty string.
        identity = UNKNOWN if plain.get("id") == "" else plain.get("id")
        return ResourceReference(plain["urn"], identity, plain.get("packageVersion") or "")
    raise ValueError(f"property value has the signature {signature!r}, which this plugin does not know")


def _content(plain: dict[str, Value], inline: str) -> dict[str, Value]:
    """The fields of an asset or archive; empty strings stand for absent ones, an empty inline text only when alone."""
    sources = {key: plain[key] for key in (inline, "path", "uri") if plain.get(key) not in (None, "")}
    if not sources and plain.get(inline) is not None:
        sources = {inline: plain[inline]}
    return sources | {"hash": plain.get("hash") or None}


# --- Python to wire ---------------------------------------------------------------------------------------------------


def marshal(properties: Mapping[str, Value]) -> Struct:
    """The Struct of the properties. Raises TypeError, which names the path, for what is not a `Value`."""
    struct = Struct()
    _write_fields(struct, properties, ())
    return struct


def _write_fields(struct: Struct, properties: Mapping[str, Value], path: tuple[str | int, ...]) -> None:
    struct.SetInParent()
    for key, value in properties.items():
        _write(struct.fields[key], value, (*path, key))


def _write(wire: Wire, value: Value, path: tuple[str | int, ...]) -> None:  # each branch is one kind of value
    if value is None:
        wire.null_value = NULL_VALUE
    elif value is UNKNOWN:
        wire.string_value = UNKNOWN_TEXT
    elif isinstance(value, str):
        wire.string_value = value
    elif isinstance(value, bool):
        wire.bool_value = value
    elif isinstance(value, int | float):
        wire.number_value = value
    elif isinstance(value, Mapping):
        _write_fields(wire.struct_value, value, path)
    elif isinstance(value, list | tuple):
        wire.list_value.SetInParent()
        for index, item in enumerate(value):
            _write(wire.list_value.values.add(), item, (*path, index))
    else:
        _write_fields(wire.struct_value, _mark_fields(value, path), path)


def _mark_fields(value: Value, path: tuple[str | int, ...]) -> dict[str, Value]:
    if isinstance(value, Secret):
        return {SIGNATURE_KEY: SECRET, "value": value.value}
    if isinstance(value, Output):
        fields: dict[str, Value] = {SIGNATURE_KEY: OUTPUT}
        if value.value is not UNKNOWN:
            fields["value"] = value.value
        if value.secret:
            fields["secret"] = True
        if value.dependencies:
            fields["dependencies"] = value.dependencies
        return fields
    if isinstance(value, Asset | Archive):
        inline = "text" if isinstance(value, Asset) else "assets"
        fields = {key: getattr(value, key) for key in (inline, "path", "uri", "hash")}
        signature = ASSET if isinstance(value, Asset) else ARCHIVE
        return {SIGNATURE_KEY: signature} | {key: content for key, content in fields.items() if content is not None}
    if isinstance(value, ResourceReference):
        fields = {SIGNATURE_KEY: RESOURCE, "urn": value.urn, "packageVersion": value.package_version}
        if value.id is not None:
            fields["id"] = "" if value.id is UNKNOWN else value.id
        return fields
    raise TypeError(f"{property_path(path)} is a {type(value).__name__}, which is no property value")


# --- looking at values ------------------------------------------------------------------------------------------------


def walk(value: Value) -> Iterator[Value]:
    """The value and every value within it, marks included."""
    yield value
    if isinstance(value, Secret | Output):
        yield from walk(value.value)
    elif isinstance(value, Archive):
        yield from walk(value.assets)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from walk(item)


def has_unknown(value: Value) -> bool:
    """Whether anything in the value is unknown."""
    return any(part is UNKNOWN for part in walk(value))


def has_secret(value: Value) -> bool:
    """Whether anything in the value is secret."""
    return any(isinstance(part, Secret) or (isinstance(part, Output) and part.secret) for part in walk(value))


def unwrap(value: Value) -> Value:
    """The value without `Secret` and `Output` around any part; unknowns stay."""
    if isinstance(value, Secret | Output):
        return unwrap(value.value)
    return _map_items(value, unwrap)


def mark_secrets(value: Value, like: Value) -> Value:
    """`value` with a `Secret` at each place where `like`, a value of the same shape, has one.

    A list whose length differs from that of a list with a secret is secret as a whole: its items cannot be matched.
    """
    if isinstance(like, Secret) or (isinstance(like, Output) and like.secret):
        return Secret(unwrap(value))
    if isinstance(like, Output):
        return mark_secrets(value, like.value)
    if isinstance(value, Mapping) and isinstance(like, Mapping):
        return {key: mark_secrets(item, like[key]) if key in like else item for key, item in value.items()}
    if isinstance(value, list) and isinstance(like, list) and has_secret(like):
        if len(value) != len(like):
            return Secret(unwrap(value))
        return [mark_secrets(item, other) for item, other in zip(value, like, strict=True)]
    return value


def _map_items(value: Value, function: Callable[[Value], Value]) -> Value:
    if isinstance(value, Mapping):
        return {key: function(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [function(item) for item in value]
    return value


def property_path(path: tuple[str | int, ...]) -> str:
    """A path as the CLI writes it: `spec.ports[0].name`, `metadata.labels["app.kubernetes.io/name"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and not any(c in part for c in '."[]'):
            text += f".{part}" if text else part
        else:
            escaped = part.replace('"', '\\"')
            text += f'["{escaped}"]'
    return text
