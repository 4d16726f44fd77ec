"""The objects that the cluster itself needs, applied at every `up`. Pure."""

from typing import Any

from toolchain.cluster import plan
from toolchain.cluster.provisioner import NAME, STORAGE_CLASS

RBAC = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]

Manifest = dict[str, Any]


def objects() -> list[tuple[str, Manifest]]:
    """(path in the API, object) of each, in the order in which to apply them."""
    return [
        *grant("trading:kubelet-api", "kube-apiserver-kubelet-client", existing="system:kubelet-api-admin"),
        *grant(
            "trading:coredns",
            "trading:coredns",
            rule("", ["services", "pods", "namespaces"], READ),
            rule("discovery.k8s.io", ["endpointslices"], READ),
        ),
        *grant(
            "trading:provisioner",
            "trading:provisioner",
            rule("", ["persistentvolumeclaims"], READ),
            rule("", ["persistentvolumes"], [*READ, "create", "delete"]),
        ),
        *grant(
            "trading:forwarder",
            "trading:forwarder",
            rule("", ["services"], ["get"]),
            rule("discovery.k8s.io", ["endpointslices"], ["list"]),
        ),
        (f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}", storage_class()),
        ("/api/v1/namespaces/kube-system/services/kube-dns", dns_service()),
        ("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns", dns_endpoints()),
    ]


def rule(group: str, resources: list[str], verbs: list[str]) -> Manifest:
    """A policy rule."""
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def grant(name: str, user: str, *rules: Manifest, existing: str | None = None) -> list[tuple[str, Manifest]]:
    """A ClusterRole of these rules, unless an existing one is named, and its binding to a user."""
    role = existing or name
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }
    made = [(f"/apis/{RBAC}/v1/clusterrolebindings/{name}", binding)]
    if not existing:
        body = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": [*rules]}
        made.insert(0, (f"/apis/{RBAC}/v1/clusterroles/{name}", body))
    return made


def storage_class() -> Manifest:
    """The default class: a folder on the node where the first consumer runs."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": NAME,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def dns_service() -> Manifest:
    """The DNS Service. It has no selector: CoreDNS is a process of the control plane, not a pod."""
    ports = [
        {"name": name, "port": 53, "protocol": protocol} for name, protocol in (("dns", "UDP"), ("dns-tcp", "TCP"))
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
        "spec": {"clusterIP": plan.DNS_SERVICE_IP, "ports": ports},
    }


def dns_endpoints() -> Manifest:
    """Where the DNS Service leads."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kube-dns",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": "kube-dns"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [plan.CONTROL_IP], "conditions": {"ready": True}}],
        "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        ],
    }
