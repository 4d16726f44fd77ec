"""From the program's inputs to the ones in use: names, namespaces, normal form, and secrets along the way."""

from typing import Any

import pytest

from toolchain.plugins.kubernetes import autoname, checkpoint, normalize, quantity, secrets
from toolchain.plugins.kubernetes.check import Context, InvalidInputs, checked
from toolchain.plugins.kubernetes.kinds import parse_type
from toolchain.plugins.kubernetes.objects import Kind, Object
from toolchain.plugins.values import UNKNOWN, Secret


def context(kind: str = "kubernetes:core/v1:ConfigMap", **changes: Any) -> Context:  # noqa: ANN401
    made = Context(
        type=parse_type(kind),
        resource="thing",
        seed=b"seed",
        rule=None,
        namespace="ns",
        server_side_apply=True,
        namespaced=lambda kind: kind.kind != "Namespace",
    )
    return made._replace(**changes)


def config_map(**fields: Any) -> Object:  # noqa: ANN401
    return {"apiVersion": "v1", "kind": "ConfigMap", **fields}


def test_a_type_token_names_group_version_and_kind() -> None:
    assert parse_type("kubernetes:core/v1:Secret").kind == Kind("", "v1", "Secret")
    role = parse_type("kubernetes:rbac.authorization.k8s.io/v1:Role").kind
    assert role.api_version == "rbac.authorization.k8s.io/v1"


@pytest.mark.parametrize("token", ["kubernetes:helm.sh/v3:Release", "kubernetes:yaml:ConfigFile", "random:index:Pet"])
def test_what_is_no_kubernetes_kind_is_refused_by_name(token: str) -> None:
    with pytest.raises(ValueError, match=token):
        parse_type(token)


def test_an_unnamed_object_gets_a_name_that_preview_and_update_agree_on() -> None:
    one, two = checked(config_map(), {}, context()), checked(config_map(), {}, context())
    assert one == two
    assert one["metadata"]["name"].startswith("thing-")
    assert len(one["metadata"]["name"]) == len("thing-") + 8
    assert one["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    assert checked(config_map(), {}, context(seed=b"other"))["metadata"]["name"] != one["metadata"]["name"]


def test_the_chosen_name_is_kept_and_a_given_one_wins() -> None:
    first = checked(config_map(), {}, context())
    again = checked(config_map(data={"a": "b"}), first, context(seed=b"other"))
    assert again["metadata"] == first["metadata"]
    named = checked(config_map(metadata={"name": "mine"}), first, context())
    assert named["metadata"] == {"name": "mine", "namespace": "ns"}


def test_the_stack_s_naming_rule_is_followed() -> None:
    proposed = checked(config_map(), {}, context(rule=autoname.Rule(0, "proposed")))
    assert proposed["metadata"]["name"] == "proposed"
    with pytest.raises(InvalidInputs, match=r"metadata\.name of 'thing' is not set"):
        checked(config_map(), {}, context(rule=autoname.Rule(autoname.DISABLE, "")))


def test_an_unknown_name_is_a_name() -> None:
    assert checked(config_map(metadata={"name": UNKNOWN}), {}, context())["metadata"]["name"] is UNKNOWN


def test_the_default_namespace_is_for_kinds_that_live_in_one() -> None:
    assert checked(config_map(metadata={"name": "a"}), {}, context())["metadata"]["namespace"] == "ns"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
    assert checked(namespace, {}, context("kubernetes:core/v1:Namespace"))["metadata"] == {"name": "a"}


def test_lists_patches_without_a_name_and_server_chosen_names_are_refused() -> None:
    with pytest.raises(InvalidInputs, match="list resources"):
        checked({"kind": "ConfigMapList"}, {}, context("kubernetes:core/v1:ConfigMapList"))
    with pytest.raises(InvalidInputs, match=r"metadata\.name"):
        checked(config_map(), {}, context("kubernetes:core/v1:ConfigMapPatch"))
    with pytest.raises(InvalidInputs, match="generateName"):
        checked(config_map(metadata={"generateName": "x-"}), {}, context())


def test_a_wait_for_that_nobody_understands_is_refused_before_anything_is_created() -> None:
    annotations = {"pulumi.com/waitFor": "phase=Running"}
    with pytest.raises(InvalidInputs, match=r"phase=Running.*expected condition="):
        checked(config_map(metadata={"name": "a", "annotations": annotations}), {}, context())


def test_the_managed_by_label_is_for_client_side_apply() -> None:
    label = {"app.kubernetes.io/managed-by": "pulumi"}
    client_side = checked(config_map(), {}, context(server_side_apply=False))
    assert client_side["metadata"]["labels"] == label
    assert "labels" not in checked(config_map(), {}, context())["metadata"]


def test_string_data_becomes_data_as_the_server_makes_it() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"p": "x"}, "data": {"q": "eQ==", "p": "eg=="}}
    assert normalize.inputs(secret) == {"apiVersion": "v1", "kind": "Secret", "data": {"p": "eA==", "q": "eQ=="}}
    unknown = secret | {"stringData": {"p": UNKNOWN}}
    assert normalize.inputs(unknown) == unknown


