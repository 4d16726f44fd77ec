"""API versions that are still there tomorrow."""

import re

from policies.kit.rule import Context, Finding, Found, Rule, Severity
from policies.kit.values import Fields

UNSTABLE = re.compile(r"v\d+(alpha|beta)\d+")
# https://kubernetes.io/docs/reference/using-api/deprecation-guide/: version and kinds to (gone since, what is instead)
REMOVED: dict[str, dict[tuple[str, ...], tuple[str, str]]] = {
    "admissionregistration.k8s.io/v1beta1": {
        ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"): ("1.22", "admissionregistration.k8s.io/v1")
    },
    "apiextensions.k8s.io/v1beta1": {("CustomResourceDefinition",): ("1.22", "apiextensions.k8s.io/v1")},
    "apps/v1beta1": {("Deployment", "StatefulSet"): ("1.16", "apps/v1")},
    "apps/v1beta2": {("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"): ("1.16", "apps/v1")},
    "autoscaling/v2beta1": {("HorizontalPodAutoscaler",): ("1.25", "autoscaling/v2")},
    "autoscaling/v2beta2": {("HorizontalPodAutoscaler",): ("1.26", "autoscaling/v2")},
    "batch/v1beta1": {("CronJob",): ("1.25", "batch/v1")},
    "extensions/v1beta1": {
        ("DaemonSet", "Deployment", "ReplicaSet"): ("1.16", "apps/v1"),
        ("Ingress",): ("1.22", "networking.k8s.io/v1"),
        ("NetworkPolicy",): ("1.16", "networking.k8s.io/v1"),
    },
    "flowcontrol.apiserver.k8s.io/v1beta3": {
        ("FlowSchema", "PriorityLevelConfiguration"): ("1.32", "flowcontrol.apiserver.k8s.io/v1")
    },
    "networking.k8s.io/v1beta1": {("Ingress", "IngressClass"): ("1.22", "networking.k8s.io/v1")},
    "policy/v1beta1": {
        ("PodDisruptionBudget",): ("1.25", "policy/v1"),
        ("PodSecurityPolicy",): ("1.25", "Pod Security admission"),
    },
    "rbac.authorization.k8s.io/v1beta1": {
        ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"): ("1.22", "rbac.authorization.k8s.io/v1")
    },
    "storage.k8s.io/v1beta1": {
        ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"): ("1.22", "storage.k8s.io/v1"),
        ("CSIStorageCapacity",): ("1.27", "storage.k8s.io/v1"),
    },
}
DEPRECATED = {
    ("v1", "Endpoints"): "discovery.k8s.io/v1 EndpointSlice",
    ("v1", "ComponentStatus"): "the /readyz endpoints",
}


def built_in(group: str) -> bool:
    """Whether an API group is Kubernetes' own."""
    return "." not in group or group.endswith(".k8s.io")


def _removed(manifest: Fields, context: Context) -> Found:
    version, kind = str(manifest["apiVersion"]), context.object.kind
    for kinds, (since, instead) in REMOVED.get(version, {}).items():
        if kind in kinds:
            yield Finding("apiVersion", f"{version} {kind} is gone since Kubernetes {since}: it is {instead} now")
    if (version, kind) in DEPRECATED:
        yield Finding("apiVersion", f"{version} {kind} is deprecated: use {DEPRECATED[version, kind]}")


def _unstable(manifest: Fields, _: Context) -> Found:
    group, _slash, version = str(manifest["apiVersion"]).rpartition("/")
    if built_in(group) and UNSTABLE.fullmatch(version):
        yield Finding("apiVersion", f"{version} may change or go with any release")


RULES = (
    Rule(
        id="removed-api",
        title="No object is of an API version that is gone or deprecated",
        severity=Severity.HIGH,
        remediation="take the version that replaces it",
        kinds=(),
        check=_removed,
        covers=("kube-score/stable-version",),
        frameworks=("NSA upgrading",),
    ),
    Rule(
        id="stable-api",
        title="Kubernetes' own kinds are used in their stable versions",
        severity=Severity.MEDIUM,
        remediation="take the stable version",
        kinds=(),
        check=_unstable,
    ),
)
