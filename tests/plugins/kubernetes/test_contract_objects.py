"""The provider under the real CLI, with objects that no controller has to act on."""

import json

import pytest
import yaml

from tests.plugins.kubernetes.fix_lab import Lab

pytestmark = pytest.mark.cluster

CONTENT = """
    F = ResourceOptions(provider=provider("fixed-content"))
    k8s.core.v1.ConfigMap("mutable", metadata={{"name": "mutable"}}, data={mutable}, opts=O)
    k8s.core.v1.ConfigMap("fixed", metadata={{"name": "fixed"{labels}}}, data={fixed}, opts=F)
    auto = k8s.core.v1.ConfigMap("auto", data={fixed}, opts=F)
    secret = k8s.core.v1.Secret("secret", metadata={{"name": "secret"}}, opts=O,
        string_data={{"p": pulumi.Output.secret("{word}")}})
    pulumi.export("name", secret.metadata["name"])
    pulumi.export("data", secret.data)
    pulumi.export("auto", auto.metadata["name"])
"""


def test_content_changes_in_place_or_replaces_as_the_provider_is_told(lab: Lab) -> None:
    values = {"mutable": {"a": "1"}, "fixed": {"a": "1"}, "labels": "", "word": "hunter2-one"}
    project = lab.program(CONTENT.format(**values))
    everything = {"mutable", "fixed", "auto", "secret"}
    assert project.preview().ok().ops == dict.fromkeys(everything, "create")
    assert project.up().ok().ops == dict.fromkeys(everything, "create")
    first = project.outputs()
    assert first["data"] == {"p": "aHVudGVyMi1vbmU="}
    assert first["auto"].startswith("auto-")
    state = project.state()
    assert state["mutable"]["id"] == f"{lab.namespace}/mutable"
    assert state["auto"]["id"] == f"{lab.namespace}/{first['auto']}"
    assert lab.field("configmap/mutable", ".metadata.managedFields[*].manager").startswith("pulumi-kubernetes-")

    project.preview("--expect-no-changes").ok()
    project.refresh("--expect-no-changes").ok()

    values |= {"mutable": {"a": "2", "z": "1"}, "fixed": {"a": "2"}, "word": "hunter2-two"}
    project = lab.program(CONTENT.format(**values))
    preview = project.preview().ok()
    assert preview.ops == {"mutable": "update", "fixed": "replace", "auto": "replace", "secret": "update"}
    assert preview.detailed_diff("mutable") == {"data.a": "update", "data.z": "add"}
    assert preview.detailed_diff("fixed") == {"data.a": "update-replace"}
    assert preview.detailed_diff("secret") == {"data.p": "update"}
    assert project.up().ok().ops == preview.ops
    assert lab.field("configmap/mutable", ".data") == '{"a":"2","z":"1"}'
    assert lab.field("secret/secret", ".data.p") == "aHVudGVyMi10d28="
    assert project.outputs()["auto"] != first["auto"]
    assert lab.field(f"configmap/{first['auto']}", ".metadata.name") == "", "the old one is deleted"

    values |= {"mutable": {"a": "2"}, "labels": ', "labels": {"x": "y"}'}
    project = lab.program(CONTENT.format(**values))
    preview = project.preview().ok()
    assert preview.ops == {"mutable": "update", "fixed": "update"}
    assert preview.detailed_diff("mutable") == {"data.z": "delete"}
    assert preview.detailed_diff("fixed") == {"metadata.labels": "add"}
    assert project.up().ok().ops == preview.ops
    assert lab.field("configmap/mutable", ".data") == '{"a":"2"}', "a field that the program dropped is gone"

    assert project.destroy().ok().ops == dict.fromkeys(everything, "delete")
    assert lab.kubectl("get", "secret", "-o", "name") == ""


