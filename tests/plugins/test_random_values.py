"""The random provider's rules and draws, without a process."""

import base64
import re
import uuid
from typing import Any

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.plugins.random import generate
from toolchain.plugins.random.check import failures
from toolchain.plugins.random.diff import difference
from toolchain.plugins.random.kinds import KINDS, Kind
from toolchain.plugins.serve import RpcFailure
from toolchain.plugins.values import UNKNOWN

INDEX = "random:index/random"


def kind(name: str) -> Kind:
    return KINDS[f"{INDEX}{name}:Random{name}"]


PASSWORD, STRING, INTEGER = kind("Password"), kind("String"), kind("Integer")


def test_every_type_of_the_sdk_is_there() -> None:
    import pulumi_random

    offered = {getattr(value, "pulumi_type", "") for value in vars(pulumi_random).values()}
    assert {token for token in offered if token.startswith(INDEX)} == set(KINDS)


MINIMA = st.fixed_dictionaries(
    {name: st.integers(0, 5) for name in ("minUpper", "minLower", "minNumeric", "minSpecial")}
)


@settings(deadline=None)  # a busy machine is no failure
@given(MINIMA, st.integers(0, 20), st.sampled_from([None, "_", "_-."]))
def test_a_password_has_its_length_and_the_least_of_each_class(
    minima: dict[str, int], more: int, special: str | None
) -> None:
    length = sum(minima.values()) + more
    inputs = PASSWORD.complete({"length": length, "overrideSpecial": special} | minima)
    text = generate.text(inputs, generate.source())
    assert len(text) == length
    for alphabet, name in (
        (generate.UPPER, "minUpper"),
        (generate.LOWER, "minLower"),
        (generate.DIGITS, "minNumeric"),
        (special or generate.SPECIAL, "minSpecial"),
    ):
        assert sum(character in alphabet for character in text) >= minima[name]
    assert set(text) <= set(generate.UPPER + generate.LOWER + generate.DIGITS + (special or generate.SPECIAL))


@pytest.mark.parametrize(
    ("inputs", "alphabet"),
    [
        ({"special": False}, generate.UPPER + generate.LOWER + generate.DIGITS),
        ({"special": False, "numeric": False}, generate.UPPER + generate.LOWER),
        ({"special": False, "number": False}, generate.UPPER + generate.LOWER),
        ({"upper": False, "lower": False, "overrideSpecial": "_"}, generate.DIGITS + "_"),
    ],
)
def test_disabled_classes_are_not_drawn_from(inputs: dict[str, Any], alphabet: str) -> None:
    drawn = generate.text(STRING.complete({"length": 500} | inputs), generate.source())
    assert set(drawn) <= set(alphabet)


def test_draws_of_a_seed_repeat_and_others_do_not() -> None:
    items = [str(number) for number in range(30)]
    assert generate.shuffle(items, 30, generate.source("x")) == generate.shuffle(items, 30, generate.source("x"))
    assert generate.shuffle(items, 30, generate.source("x")) != generate.shuffle(items, 30, generate.source("y"))
    assert generate.shuffle(items, 30, generate.source()) != generate.shuffle(items, 30, generate.source())


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.integers(), max_size=6, unique=True), st.integers(0, 20))
def test_a_shuffle_repeats_no_item_before_all_were_drawn(items: list[int], count: int) -> None:
    drawn = generate.shuffle(items, count, generate.source())
    assert len(drawn) == (count if items else 0)
    for begin in range(0, len(drawn), len(items) or 1):
        batch = drawn[begin : begin + len(items)]
        assert len(set(batch)) == len(batch)


@pytest.mark.parametrize(("length", "pattern"), [(1, r"[a-z]+"), (2, r"[a-z]+_[a-z]+"), (4, r"[a-z]+(_[a-z]+){3}")])
def test_a_pet_has_its_words(length: int, pattern: str) -> None:
    assert re.fullmatch(pattern, generate.pet(length, "_", generate.source()))


def test_uuid7_carries_its_version_and_sorts_by_time() -> None:
    first, second = uuid.UUID(generate.uuid7()), uuid.UUID(generate.uuid7())
    assert (first.version, first.variant) == (7, uuid.RFC_4122)
    assert first.int >> 80 <= second.int >> 80


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(min_size=1, max_size=20), st.sampled_from(["", "p-", "a,b"]))
def test_an_id_is_imported_as_it_was_exported(data: bytes, prefix: str) -> None:
    forms = generate.id_forms(data, prefix)
    bare = generate.id_forms(data)["b64Url"]
    parse = kind("Id").parse
    assert parse is not None
    inputs, made = parse(f"{prefix},{bare}" if prefix else bare)
    assert (made.id, made.outputs) == (bare, forms)
    assert inputs == {"byteLength": len(data)} | ({"prefix": prefix} if prefix else {})


def test_the_hash_of_a_password_verifies_as_the_official_one_does() -> None:
    assert PASSWORD.parse is not None
    inputs, made = PASSWORD.parse("correct horse" * 10)
    assert inputs == {"length": 130}
    assert made.outputs["bcryptHash"].startswith("$2a$10$")
    assert bcrypt.checkpw(b"correct horse" * 5 + b"correct", made.outputs["bcryptHash"].encode())


@pytest.mark.parametrize(
    ("name", "identity", "message"),
    [
        ("Integer", "5,1", "import id = '5,1': must be result,min,max"),
        ("Integer", "five,1,9", "must be result,min,max"),
        ("Uuid", "no-uuid", "import id = 'no-uuid': must be a UUID"),
        ("Bytes", "not base64!", "import id must be base64; it cannot be decoded"),
        ("Id", "ä", "import id must be base64 in the URL alphabet"),
    ],
)
def test_a_bad_import_id_says_what_it_must_be(name: str, identity: str, message: str) -> None:
    parse = kind(name).parse
    assert parse is not None
    with pytest.raises(RpcFailure, match=re.escape(message)):
        parse(identity)


