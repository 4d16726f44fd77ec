"""Which fields force a replacement, kind by kind: the official provider's choice, not all that a server refuses.

A pattern is a path of keys, `*` for every item of a list. A change at, below or above a pattern (when what is added or
taken away contains the field) replaces the resource.
"""

from typing import Any, Final, NamedTuple, TypeAlias

from toolchain.plugins.kubernetes.objects import Kind, Object, kind_of

Path: TypeAlias = tuple[str | int, ...]
Pattern: TypeAlias = tuple[str, ...]

IDENTITY: Final[tuple[Pattern, ...]] = (("metadata", "name"), ("metadata", "namespace"))


def _spec(*fields: str) -> tuple[Pattern, ...]:
    return tuple(("spec", *field.split(".")) for field in fields)


# fmt: off
CONTAINER: Final = (
    "args", "command", "env", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "ports", "readinessProbe",
    "resources", "securityContext", "stdin", "stdinOnce", "terminationMessagePath", "terminationMessagePolicy",
    "tty", "volumeDevices", "volumeMounts", "workingDir",
)
POD: Final = _spec(
    "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases",
    "hostIPC", "hostNetwork", "hostPID", "hostname", "imagePullSecrets", "nodeName", "nodeSelector", "overhead",
    "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "restartPolicy", "runtimeClassName",
    "schedulerName", "securityContext", "serviceAccount", "serviceAccountName", "shareProcessNamespace", "subdomain",
    "terminationGracePeriodSeconds", "volumes",
    *(f"{group}.*.{field}" for group in ("containers", "initContainers") for field in CONTAINER),
)
VOLUME: Final = _spec(
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker",
    "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk", "portworxVolume",
    "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
)
# fmt: on
STATEFUL_SET: Final = _spec(
    "podManagementPolicy", "revisionHistoryLimit", "selector", "serviceName", "volumeClaimTemplates"
)
JOB: Final = _spec("completions", "parallelism", "selector", "template")
BINDING: Final[tuple[Pattern, ...]] = (("roleRef",),)

FORCE_NEW: Final[dict[tuple[str, str], tuple[Pattern, ...]]] = {
    ("", "PersistentVolume"): VOLUME,
    ("", "PersistentVolumeClaim"): _spec("accessModes", "selector", "storageClassName", "volumeName"),
    ("", "Pod"): POD,
    ("", "ResourceQuota"): _spec("scopes"),
    ("", "Secret"): (("type",),),
    ("", "Service"): _spec("clusterIP"),
    ("apps", "DaemonSet"): _spec("selector"),
    ("apps", "Deployment"): _spec("selector"),
    ("apps", "StatefulSet"): STATEFUL_SET,
    ("batch", "Job"): JOB,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): BINDING,
    ("rbac.authorization.k8s.io", "RoleBinding"): BINDING,
    ("storage.k8s.io", "StorageClass"): (("parameters",), ("provisioner",)),
}
CONTENT: Final[dict[Kind, tuple[Pattern, ...]]] = {
    Kind("", "v1", "ConfigMap"): (("binaryData",), ("data",)),
    Kind("", "v1", "Secret"): (("data",), ("stringData",)),
}
"""Replaced as a whole on any change, unless the provider is told that they are mutable."""


class Mutable(NamedTuple):
    """The provider's enableConfigMapMutable and enableSecretMutable."""

    config_map: bool
    secret: bool

    def allows(self, obj: Object) -> bool:
        """Whether the content of this ConfigMap or Secret may change in place."""
        wanted = self.secret if obj.get("kind") == "Secret" else self.config_map
        return wanted and obj.get("immutable") is not True


def force_new(obj: Object, mutable: Mutable, *, patch: bool) -> tuple[Pattern, ...]:
    """The patterns for an object; a Patch resource is replaced for another identity only."""
    if patch:
        return IDENTITY
    kind = kind_of(obj)
    content = CONTENT.get(kind, ())
    return IDENTITY + FORCE_NEW.get((kind.group, kind.kind), ()) + (() if mutable.allows(obj) else content)


def forces(patterns: tuple[Pattern, ...], path: Path, value: Any) -> bool:  # noqa: ANN401
    """Whether a change at the path forces a replacement.

    Args:
        value: what stands at the path in the new inputs, or stood there before a removal: a pattern deeper than the
            path matters only when the value has it.
    """
    return any(_matches(pattern, path, value) for pattern in patterns)


def _matches(pattern: Pattern, path: Path, value: Any) -> bool:  # noqa: ANN401
    if any(want not in ("*", have) for want, have in zip(pattern, path, strict=False)):
        return False
    return _contains(value, pattern[len(path) :])


def _contains(value: Any, rest: Pattern) -> bool:  # noqa: ANN401
    if not rest:
        return True
    if rest[0] == "*":
        return isinstance(value, list) and any(_contains(item, rest[1:]) for item in value)
    return isinstance(value, dict) and rest[0] in value and _contains(value[rest[0]], rest[1:])
