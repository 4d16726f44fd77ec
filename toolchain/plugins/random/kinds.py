"""The resource types: their properties, rules, how each is made, and how it is read from an import id."""

import base64
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from toolchain.plugins.random import generate
from toolchain.plugins.serve import RpcFailure

Properties = Mapping[str, Any]
NO_ID: Final = "none"
"""The id of resources whose value is secret: ids are not encrypted in the state."""


@dataclass(frozen=True, slots=True)
class Field:
    """One property. `type` is its JSON type; `map` and `list` hold strings."""

    type: str
    required: bool = False
    default: Any = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that was drawn or imported: its id and the properties that are not inputs."""

    id: str
    outputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource type.

    Attributes:
        inputs: every one of them forces replacement when it changes, but for the cases in diff.py.
        outputs: what the provider adds.
        make: draws the outputs from complete inputs.
        parse: inputs and outputs from an import id; None where the type has no import.
        problems: pairs of property and broken rule; inputs that are not known yet are left out of them.
        schema_version: of the state, for the bridge that the official provider is built with; 0 for none.
    """

    token: str
    inputs: Mapping[str, Field]
    outputs: Mapping[str, Field]
    make: Callable[[Properties], Made]
    parse: Callable[[str], tuple[dict[str, Any], Made]] | None
    problems: Callable[[Properties], list[tuple[str, str]]] = lambda _: []
    schema_version: int = 0

    def complete(self, inputs: Properties) -> dict[str, Any]:
        """The inputs with every default filled in."""
        defaults = {name: field.default for name, field in self.inputs.items() if field.default is not None}
        given = {name: value for name, value in inputs.items() if value is not None and name in self.inputs}
        complete = defaults | given
        if "numeric" in self.inputs:
            # `number` is the old name of `numeric`; whichever is given decides both.
            complete["number"] = complete["numeric"] = given.get("numeric", given.get("number", True))
        return complete


KEEPERS: Final = {"keepers": Field("map")}
TEXT: Final = KEEPERS | {
    "length": Field("integer", required=True),
    "upper": Field("boolean", default=True),
    "minUpper": Field("integer", default=0),
    "lower": Field("boolean", default=True),
    "minLower": Field("integer", default=0),
    "numeric": Field("boolean"),
    "number": Field("boolean"),
    "minNumeric": Field("integer", default=0),
    "special": Field("boolean", default=True),
    "minSpecial": Field("integer", default=0),
    "overrideSpecial": Field("string"),
}
MINIMA: Final = ("minUpper", "minLower", "minNumeric", "minSpecial")
CLASSES: Final = ("upper", "lower", "numeric", "special")


def at_least(properties: Properties, name: str, least: int) -> list[tuple[str, str]]:
    """The rule that a number is not below `least`."""
    value = properties.get(name)
    return [(name, f"must be at least {least}; it is {value}")] if isinstance(value, int) and value < least else []


def text_problems(given: Properties) -> list[tuple[str, str]]:
    """The rules of strings and passwords."""
    found = at_least(given, "length", 1)
    for name in MINIMA:
        found += at_least(given, name, 0)
    minima = [given.get(name, 0) for name in MINIMA]
    length = given.get("length")
    if isinstance(length, int) and all(isinstance(least, int) for least in minima) and length < sum(minima):
        total = " + ".join(f"{name} {least}" for name, least in zip(MINIMA, minima, strict=True))
        found.append(("length", f"must be at least the sum of the minima ({total} = {sum(minima)}); it is {length}"))
    if {"number", "numeric"} <= given.keys() and given["number"] is not given["numeric"]:
        found.append(("number", "is the deprecated name of numeric and contradicts it; set numeric only"))
    enabled = {**given, "numeric": given.get("numeric", given.get("number", True))}
    if all(enabled.get(name, True) is False for name in CLASSES):
        found.append(("upper", f"must be true, or one of {', '.join(CLASSES[1:])}; all are false"))
    return found


def make_string(inputs: Properties) -> Made:
    """A string, which is its own id."""
    result = generate.text(inputs, generate.source())
    return Made(result, {"result": result})


def parse_string(identity: str) -> tuple[dict[str, Any], Made]:
    """The string itself is the import id."""
    return {"length": len(identity)}, Made(identity, {"result": identity})


def make_password(inputs: Properties) -> Made:
    """A password and its bcrypt hash."""
    return password(generate.text(inputs, generate.source()))


def parse_password(identity: str) -> tuple[dict[str, Any], Made]:
    """The password itself is the import id."""
    return {"length": len(identity)}, password(identity)


def password(result: str) -> Made:
    """The outputs of a password."""
    return Made(NO_ID, {"result": result, "bcryptHash": generate.bcrypt_hash(result)})


def make_bytes(inputs: Properties) -> Made:
    """Random bytes, which are secret."""
    data = secrets.token_bytes(inputs["length"])
    return Made(NO_ID, {"base64": base64.b64encode(data).decode(), "hex": data.hex()})


def parse_bytes(identity: str) -> tuple[dict[str, Any], Made]:
    """The import id is the bytes in standard base64."""
    data = decoded(identity, None, "base64")
    return {"length": len(data)}, Made(NO_ID, {"base64": identity, "hex": data.hex()})


def make_id(inputs: Properties) -> Made:
    """A random id in four forms; the resource's own id has no prefix."""
    data = secrets.token_bytes(inputs["byteLength"])
    return Made(generate.id_forms(data)["b64Url"], generate.id_forms(data, inputs.get("prefix", "")))