@pytest.mark.parametrize(
    ("name", "inputs", "expected"),
    [
        ("Password", {}, [("length", "is required")]),
        ("Password", {"length": 0}, [("length", "must be at least 1; it is 0")]),
        ("Password", {"length": "16"}, [("length", "must be a whole number")]),
        ("Password", {"length": True}, [("length", "must be a whole number")]),
        ("Password", {"length": 8, "minimum": 1}, [("minimum", "is no input of random:index/randomPassword")]),
        ("Password", {"length": 3, "minUpper": 2, "minLower": 2},
         [("length", "must be at least the sum of the minima (minUpper 2 + minLower 2 + minNumeric 0 + ")]),
        ("Password", {"length": 8, "minUpper": -1}, [("minUpper", "must be at least 0; it is -1")]),
        ("Password", {"length": 8, "number": True, "numeric": False},
         [("number", "is the deprecated name of numeric and contradicts it")]),
        ("String", {"length": 8, "upper": False, "lower": False, "number": False, "special": False},
         [("upper", "must be true, or one of lower, numeric, special; all are false")]),
        ("Integer", {"min": 5, "max": 1}, [("min", "must not be greater than max; min is 5, max is 1")]),
        ("Id", {"byteLength": 0}, [("byteLength", "must be at least 1; it is 0")]),
        ("Shuffle", {"inputs": "abc"}, [("inputs", "must be a list of strings")]),
        ("Pet", {"keepers": {"a": 1}}, [("keepers", "must be a map of strings")]),
        ("Password", {"length": UNKNOWN, "minUpper": 5, "keepers": {"a": UNKNOWN}}, []),
        ("Password", {"length": 3, "minUpper": UNKNOWN}, []),
        ("Password", {"length": 8, "number": False, "keepers": None, "__defaults": []}, []),
    ],
)  # fmt: skip
def test_broken_rules_name_the_property_and_the_rule(
    name: str, inputs: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = failures(kind(name), inputs)
    assert [prop for prop, _ in found] == [prop for prop, _ in expected]
    for (_, reason), (_, start) in zip(found, expected, strict=True):
        assert reason.startswith(start)


@pytest.mark.parametrize("token", sorted(KINDS))
def test_no_change_is_no_difference(token: str) -> None:
    inputs = {name: 8 for name, field in KINDS[token].inputs.items() if field.required}
    state = KINDS[token].complete(inputs)
    assert difference(KINDS[token], state, KINDS[token].complete(inputs)).places == {}


@pytest.mark.parametrize(
    ("name", "old", "new", "places"),
    [
        ("Password", {"keepers": {"e": "1"}}, {"keepers": {"e": "2"}}, {"keepers.e": "UPDATE_REPLACE"}),
        ("Password", {}, {"keepers": {"e": "1"}}, {"keepers": "ADD_REPLACE"}),
        ("Password", {"keepers": {"e": "1"}}, {}, {"keepers": "DELETE_REPLACE"}),
        ("Password", {"keepers": {"e": "1"}}, {"keepers": UNKNOWN}, {"keepers": "UPDATE_REPLACE"}),
        ("Password", {"keepers": {"e": "1"}}, {"keepers": {"e": UNKNOWN}}, {"keepers.e": "UPDATE_REPLACE"}),
        ("Password", {"keepers": {"a/b": "1"}}, {"keepers": {"a.b": "1"}},
         {'keepers["a.b"]': "ADD_REPLACE", "keepers.a/b": "DELETE_REPLACE"}),
        # keepers without a value were left out of the state by older releases
        ("Password", {}, {"keepers": {}}, {"keepers": "ADD"}),
        ("Password", {"keepers": {}}, {}, {"keepers": "DELETE"}),
        ("Bytes", {}, {"keepers": {}}, {"keepers": "ADD_REPLACE"}),
        ("Password", {"overrideSpecial": ""}, {}, {"overrideSpecial": "DELETE"}),
        ("Password", {"overrideSpecial": "_"}, {}, {"overrideSpecial": "DELETE_REPLACE"}),
        ("Password", {}, {"numeric": False}, {"numeric": "UPDATE_REPLACE", "number": "UPDATE_REPLACE"}),
        ("Password", {"number": True}, {"numeric": True}, {}),
        ("Password", {}, {"special": True, "minUpper": 0}, {}),
        ("Shuffle", {"inputs": ["a", "b"]}, {"inputs": ["a", "c", "d"]},
         {"inputs[1]": "UPDATE_REPLACE", "inputs[2]": "ADD_REPLACE"}),
        ("Integer", {"seed": "x"}, {"seed": "y"}, {"seed": "UPDATE_REPLACE"}),
        ("Pet", {}, {"separator": "_"}, {"separator": "UPDATE_REPLACE"}),
    ],
)  # fmt: skip
def test_what_replaces_and_what_only_updates(
    name: str, old: dict[str, Any], new: dict[str, Any], places: dict[str, str]
) -> None:
    found = difference(kind(name), kind(name).complete(old), kind(name).complete(new))
    assert found.places == places
    replaced = {place.split(".")[0].split("[")[0] for place, change in places.items() if change.endswith("REPLACE")}
    assert set(found.replacing) == replaced


def test_bytes_are_imported_from_base64() -> None:
    parse = kind("Bytes").parse
    assert parse is not None
    data = bytes(range(16))
    inputs, made = parse(base64.b64encode(data).decode())
    assert (inputs, made.id, made.outputs["hex"]) == ({"length": 16}, "none", data.hex())
