"""What counts as a change, how it is named, and when it replaces the object."""

import copy
from typing import Any

import pytest

from toolchain.plugins.kubernetes.diff import Difference, differences, parse_path
from toolchain.plugins.kubernetes.immutable import Mutable
from toolchain.plugins.kubernetes.objects import Object
from toolchain.plugins.values import UNKNOWN

FIXED = Mutable(config_map=False, secret=False)
MUTABLE = Mutable(config_map=True, secret=True)


def deployment(**spec: Any) -> Object:  # noqa: ANN401
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "a"}}, **spec},
    }


def config_map(data: Object | None, name: str = "c", **metadata: Any) -> Object:  # noqa: ANN401
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n", **metadata}}
    return obj | ({} if data is None else {"data": data})


def as_served(obj: Object) -> Object:
    """As a server returns it: with fields of its own."""
    live = copy.deepcopy(obj)
    live["metadata"] |= {"uid": "1", "resourceVersion": "7", "generation": 3}
    return live | {"status": {"observedGeneration": 3}}


def compare(old: Object, new: Object, *, live: Object | None = None, mutable: Mutable = MUTABLE) -> Difference:
    return differences(old, live or as_served(old), new, mutable=mutable, namespaced=True)


def said(found: Difference) -> dict[str, str]:
    return {change.text: change.how + ("-replace" if change.replaces else "") for change in found.changes}


def test_what_only_the_server_set_is_no_change() -> None:
    assert said(compare(deployment(), deployment())) == {}


def test_fields_are_named_one_by_one_with_the_kind_of_change() -> None:
    old, new = config_map({"a": "1", "b": "2", "z/y": "3"}), config_map({"a": "9", "b": "2", "c.d": "4"})
    assert said(compare(old, new)) == {"data.a": "update", 'data["c.d"]': "add", "data.z/y": "delete"}


def test_a_whole_map_is_added_or_deleted_at_once() -> None:
    plain, labelled = config_map({}), config_map({}, labels={"x": "y"})
    assert said(compare(plain, labelled)) == {"metadata.labels": "add"}
    assert said(compare(labelled, plain)) == {"metadata.labels": "delete"}


def test_items_of_lists_are_compared_by_position() -> None:
    old = deployment(template={"spec": {"containers": [{"name": "a", "args": ["x", "y"]}, {"name": "b"}]}})
    new = deployment(template={"spec": {"containers": [{"name": "a", "args": ["x", "z", "w"]}]}})
    prefix = "spec.template.spec.containers"
    assert said(compare(old, new)) == {
        f"{prefix}[0].args[1]": "update",
        f"{prefix}[0].args[2]": "add",
        f"{prefix}[1]": "delete",
    }


def test_drift_of_what_the_program_set_is_a_change_and_of_the_rest_is_not() -> None:
    live = as_served(config_map({"a": "9", "foreign": "x"}))
    assert said(compare(config_map({"a": "1"}), config_map({"a": "1"}), live=live)) == {"data.a": "update"}