def test_secrets_are_encrypted_in_the_state_and_nowhere_else_in_plain(lab: Lab) -> None:
    project = lab.program("""
        word = pulumi.Output.secret("hunter2-plain")
        k8s.core.v1.Secret("s", metadata={"name": "s"}, string_data={"p": word}, opts=O)
        k8s.core.v1.Secret("given", metadata={"name": "given"}, data={"p": "aHVudGVyMi1naXZlbg=="}, opts=O)
        k8s.core.v1.ConfigMap("c", metadata={"name": "c", "annotations": {"n": word}}, data={"k": "v"}, opts=O)
    """)
    outcome = project.up().ok()
    state = (project.folder / "state/.pulumi/stacks/contract/dev.json").read_text()
    for word in ("hunter2", "aHVudGVyMi"):
        assert word not in state
        assert word not in outcome.text
        assert word not in json.dumps(outcome.events)
    inputs = project.state()["c"]["inputs"]
    assert inputs["data"] == {"k": "v"}, "one secret does not hide its neighbours"
    assert "ciphertext" in inputs["metadata"]["annotations"]["n"]


def test_an_object_that_exists_is_not_taken_over(lab: Lab) -> None:
    lab.kubectl("create", "configmap", "taken", "--from-literal=a=1")
    project = lab.program('k8s.core.v1.ConfigMap("t", metadata={"name": "taken"}, data={"a": "2"}, opts=O)')
    project.preview().ok()
    outcome = project.up()
    assert outcome.code
    assert outcome.failed == ["kubernetes:core/v1:ConfigMap::t"]
    (message,) = [error for error in outcome.errors if "taken" in error]
    assert 'configmaps "taken" already exists' in message
    assert "pulumi import" in message
    assert lab.field("configmap/taken", ".data.a") == "1"
    assert "t" not in project.state()


def test_an_object_that_the_server_would_refuse_fails_the_preview_with_its_words(lab: Lab) -> None:
    project = lab.program("""
        k8s.core.v1.ConfigMap("c", metadata={"name": "c", "labels": {"bad label!": "x"}}, opts=O)
    """)
    outcome = project.preview()
    assert outcome.code
    assert any("metadata.labels: Invalid value" in error and "bad label!" in error for error in outcome.errors)
    project = lab.program('k8s.core.v1.ConfigMap("c", metadata={"name": "c"}, opts=O)')
    project.up().ok()
    project = lab.program('k8s.core.v1.ConfigMap("c", metadata={"name": "c", "labels": {"a": "b c"}}, opts=O)')
    outcome = project.preview()
    assert outcome.code
    assert any('"b c"' in error for error in outcome.errors), "an update is checked, too"


def test_a_namespace_a_definition_and_what_needs_them_come_in_one_update(lab: Lab) -> None:
    group = f"{lab.namespace}.example.com"
    project = lab.program(f"""
        inner = NAMESPACE + "-inner"
        ns = k8s.core.v1.Namespace("ns", metadata={{"name": inner}}, opts=O)
        k8s.core.v1.ConfigMap("child", metadata={{"name": "c", "namespace": ns.metadata["name"]}}, data={{}}, opts=O)
        k8s.core.v1.ConfigMap("racer", metadata={{"name": "r", "namespace": inner}}, data={{"a": "b"}}, opts=O)
        spec = {{"type": "object", "x_kubernetes_preserve_unknown_fields": True}}
        version = {{"name": "v1", "served": True, "storage": True,
            "schema": {{"open_apiv3_schema": {{"type": "object", "properties": {{"spec": spec}}}}}}}}
        k8s.apiextensions.v1.CustomResourceDefinition("crd", metadata={{"name": "things.{group}"}}, opts=O, spec={{
            "group": "{group}", "scope": "Namespaced", "versions": [version],
            "names": {{"plural": "things", "singular": "thing", "kind": "Thing"}}}})
        k8s.apiextensions.CustomResource("thing", api_version="{group}/v1", kind="Thing",
            metadata={{"name": "t"}}, spec={{"size": 3, "deep": [{{"a": True}}]}}, opts=O)
    """)
    preview = project.preview().ok()
    assert set(preview.ops.values()) == {"create"}
    project.up().ok()
    assert project.state()["thing"]["id"] == f"{lab.namespace}/t"
    assert lab.field(f"things.{group}/t", ".spec") == '{"deep":[{"a":true}],"size":3}'
    project.preview("--expect-no-changes").ok()
    project.refresh("--expect-no-changes").ok()
    project.destroy().ok()
    assert lab.cluster.kubectl("get", "namespace", f"{lab.namespace}-inner", "--ignore-not-found") == ""
    assert lab.cluster.kubectl("get", "crd", f"things.{group}", "--ignore-not-found") == ""


