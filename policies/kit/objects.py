"""Kubernetes objects and other resources of a stack, and where their pods and containers are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from policies.kit.values import Fields, UnknownField

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "Pod": (),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
}
"""Kind to where its pod template is."""

WORKLOADS = tuple(TEMPLATES)
SERVING = ("DaemonSet", "Deployment", "ReplicaSet", "ReplicationController", "StatefulSet")
"""Workloads whose pods are meant to run for ever."""
REPLICATED = ("Deployment", "StatefulSet")
CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)


@dataclass(frozen=True)
class Options:
    """What only Pulumi knows of a resource.

    Attributes:
        parent: type of the resource that it is a child of (`trading:redis:Redis`); the stack's own type at the top.
        protect: whether Pulumi refuses to delete it.
        secret_outputs: properties that are secret in the state whatever their value.
    """

    parent: str
    protect: bool = False
    secret_outputs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Object:
    """One object as declared.

    Attributes:
        kind: Kubernetes kind, or `package:Kind` of another provider (`random:RandomPassword`).
        api_version: as in the manifest; empty for another provider's.
        values: all its fields.
        urn: Pulumi's name of it; empty for a manifest.
        source: file that it was read from; empty with Pulumi.
        options: None for a manifest.
    """

    kind: str
    api_version: str
    values: Fields = field(repr=False)
    urn: str = ""
    source: str = ""
    options: Options | None = None

    @property
    def name(self) -> str:
        """`metadata.name`. Raises `UnknownField`."""
        return str(self.values.dig("metadata", "name") or self.urn.rpartition("::")[2])

    @property
    def namespace(self) -> str:
        """The namespace that it ends up in; empty for objects that have none. Raises `UnknownField`."""
        if self.kind in CLUSTER_WIDE or ":" in self.kind:
            return ""
        return str(self.values.dig("metadata", "namespace") or "default")

    @property
    def title(self) -> str:
        """What a message calls it: `StatefulSet trading/redis`. Never raises `UnknownField`."""
        try:
            name = self.name
        except UnknownField:
            name = self.urn.rpartition("::")[2] or "(name not known yet)"
        try:
            namespace = self.namespace
        except UnknownField:
            namespace = "(namespace not known yet)"
        return f"{self.kind} {namespace}/{name}" if namespace else f"{self.kind} {name}"

    @property
    def labels(self) -> Fields:
        """`metadata.labels`."""
        return self.values.sub("metadata", "labels")

    @property
    def annotations(self) -> Fields:
        """`metadata.annotations`."""
        return self.values.sub("metadata", "annotations")

    @property
    def group(self) -> str:
        """The API group: `apps` of `apps/v1`, empty for the core."""
        return self.api_version.rpartition("/")[0]


def whole(obj: Object) -> Iterable[Fields]:
    """The object itself as the one subject of a rule."""
    return [obj.values]


def templates(obj: Object) -> Iterable[Fields]:
    """The pod template of a workload, metadata and spec; a Pod is its own."""
    return [obj.values.sub(*TEMPLATES[obj.kind])] if obj.kind in TEMPLATES else []


def pods(obj: Object) -> Iterable[Fields]:
    """The pod spec of a workload."""
    return [template.sub("spec") for template in templates(obj)]


def containers(obj: Object) -> Iterable[Fields]:
    """All containers of a workload, those that only prepare the pod too."""
    return [c for pod in pods(obj) for field in ("initContainers", "containers") for c in pod.each(field)]


def servers(obj: Object) -> Iterable[Fields]:
    """The containers that run as long as the pod: the main ones, and sidecars among the init containers."""
    return [
        *(c for pod in pods(obj) for c in pod.each("initContainers") if c.get("restartPolicy") == "Always"),
        *(c for pod in pods(obj) for c in pod.each("containers")),
    ]


def replicas(obj: Object) -> int:
    """How many pods a workload declares; 1 where nothing is said, as the API server takes it. Raises `UnknownField`."""
    declared = obj.values.dig("spec", "replicas")
    return 1 if declared is None else int(declared)


class Stack:
    """All objects of a stack, by kind and namespace."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self.objects = tuple(objects)

    def of(self, *kinds: str, namespace: str | None = None) -> Iterator[Object]:
        """The objects of some kinds, of one namespace if it is given."""
        for obj in self.objects:
            if obj.kind in kinds and (namespace is None or obj.namespace == namespace):
                yield obj

    def workloads(self, namespace: str) -> Iterator[tuple[Object, Fields]]:
        """The workloads of a namespace with their pod templates."""
        for obj in self.of(*WORKLOADS, namespace=namespace):
            for template in templates(obj):
                yield obj, template

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object by its name."""
        return next((obj for obj in self.of(kind, namespace=namespace) if obj.name == name), None)
