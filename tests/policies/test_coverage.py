"""The map to the checks of other tools names checks that exist, and leaves none of kube-score's out."""

import re

from policies.kit.docs import NOT_COVERED
from policies.rules import RULES

# as `kube-score list` of 1.20.0 prints them
KUBE_SCORE = (
    "deployment-strategy",
    "deployment-replicas",
    "ingress-targets-service",
    "cronjob-has-deadline",
    "cronjob-restartpolicy",
    "container-resources",
    "container-resource-requests-equal-limits",
    "container-cpu-requests-equal-limits",
    "container-memory-requests-equal-limits",
    "container-image-tag",
    "container-image-pull-policy",
    "container-ephemeral-storage-request-and-limit",
    "container-ephemeral-storage-request-equals-limit",
    "container-ports-check",
    "environment-variable-key-duplication",
    "statefulset-has-poddisruptionbudget",
    "deployment-has-poddisruptionbudget",
    "poddisruptionbudget-has-policy",
    "pod-networkpolicy",
    "networkpolicy-targets-pod",
    "pod-probes",
    "pod-probes-identical",
    "container-security-context-user-group-id",
    "container-security-context-privileged",
    "container-security-context-readonlyrootfilesystem",
    "container-seccomp-profile",
    "service-targets-pod",
    "service-type",
    "stable-version",
    "deployment-has-host-podantiaffinity",
    "statefulset-has-host-podantiaffinity",
    "deployment-targeted-by-hpa-does-not-have-replicas-configured",
    "statefulset-has-servicename",
    "deployment-pod-selector-labels-match-template-metadata-labels",
    "statefulset-pod-selector-labels-match-template-metadata-labels",
    "label-values",
    "horizontalpodautoscaler-has-target",
    "horizontalpodautoscaler-replicas",
    "pod-topology-spread-constraints",
)
CHECKOV = re.compile(r"CKV2?_K8S_\d+")
# those of checkov's list that are about objects of a program, not about the control plane's flags or what is gone
CHECKOV_OBJECTS = (*range(8, 24), *range(25, 32), 35, *range(37, 44), 49, *range(152, 159))


def covered() -> set[str]:
    return {check for rule in RULES.values() for check in rule.covers}


def test_every_check_of_kube_score_has_a_rule_or_a_reason() -> None:
    ours = {check for check in covered() | set(NOT_COVERED) if check.startswith("kube-score/")}
    assert ours == {f"kube-score/{check}" for check in KUBE_SCORE}


def test_every_check_of_checkov_about_objects_has_a_rule() -> None:
    ours = {check for check in covered() if CHECKOV.fullmatch(check)}
    assert {f"CKV_K8S_{number}" for number in CHECKOV_OBJECTS} == {check for check in ours if "CKV_" in check}


def test_nothing_else_is_claimed() -> None:
    assert [c for c in covered() if not c.startswith("kube-score/") and not CHECKOV.fullmatch(c)] == []
