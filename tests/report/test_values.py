"""Differences and their text: what is compared, what is shortened, what is never shown."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.plugins.values import SECRET, SIGNATURE_KEY, UNKNOWN_TEXT
from toolchain.report import build
from toolchain.report.steps import Step
from toolchain.report.values import DIFF_LINES, MASK, VALUE_LIMIT, differences, shortened, to_field

Tree = dict[str, Any]
BLIND = {SIGNATURE_KEY: SECRET, "ciphertext": "W3NlY3JldF0="}


def paths(old: Tree, new: Tree) -> list[str]:
    return [difference.shown for difference in differences(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": None}, {}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}, ["a.b", "a.c"]),
        ({"a": {"x.y/z": 1}}, {"a": {"x.y/z": 2}}, ['a["x.y/z"]']),
        ({"c": [{"name": "x", "v": 1}]}, {"c": [{"name": "n"}, {"name": "x", "v": 2}]}, ["c[x].v", "c[n]"]),
        ({"c": [{"metadata": {"name": "d"}, "v": 1}]}, {"c": [{"metadata": {"name": "d"}, "v": 2}]}, ["c[d].v"]),
        ({"c": [{"name": "x"}, {"name": "y"}]}, {"c": [{"name": "y"}, {"name": "x"}]}, ["c (order)"]),
        ({"c": [{"name": "x"}, {"name": "x"}]}, {"c": [{"name": "x"}]}, ["c"]),
        ({"c": ["a", "b"]}, {"c": ["a", "c"]}, ["c"]),
    ],
)
def test_a_difference_is_named_by_where_it_is(old: Tree, new: Tree, expected: list[str]) -> None:
    assert paths(old, new) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
trees = st.dictionaries(st.text(max_size=6), json_values, max_size=5)


def without_nulls(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@given(trees, trees)
def test_there_is_a_difference_exactly_when_the_objects_differ(old: Tree, new: Tree) -> None:
    assert bool(differences(old, new)) == (without_nulls(old) != without_nulls(new))
    assert differences(old, old) == []


@settings(max_examples=50)
@given(trees, trees)
def test_no_field_is_longer_than_its_limit(old: Tree, new: Tree) -> None:
    for difference in differences(old, new):
        field = to_field(difference, secret=False)
        assert all(text is None or len(text) <= VALUE_LIMIT + 40 for text in (field.path, field.old, field.new))


def test_texts_of_several_lines_are_shown_as_a_diff() -> None:
    [difference] = differences({"data": {"a.conf": "x\ny\nz\n"}}, {"data": {"a.conf": "x\nY\nz\n"}})
    assert to_field(difference, secret=False).diff == ("@@ -1,3 +1,3 @@", " x", "-y", "+Y", " z")
    [long] = differences({"a": "\n".join(map(str, range(500)))}, {"a": "\n".join(map(str, range(1000, 1500)))})
    lines = to_field(long, secret=False).diff
    assert len(lines) == DIFF_LINES + 1
    assert lines[-1].endswith("more lines")


def test_what_the_update_will_tell_is_said_so() -> None:
    [difference] = differences({}, {"a": [UNKNOWN_TEXT]})
    assert to_field(difference, secret=False).new == "[(known after up)]"


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert "\x1b" not in shortened("\x1b[31mred")


CANARY = "c4n4ry-in-a-secret"
places = st.sampled_from(
    [
        ("data", "password"),
        ("stringData", "password"),
        ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"),
        ("metadata", "annotations", "other.example.com/note"),
        ("metadata", "managedFields"),
        ("unheard", "of"),
    ]
)


def placed(place: tuple[str, ...], value: object) -> Tree:
    tree: Tree = {"metadata": {"name": "credentials-api", "labels": {"a": "b"}}}
    holder = tree
    for key in place[:-1]:
        holder = holder.setdefault(key, {})
    holder[place[-1]] = value
    return tree


@given(places, st.sampled_from(["old", "new", "both"]), st.sampled_from(["value", "list", "lines"]))
def test_no_value_of_a_secret_is_shown(place: tuple[str, ...], side: str, shape: str) -> None:
    value: object = {"value": CANARY, "list": [CANARY], "lines": f"a\n{CANARY}\n"}[shape]
    old = placed(place, value if side in ("old", "both") else "x")
    new = placed(place, value if side == "new" else [CANARY, "more"])
    step = Step(operation="update", type="kubernetes:core/v1:Secret", logical="s", old=old, new=new, live=old)
    [change] = build.changes([step])
    assert change.fields
    assert CANARY not in repr(change)


def test_a_kubeconfig_of_the_provider_is_not_shown() -> None:
    step = Step(
        operation="update", type="pulumi:providers:kubernetes", logical="k", old={"kubeconfig": "a"},
        new={"kubeconfig": CANARY},
    )  # fmt: skip
    assert CANARY not in repr(build.changes([step]))


def test_blinded_values_that_differ_are_known_from_the_providers_diff() -> None:
    state = {"metadata": {"name": "x"}, "data": {"a": BLIND}}
    step = Step(
        operation="update", type="kubernetes:core/v1:Secret", logical="s", old=state, new=state, live=state,
        diff={"data.a": "update"},
    )  # fmt: skip
    [field] = build.changes([step])[0].fields
    assert (field.path, field.old, field.new) == ("data.a", MASK, MASK)


def test_fields_that_only_the_server_knows_to_differ_show_what_it_has() -> None:
    declared = {"metadata": {"name": "x"}, "spec": {"replicas": 1}}
    live = {"metadata": {"name": "x"}, "spec": {"replicas": 3}}
    step = Step(
        operation="update", type="kubernetes:apps/v1:Deployment", logical="s", old=declared, new=declared, live=live,
        diff={"spec.replicas": "update"},
    )  # fmt: skip
    [field] = build.changes([step])[0].fields
    assert (field.old, field.new) == ("3", "1")
