"""Property values keep their meaning on the wire, marks included."""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.plugins.values import (
    EXACT_INTEGERS,
    SECRET,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_TEXTS,
    Archive,
    Asset,
    Output,
    ResourceReference,
    Secret,
    Value,
    has_secret,
    has_unknown,
    mark_secrets,
    marshal,
    property_path,
    unmarshal,
    unwrap,
)

KEYS = st.text(max_size=8)
TEXTS = st.text(min_size=1, max_size=8)
HASHES = st.none() | st.just("ab" * 32)
ASSETS = (
    st.builds(Asset, text=st.text(max_size=8), hash=HASHES) | st.builds(Asset, path=TEXTS) | st.builds(Asset, uri=TEXTS)
)
ARCHIVES = st.builds(Archive, path=TEXTS, hash=HASHES) | st.builds(
    Archive, assets=st.dictionaries(KEYS, ASSETS, max_size=2)
)
REFERENCES = st.builds(
    ResourceReference, urn=TEXTS, id=st.none() | st.just(UNKNOWN) | TEXTS, package_version=st.text(max_size=5)
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-EXACT_INTEGERS, EXACT_INTEGERS)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer())
    | st.text()
    | st.just(UNKNOWN)
)


def containers(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.builds(Secret, inner)
        | st.builds(Output, inner, st.booleans(), st.lists(TEXTS, max_size=2).map(tuple))
    )


VALUES = st.recursive(SCALARS | ASSETS | ARCHIVES | REFERENCES, containers, max_leaves=12)


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_goes_over_the_wire_comes_back(properties: dict[str, Value]) -> None:
    sent = marshal(properties).SerializeToString()
    assert unmarshal(Struct.FromString(sent)) == properties


@settings(deadline=None)  # a busy machine is no failure
@given(VALUES)
def test_unwrap_leaves_no_mark_of_secrecy(value: Value) -> None:
    plain = unwrap(value)
    assert not has_secret(plain)
    assert unwrap(plain) == plain


@settings(deadline=None)  # a busy machine is no failure
@given(VALUES)
def test_a_value_marked_like_itself_hides_what_was_secret(value: Value) -> None:
    marked = mark_secrets(unwrap(value), value)
    assert unwrap(marked) == unwrap(value)
    assert has_secret(marked) == has_secret(value)


@pytest.mark.parametrize("text", sorted(UNKNOWN_TEXTS))
def test_every_unknown_of_the_protocol_is_unknown(text: str) -> None:
    struct = Struct()
    struct["size"] = text
    assert unmarshal(struct) == {"size": UNKNOWN}


def test_whole_numbers_are_integers() -> None:
    struct = Struct()
    struct.update({"replicas": 3, "ratio": 0.5, "huge": 1e300})
    properties = unmarshal(struct)
    assert [type(properties[key]) for key in ("replicas", "ratio", "huge")] == [int, float, float]


def test_wire_form_of_a_secret_is_the_protocols() -> None:
    struct = marshal({"password": Secret("hunter2")})
    fields = struct.fields["password"].struct_value.fields
    assert fields[SIGNATURE_KEY].string_value == SECRET == "1b47061264138c4ac30d75fd1eb44270"
    assert fields["value"].string_value == "hunter2"


def test_an_unknown_output_has_no_value_on_the_wire() -> None:
    fields = marshal({"id": Output(UNKNOWN, secret=True)}).fields["id"].struct_value.fields
    assert set(fields) == {SIGNATURE_KEY, "secret"}


def test_a_foreign_signature_is_refused() -> None:
    struct = marshal({"x": {SIGNATURE_KEY: "no such kind"}})
    with pytest.raises(ValueError, match="no such kind"):
        unmarshal(struct)


def test_what_is_no_value_is_named_by_its_path() -> None:
    with pytest.raises(TypeError, match=r'spec\.ports\[1\]\["a\.b"\] is a set'):
        marshal({"spec": {"ports": [1, {"a.b": {1}}]}})


def test_secrets_do_not_show_in_a_repr() -> None:
    assert "hunter2" not in repr([Secret("hunter2"), Output("hunter2", secret=True)])


def test_has_unknown_looks_into_marks() -> None:
    assert has_unknown({"a": [Secret({"b": UNKNOWN})]})
    assert has_unknown(Archive(assets={"f": UNKNOWN}))
    assert not has_unknown({"a": [Secret({"b": 1})]})


def test_a_list_that_changed_its_length_is_secret_as_a_whole() -> None:
    assert mark_secrets({"items": [1, 2]}, {"items": [Secret(1)]}) == {"items": Secret([1, 2])}
    assert mark_secrets({"items": [1, 2]}, {"items": [1]}) == {"items": [1, 2]}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("spec", "ports", 0, "name"), "spec.ports[0].name"),
        (("metadata", "labels", "app.kubernetes.io/name"), 'metadata.labels["app.kubernetes.io/name"]'),
        (("data", 'a"b'), 'data["a\\"b"]'),
        (("data", ""), 'data[""]'),
    ],
)
def test_property_paths_read_as_the_cli_writes_them(path: tuple[Any, ...], text: str) -> None:
    assert property_path(path) == text