def test_drift_is_seen_by_a_refresh_and_taken_back(lab: Lab) -> None:
    project = lab.program("""
        k8s.core.v1.ConfigMap("changed", metadata={"name": "changed"}, data={"a": "1"}, opts=O)
        k8s.core.v1.ConfigMap("lost", metadata={"name": "lost"}, data={"a": "1"}, opts=O)
    """)
    project.up().ok()
    lab.kubectl("patch", "configmap", "changed", "--type=merge", "-p", '{"data": {"a": "9", "foreign": "x"}}')
    lab.kubectl("delete", "configmap", "lost")
    project.preview("--expect-no-changes").ok()
    assert project.refresh().ok().ops.keys() >= {"changed", "lost"}
    assert "lost" not in project.state()
    preview = project.preview().ok()
    assert preview.ops == {"changed": "update", "lost": "create"}
    assert preview.detailed_diff("changed") == {"data.a": "update"}
    project.up().ok()
    assert lab.field("configmap/changed", ".data.a") == "1"
    project.preview("--expect-no-changes").ok()


FOUGHT_OVER = """
    k8s.core.v1.ConfigMap("c", metadata={{"name": "c"{annotations}}}, data={{"a": "{value}"}}, opts=O)
"""


def test_a_field_of_another_manager_is_a_conflict_that_names_both(lab: Lab) -> None:
    lab.program(FOUGHT_OVER.format(annotations="", value="1")).up().ok()
    lab.kubectl("patch", "configmap", "c", "--field-manager=rival", "--type=merge", "-p", '{"data": {"a": "9"}}')
    project = lab.program(FOUGHT_OVER.format(annotations="", value="2"))
    assert project.preview().ok().detailed_diff("c") == {"data.a": "update"}
    outcome = project.up()
    assert outcome.code
    (message,) = [error for error in outcome.errors if "conflict" in error]
    assert 'conflict with "rival" using v1: .data.a' in message
    assert 'managed by field manager "pulumi-kubernetes-' in message
    assert lab.field("configmap/c", ".data.a") == "9"
    forced = FOUGHT_OVER.format(annotations=', "annotations": {"pulumi.com/patchForce": "true"}', value="2")
    lab.program(forced).up().ok()
    assert lab.field("configmap/c", ".data.a") == "2"


def test_an_imported_object_is_as_if_it_had_been_declared(lab: Lab) -> None:
    lab.kubectl("create", "configmap", "there", "--from-literal=a=1")
    adopt = """
        k8s.core.v1.ConfigMap("there", metadata={{"name": "there"}}, data={{"a": "{value}"}},
            opts=options(import_=f"{{NAMESPACE}}/there" if {first} else None))
    """
    project = lab.program(adopt.format(value="1", first=True))
    assert project.up().ok().ops == {"there": "import"}
    inputs = project.state()["there"]["inputs"]
    assert inputs["data"] == {"a": "1"}
    assert inputs["metadata"] == {"name": "there", "namespace": lab.namespace}
    project = lab.program(adopt.format(value="1", first=False))
    project.preview("--expect-no-changes").ok()
    project = lab.program(adopt.format(value="2", first=False))
    assert project.up().ok().ops == {"there": "update"}
    assert lab.field("configmap/there", ".data.a") == "2"