def test_nulls_and_read_only_metadata_are_left_out() -> None:
    metadata: Object = {"name": "a", "uid": "1", "labels": None, "managedFields": []}
    assert normalize.inputs(config_map(metadata=metadata, data={"a": None})) == config_map(
        metadata={"name": "a"}, data={}
    )


def test_an_import_keeps_what_a_person_may_have_set() -> None:
    live = config_map(
        metadata={"name": "a", "uid": "1", "annotations": {"deployment.kubernetes.io/revision": "1"}}, status={"x": 1}
    )
    assert normalize.importable(live) == config_map(metadata={"name": "a"})


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1000m", "1", True),
        ("0.5", "500m", True),
        ("1Gi", "1024Mi", True),
        ("1G", "1Gi", False),
        ("1e3", "1k", True),
        (1, "1", True),
        ("abc", "abd", False),
        ("100u", "0.1m", True),
        (True, 1, False),
    ],
)
def test_quantities_are_compared_by_value(one: Any, other: Any, equal: bool) -> None:  # noqa: ANN401
    assert quantity.same(("spec", "limits", "cpu"), one, other) is equal


def test_texts_elsewhere_are_no_quantities() -> None:
    assert not quantity.same(("data", "a"), "1", "1000m")


def test_a_secret_s_content_is_secret_whatever_the_program_says() -> None:
    last = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{...}", "other": "x"}}
    found = secrets.annotate({"kind": "Secret", "data": {"a": "b"}, "metadata": last}, {"metadata": {}})
    assert found["data"] == Secret({"a": "b"})
    assert found["metadata"]["annotations"] == {
        "kubectl.kubernetes.io/last-applied-configuration": Secret("{...}"),
        "other": "x",
    }


def test_secretness_of_inputs_goes_to_the_same_places_of_outputs() -> None:
    like = {"spec": {"a": Secret("x"), "list": [{"v": Secret("y")}], "plain": 1}}
    found = secrets.annotate({"spec": {"a": "x", "list": [{"v": "y", "more": 1}], "plain": 1}}, like)
    assert found == {"spec": {"a": Secret("x"), "list": Secret([{"v": "y", "more": 1}]), "plain": 1}}


def test_a_message_does_not_quote_a_secret() -> None:
    inputs = {"data": Secret({"p": "hunter2hunter"}), "x": "visible", "short": Secret("ab")}
    assert secrets.redact("bad value hunter2hunter, visible ab", inputs) == "bad value [secret], visible ab"


def test_a_state_is_read_as_it_was_saved() -> None:
    inputs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"p": "eA=="}}
    live = inputs | {"metadata": {"name": "s", "uid": "1"}}
    state = checkpoint.save(inputs, live, {}, initial_api_version="v1", manager="m")
    assert state["data"] == Secret({"p": "eA=="})
    assert state["__inputs"]["data"] == Secret({"p": "eA=="})
    assert checkpoint.load(state) == (inputs, live, "v1", "m")


def test_a_definition_s_dashed_keys_are_written_with_underscores_in_the_state() -> None:
    schema = {"kind": "CustomResourceDefinition", "spec": {"x-kubernetes-preserve-unknown-fields": True}}
    state = checkpoint.save(schema, schema, {}, initial_api_version="v1", manager="m")
    assert state["spec"] == {"x_kubernetes_preserve_unknown_fields": True}
    assert checkpoint.load(state).live["spec"] == schema["spec"]
