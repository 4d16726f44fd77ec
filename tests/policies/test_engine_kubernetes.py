"""The pack over Kubernetes objects that a program declares, as the provider's preview shows them."""

import pytest

from tests.plugins.kubernetes.fix_lab import Lab
from tests.policies.fix_pack import Packed, violations

pytestmark = pytest.mark.cluster

SECRET = """
k8s.core.v1.Secret("loose", metadata={"name": "loose"}, string_data={"password": "hunter2"}, opts=O)
"""
CONFIG = """
k8s.core.v1.ConfigMap("plain", metadata={"name": "plain"}, data={"DB_PASSWORD": "hunter2"}, opts=O)
"""
WORKLOAD = """
web = workload(k8s.apps.v1.Deployment, "web", pod={"env": [{"name": "API_KEY", "value": "hunter2"}]})
"""
QUIET = {"all": "advisory"}


def test_rules_over_resources_and_over_the_stack_see_the_same_objects(lab: Lab) -> None:
    project = Packed(lab.program(SECRET + CONFIG + WORKLOAD))
    outcome = project.preview(**QUIET).ok()
    found = violations(outcome)
    for rule in ("component-parent", "secret-in-plain-sight", "memory-limit", "protect-stateful"):
        assert rule in found, "a rule over one resource"
    for rule in ("network-policy-coverage", "replica-minimum", "account-token"):
        assert found[rule]["resourceUrn"].endswith("Deployment::web"), "a rule over the stack"
    assert "secret-sealed" not in found, "the SDK marks the values of a Secret"
    assert "could-not-check" not in found
    assert "hunter2" not in outcome.text + repr(violations(outcome))


def test_the_update_makes_nothing_that_a_mandatory_rule_refuses(lab: Lab) -> None:
    project = Packed(lab.program(CONFIG))
    outcome = project.up(**QUIET, secret_in_plain_sight="mandatory")
    assert outcome.code != 0
    assert "ConfigMap" in outcome.text
    assert "data.DB_PASSWORD: looks like a password or key by its name" in outcome.text
    assert lab.field("configmap/plain", ".metadata.name") == ""


def test_after_the_update_the_rules_over_the_stack_read_what_the_server_made_of_it(lab: Lab) -> None:
    project = Packed(lab.program(CONFIG.replace("DB_PASSWORD", "greeting")))
    assert violations(project.up(**QUIET).ok()).keys() <= {"required-labels"}