def test_a_quantity_written_in_another_way_is_no_change() -> None:
    old = deployment(
        template={"spec": {"containers": [{"resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}}}]}}
    )
    live = as_served(old)
    live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {"cpu": "1", "memory": "1Gi"}
    assert said(compare(old, old, live=live)) == {}


def test_a_zero_value_that_the_server_leaves_out_is_no_change_but_a_new_one_is() -> None:
    old = deployment(template={"spec": {"hostNetwork": False, "containers": [{"env": [{"name": "E", "value": ""}]}]}})
    live = as_served(old)
    live["spec"]["template"]["spec"] = {"containers": [{"env": [{"name": "E"}]}]}
    assert said(compare(old, old, live=live)) == {}
    assert said(compare(deployment(), deployment(paused=False))) == {"spec.paused": "add"}


def test_a_label_removed_by_somebody_is_drift() -> None:
    old = config_map({}, labels={"x": "y"})
    live = as_served(config_map({}, labels={}))
    assert said(compare(old, old, live=live)) == {"metadata.labels.x": "add"}


def test_the_selector_replaces_and_the_template_does_not() -> None:
    old = deployment(template={"metadata": {"labels": {"app": "a"}}})
    new = deployment(template={"metadata": {"labels": {"app": "b"}}}, selector={"matchLabels": {"app": "b"}})
    found = compare(old, new)
    assert said(found) == {
        "spec.selector.matchLabels.app": "update-replace",
        "spec.template.metadata.labels.app": "update",
    }
    assert found.replaces == ("spec.selector.matchLabels.app",)
    assert found.delete_first, "the name is the user's, so the old object has to go first"


@pytest.mark.parametrize("mutable", [FIXED, MUTABLE])
def test_content_of_a_config_map_replaces_unless_mutable(mutable: Mutable) -> None:
    found = compare(config_map({"a": "1"}), config_map({"a": "2"}), mutable=mutable)
    assert said(found) == {"data.a": "update" if mutable.config_map else "update-replace"}


def test_an_immutable_secret_replaces_even_where_secrets_are_mutable() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "immutable": True}
    found = compare(secret | {"data": {"a": "MQ=="}}, secret | {"data": {"a": "Mg=="}})
    assert said(found) == {"data.a": "update-replace"}


def test_another_name_replaces_without_deleting_first() -> None:
    found = compare(config_map({}), config_map({}, name="other"))
    assert said(found) == {"metadata.name": "update-replace"}
    assert not found.delete_first


def test_an_autonamed_object_is_replaced_without_deleting_first() -> None:
    marked: Any = {"annotations": {"pulumi.com/autonamed": "true"}}
    found = compare(config_map({"a": "1"}, **marked), config_map({"a": "2"}, **marked), mutable=FIXED)
    assert found.replaces == ("data.a",)
    assert not found.delete_first


def test_a_missing_namespace_is_the_default_one() -> None:
    old = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    live = as_served(old | {"metadata": {"name": "c", "namespace": "default"}})
    explicit = old | {"metadata": {"name": "c", "namespace": "default"}}
    assert said(compare(old, explicit, live=live)) == {}


def test_an_unknown_value_is_an_update() -> None:
    assert said(compare(config_map({"a": "1"}), config_map({"a": UNKNOWN, "b": UNKNOWN}))) == {
        "data.a": "update",
        "data.b": "add",
    }


def test_a_pod_replaces_for_its_image_at_any_position() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}}
    old = pod | {"spec": {"containers": [{"image": "a"}, {"image": "b"}], "activeDeadlineSeconds": 1}}
    new = pod | {"spec": {"containers": [{"image": "a"}, {"image": "c"}], "activeDeadlineSeconds": 2}}
    assert said(compare(old, new)) == {
        "spec.containers[1].image": "update-replace",
        "spec.activeDeadlineSeconds": "update",
    }


def test_adding_what_contains_a_fixed_field_replaces() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}}
    old, new = pod | {"spec": {"containers": []}}, pod | {"spec": {"containers": [{"image": "a"}]}}
    assert said(compare(old, new)) == {"spec.containers[0]": "add-replace"}


def test_a_patch_is_replaced_for_another_object_only() -> None:
    old, new = config_map({"a": "1"}), config_map({"a": "2"})
    found = differences(old, as_served(old), new, mutable=FIXED, namespaced=True, patch=True)
    assert said(found) == {"data.a": "update"}


def test_ignored_paths_do_not_count() -> None:
    old, new = deployment(replicas=3), deployment(replicas=1, paused=True)
    ignore = ["spec.replicas", "spec.template.spec.containers[*].image"]
    found = differences(old, as_served(old), new, mutable=FIXED, namespaced=True, ignore=ignore)
    assert said(found) == {"spec.paused": "add"}


def test_property_paths_are_read() -> None:
    assert parse_path('metadata.annotations["a.b/c"].x[0][*]') == ("metadata", "annotations", "a.b/c", "x", 0, "*")