def test_a_patch_manages_its_own_fields_and_leaves_the_rest(lab: Lab) -> None:
    lab.kubectl("create", "configmap", "theirs", "--from-literal=a=1")
    patch = 'k8s.core.v1.ConfigMapPatch("p", metadata={{"name": "theirs"}}, data={data}, opts=O)'
    lab.program(patch.format(data={"b": "2"})).up().ok()
    assert lab.field("configmap/theirs", ".data") == '{"a":"1","b":"2"}'
    project = lab.program(patch.format(data={"c": "3"}))
    assert project.up().ok().ops == {"p": "update"}
    assert lab.field("configmap/theirs", ".data") == '{"a":"1","c":"3"}'
    project.destroy().ok()
    assert lab.field("configmap/theirs", ".data") == '{"a":"1"}'


POLICIES = """
    k8s.core.v1.ServiceAccount("sa", metadata={{"name": "sa"}}, opts=O)
    rule = {{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}}
    k8s.rbac.v1.Role("role", metadata={{"name": "{role}"}}, rules=[rule], opts=O)
    k8s.rbac.v1.RoleBinding("binding", metadata={{"name": "b"}}, opts=O,
        role_ref={{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "{role}"}},
        subjects=[{{"kind": "ServiceAccount", "name": "sa"}}])
    k8s.policy.v1.PodDisruptionBudget("budget", metadata={{"name": "b"}}, opts=O,
        spec={{"maxUnavailable": {number}, "selector": {{"matchLabels": {{"app": "a"}}}}}})
    k8s.networking.v1.NetworkPolicy("network", metadata={{"name": "n"}}, opts=O,
        spec={{"podSelector": {{}}, "policyTypes": {types}}})
    cpu = {{"name": "cpu", "target": {{"type": "Utilization", "averageUtilization": 50}}}}
    k8s.autoscaling.v2.HorizontalPodAutoscaler("scaler", metadata={{"name": "h"}}, opts=O, spec={{
        "minReplicas": 1, "maxReplicas": {number} + 1, "metrics": [{{"type": "Resource", "resource": cpu}}],
        "scaleTargetRef": {{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}}})
"""


def test_policies_are_updated_and_what_is_named_or_bound_anew_is_replaced(lab: Lab) -> None:
    lab.program(POLICIES.format(role="r", number=1, types=["Ingress"])).up().ok()
    project = lab.program(POLICIES.format(role="r2", number=2, types=["Ingress", "Egress"]))
    preview = project.preview().ok()
    assert {name: preview.detailed_diff(name) for name in preview.ops} == {
        "role": {"metadata.name": "update-replace"},
        "binding": {"roleRef.name": "update-replace"},
        "budget": {"spec.maxUnavailable": "update"},
        "network": {"spec.policyTypes[1]": "add"},
        "scaler": {"spec.maxReplicas": "update"},
    }
    assert project.up().ok().ops == preview.ops
    project.preview("--expect-no-changes").ok()


def test_a_deletion_that_a_finalizer_holds_up_says_so(lab: Lab) -> None:
    project = lab.program("""
        k8s.core.v1.ConfigMap("held", metadata={"name": "held", "finalizers": ["example.com/hold"]}, data={"a": "b"},
            opts=options(custom_timeouts=CustomTimeouts(delete="4s")))
    """)
    project.up().ok()
    outcome = project.destroy()
    assert outcome.code
    assert any("example.com/hold" in error for error in outcome.errors)
    assert "held" in project.state()
    lab.kubectl("patch", "configmap", "held", "--type=json", "-p", '[{"op": "remove", "path": "/metadata/finalizers"}]')
    project.destroy().ok()