def parse_id(identity: str) -> tuple[dict[str, Any], Made]:
    """The import id is `b64Url`, or `prefix,b64Url`."""
    prefix, _, encoded = identity.rpartition(",")
    data = decoded(encoded + "=" * (-len(encoded) % 4), b"-_", "base64 in the URL alphabet")
    inputs: dict[str, Any] = {"byteLength": len(data)} | ({"prefix": prefix} if prefix else {})
    return inputs, Made(encoded, generate.id_forms(data, prefix))


def decoded(text: str, alphabet_end: bytes | None, what: str) -> bytes:
    """The bytes of an import id in base64; its text is not shown, since it may be secret."""
    try:
        return base64.b64decode(text, alphabet_end, validate=True)
    except ValueError:
        raise RpcFailure(f"import id must be {what}; it cannot be decoded") from None


def make_integer(inputs: Properties) -> Made:
    """A whole number from min to max."""
    result = generate.source(inputs.get("seed", "")).randint(inputs["min"], inputs["max"])
    return Made(str(result), {"result": result})


def parse_integer(identity: str) -> tuple[dict[str, Any], Made]:
    """The import id is `result,min,max` or `result,min,max,seed`."""
    numbers, seed = identity.split(",")[:3], identity.split(",")[3:]
    try:
        result, least, most = (int(number) for number in numbers)
    except ValueError:
        raise RpcFailure(f"import id = {identity!r}: must be result,min,max or result,min,max,seed") from None
    inputs: dict[str, Any] = {"min": least, "max": most} | ({"seed": ",".join(seed)} if seed else {})
    return inputs, Made(str(result), {"result": result})


def integer_problems(given: Properties) -> list[tuple[str, str]]:
    """The rule of ranges."""
    least, most = given.get("min"), given.get("max")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        return [("min", f"must not be greater than max; min is {least}, max is {most}")]
    return []


def make_pet(inputs: Properties) -> Made:
    """A name of words, which is the id."""
    name = generate.pet(inputs["length"], inputs["separator"], generate.source())
    prefix = inputs.get("prefix")
    return Made(f"{prefix}{inputs['separator']}{name}" if prefix else name, {})


def make_shuffle(inputs: Properties) -> Made:
    """The inputs in random order."""
    items = inputs["inputs"]
    count = inputs.get("resultCount") or len(items)
    return Made("-", {"results": generate.shuffle(items, count, generate.source(inputs.get("seed", "")))})


def make_uuid(draw: Callable[[], object]) -> Callable[[Properties], Made]:
    """Maker of one kind of UUID, which is its own id."""

    def make(inputs: Properties) -> Made:
        result = str(draw())
        return Made(result, {"result": result})

    return make


def parse_uuid(identity: str) -> tuple[dict[str, Any], Made]:
    """The import id is the UUID."""
    try:
        result = str(uuid.UUID(identity))
    except ValueError:
        raise RpcFailure(f"import id = {identity!r}: must be a UUID, 8-4-4-4-12 hexadecimal digits") from None
    return {}, Made(result, {"result": result})


def token(name: str) -> str:
    """The full type of a resource."""
    return f"random:index/{name[0].lower()}{name[1:]}:{name}"


RESULT: Final = {"result": Field("string")}
KINDS: Final = {
    kind.token: kind
    for kind in (
        Kind(
            token("RandomPassword"),
            TEXT,
            {"result": Field("string", secret=True), "bcryptHash": Field("string", secret=True)},
            make_password,
            parse_password,
            text_problems,
            schema_version=3,
        ),
        Kind(token("RandomString"), TEXT, RESULT, make_string, parse_string, text_problems, schema_version=2),
        Kind(
            token("RandomBytes"),
            KEEPERS | {"length": Field("integer", required=True)},
            {"base64": Field("string", secret=True), "hex": Field("string", secret=True)},
            make_bytes,
            parse_bytes,
            lambda given: at_least(given, "length", 1),
        ),
        Kind(
            token("RandomId"),
            KEEPERS | {"byteLength": Field("integer", required=True), "prefix": Field("string")},
            {name: Field("string") for name in ("b64Std", "b64Url", "dec", "hex")},
            make_id,
            parse_id,
            lambda given: at_least(given, "byteLength", 1),
        ),
        Kind(
            token("RandomInteger"),
            KEEPERS
            | {
                "min": Field("integer", required=True),
                "max": Field("integer", required=True),
                "seed": Field("string"),
            },
            {"result": Field("integer")},
            make_integer,
            parse_integer,
            integer_problems,
        ),
        Kind(
            token("RandomPet"),
            KEEPERS
            | {
                "length": Field("integer", default=2),
                "prefix": Field("string"),
                "separator": Field("string", default="-"),
            },
            {},
            make_pet,
            None,
            lambda given: at_least(given, "length", 1),
        ),
        Kind(
            token("RandomShuffle"),
            KEEPERS
            | {
                "inputs": Field("list", required=True),
                "resultCount": Field("integer"),
                "seed": Field("string"),
            },
            {"results": Field("list")},
            make_shuffle,
            None,
            lambda given: at_least(given, "resultCount", 0),
        ),
        Kind(token("RandomUuid"), KEEPERS, RESULT, make_uuid(generate.uuid_any), parse_uuid),
        Kind(token("RandomUuid4"), KEEPERS, RESULT, make_uuid(uuid.uuid4), parse_uuid),
        Kind(token("RandomUuid7"), KEEPERS, RESULT, make_uuid(generate.uuid7), parse_uuid),
    )
}
