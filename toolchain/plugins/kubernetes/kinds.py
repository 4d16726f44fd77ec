"""What a Pulumi type token says about a Kubernetes kind, and what is known of kinds without asking a server."""

from typing import Final, NamedTuple

from toolchain.plugins.kubernetes.objects import Kind, Object, text

CLUSTER_WIDE: Final = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "ComponentStatus",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "StorageVersionMigration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)
"""Built-in kinds outside namespaces: what is believed while no server can be asked."""

OWN_TOKENS: Final = (
    "kubernetes:helm.sh/",
    "kubernetes:yaml:",
    "kubernetes:yaml/",
    "kubernetes:kustomize:",
    "kubernetes:kustomize/",
)
UNSUPPORTED: Final = (
    "charts, kustomizations and YAML files are not supported by this provider; "
    "declare the objects as typed resources, or install the official kubernetes plugin"
)


class Type(NamedTuple):
    """A resource type of the program."""

    kind: Kind
    """As the token has it: a Patch resource's kind ends with `Patch`."""

    def is_patch(self, inputs: Object) -> bool:
        """Whether the resource manages single fields of an object that it does not own."""
        return self.kind.kind == f"{text(inputs.get('kind'))}Patch"

    def is_list(self, inputs: Object) -> bool:
        """Whether this is one of the List kinds, which exist for YAML manifests only."""
        return self.kind.kind.endswith("List") and text(inputs.get("kind")) in ("", self.kind.kind)


def parse_type(token: str) -> Type:
    """Read a token such as `kubernetes:apps/v1:Deployment`. Raises ValueError for what is no Kubernetes kind."""
    package, _, rest = token.partition(":")
    module, _, kind = rest.rpartition(":")
    group, _, version = module.partition("/")
    if token.startswith(OWN_TOKENS):
        raise ValueError(f"resource type {token!r}: {UNSUPPORTED}")
    if package != "kubernetes" or not group or not version or not kind:
        raise ValueError(f"resource type {token!r} is not of the form kubernetes:<group>/<version>:<Kind>")
    return Type(Kind("" if group == "core" else group, version, kind))