def test_a_cluster_that_does_not_answer_is_named_and_nothing_is_changed(lab: Lab) -> None:
    project = lab.program('k8s.core.v1.ConfigMap("c", metadata={"name": "c"}, data={"a": "1"}, opts=O)')
    project.up().ok()
    kubeconfig = yaml.safe_load(lab.cluster.kubeconfig.read_text())
    kubeconfig["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    away = project.folder / "away"
    away.write_text(json.dumps(kubeconfig))
    project.env["LAB_KUBECONFIG"] = str(away)
    preview = project.preview().ok()
    assert any("https://127.0.0.1:1" in warning for warning in preview.diagnostics("warning"))
    outcome = project.up()
    assert outcome.code
    assert any("https://127.0.0.1:1 (kubeconfig context " in e and "unreachable" in e for e in outcome.errors)
    project.env["LAB_KUBECONFIG"] = str(lab.cluster.kubeconfig)
    assert "c" in project.state()
    assert lab.field("configmap/c", ".data.a") == "1"


def test_a_field_that_gives_way_to_another_passes_the_preview(lab: Lab) -> None:
    """Server-side apply merges: what the program drops must be ours to drop, or the volume would have two sources."""
    stateless = """
        volume = {{"name": "v", {source}}}
        container = {{"name": "c", "image": IMAGE, "volumeMounts": [{{"name": "v", "mountPath": "/v"}}]}}
        pod = {{"containers": [container], "volumes": [volume]}}
        template = {{"metadata": {{"labels": {{"a": "b"}}}}, "spec": pod}}
        k8s.apps.v1.Deployment("d", metadata={{"name": "d"}}, opts=O,
            spec={{"replicas": 0, "selector": {{"matchLabels": {{"a": "b"}}}}, "template": template}})
    """
    lab.program(stateless.format(source='"emptyDir": {}')).up().ok()
    project = lab.program(stateless.format(source='"configMap": {"name": "c"}'))
    assert project.preview().ok().detailed_diff("d") == {
        "spec.template.spec.volumes[0].configMap": "add",
        "spec.template.spec.volumes[0].emptyDir": "delete",
    }
    project.up().ok()
    assert "emptyDir" not in lab.field("deployment/d", ".spec.template.spec.volumes")
    project.preview("--expect-no-changes").ok()


def test_another_field_manager_takes_over_and_the_old_one_lets_go(lab: Lab) -> None:
    managed = """
        k8s.core.v1.ConfigMap("c", opts=O, data={data},
            metadata={{"name": "c", "annotations": {{"pulumi.com/patchFieldManager": "{manager}"}}}})
    """
    lab.program(managed.format(manager="one", data={"a": "1", "b": "1"})).up().ok()
    lab.program(managed.format(manager="two", data={"a": "1"})).up().ok()
    assert lab.field("configmap/c", ".metadata.managedFields[*].manager") == "two"
    assert lab.field("configmap/c", ".data") == '{"a":"1"}'


def test_without_server_side_apply_objects_are_patched_from_what_was_applied_before(lab: Lab) -> None:
    client_side = """
        C = ResourceOptions(provider=provider("c", enable_server_side_apply=False, enable_config_map_mutable=True))
        k8s.core.v1.ConfigMap("c", metadata={{"name": "c"}}, data={data}, opts=C)
    """
    lab.program(client_side.format(data={"a": "1", "b": "1"})).up().ok()
    assert lab.field("configmap/c", ".metadata.labels") == '{"app.kubernetes.io/managed-by":"pulumi"}'
    lab.kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"data": {"foreign": "x"}}')
    project = lab.program(client_side.format(data={"a": "2"}))
    assert project.up().ok().ops == {"c": "update"}
    assert lab.field("configmap/c", ".data") == '{"a":"2","foreign":"x"}'
    project.preview("--expect-no-changes").ok()


def test_an_existing_object_is_taken_over_when_the_provider_is_told_to(lab: Lab) -> None:
    lab.kubectl("create", "configmap", "there", "--from-literal=a=1")
    project = lab.program("""
        U = ResourceOptions(provider=provider("u", upsert_existing_objects=True))
        k8s.core.v1.ConfigMap("t", metadata={"name": "there", "labels": {"x": "y"}}, data={"a": "1"}, opts=U)
    """)
    assert project.up().ok().ops == {"t": "create"}
    assert lab.field("configmap/there", ".metadata.labels.x") == "y"
