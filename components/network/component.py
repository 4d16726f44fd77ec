"""The namespace of the platform: Pod Security, quota, defaults, and NetworkPolicies from a table of flows."""

import pulumi
from pulumi_kubernetes.core.v1 import (
    LimitRange,
    LimitRangeItemArgs,
    LimitRangeSpecArgs,
    Namespace,
    ResourceQuota,
    ResourceQuotaSpecArgs,
)
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicySpecArgs

from components.kit.component import Component
from components.kit.labels import labels
from components.kit.metadata import metadata
from components.kit.quantities import gib, mib, millicores
from components.network.args import NetworkArgs
from components.network.flows import allow_dns, by_workload, deny_all, spec

POD_SECURITY = {
    f"pod-security.kubernetes.io/{mode}{suffix}": value
    for mode in ("enforce", "audit", "warn")
    for suffix, value in (("", "restricted"), ("-version", "latest"))
}


class Network(Component):
    """A namespace in which no pod may be privileged and no pod may talk to another unless the table says so.

    NetworkPolicies need a network plugin that enforces them; the cluster of `make up` has none and only stores them.

    Attributes:
        namespace: the plain name of the namespace.
    """

    token = "trading:network:Network"

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.namespace = args.namespace
        self._labels = labels("network")
        self._inside = Namespace(
            f"{name}-namespace",
            metadata=metadata(args.namespace, None, self._labels | POD_SECURITY),
            opts=self.child(),
        )
        self._limits(name, args)
        self._policy(f"{name}-deny-all", "deny-all", deny_all())
        self._policy(f"{name}-allow-dns", "allow-dns", allow_dns())
        for policy in by_workload(args.flows):
            self._policy(f"{name}-allow-{policy.pods.slug}", f"allow-{policy.pods.slug}", spec(policy))
        self.register_outputs({"namespace": self.namespace})

    def _policy(self, name: str, object_name: str, wanted: NetworkPolicySpecArgs) -> None:
        NetworkPolicy(
            name,
            metadata=metadata(object_name, self.namespace, self._labels),
            spec=wanted,
            opts=self.child(depends_on=[self._inside]),
        )

    def _limits(self, name: str, args: NetworkArgs) -> None:
        quota = args.quota
        ResourceQuota(
            f"{name}-quota",
            metadata=metadata("quota", self.namespace, self._labels),
            spec=ResourceQuotaSpecArgs(
                hard={
                    "pods": str(quota.pods),
                    "requests.cpu": millicores(quota.cpu_m),
                    "requests.memory": mib(quota.memory_mib),
                    "limits.memory": mib(quota.memory_mib),
                    "requests.storage": gib(quota.storage_gib),
                    "persistentvolumeclaims": str(quota.claims),
                    # nothing of this platform asks a cloud for an address of its own
                    "services.loadbalancers": "0",
                    "services.nodeports": "0",
                }
            ),
            opts=self.child(depends_on=[self._inside]),
        )
        # a pod that somebody adds by hand still counts against the quota, with something small
        LimitRange(
            f"{name}-defaults",
            metadata=metadata("defaults", self.namespace, self._labels),
            spec=LimitRangeSpecArgs(
                limits=[
                    LimitRangeItemArgs(
                        type="Container",
                        default_request={"cpu": millicores(10), "memory": mib(64)},
                        default={"memory": mib(64)},
                    )
                ]
            ),
            opts=self.child(depends_on=[self._inside]),
        )
