"""Who may talk to whom: a table of flows, turned into one NetworkPolicy a workload. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from components.kit.labels import selector
from components.kit.metadata import matching


@dataclass(frozen=True, order=True)
class Pods:
    """Pods of the namespace, by the two labels that every pod of a component carries."""

    app: str
    component: str | None = None

    @property
    def slug(self) -> str:
        """The text that names them in an object's name."""
        return self.app if self.component is None else f"{self.app}-{self.component}"

    def peer(self) -> NetworkPolicyPeerArgs:
        """These pods as one end of a rule."""
        return NetworkPolicyPeerArgs(pod_selector=matching(selector(self.app, self.component)))


@dataclass(frozen=True, order=True)
class Namespaces:
    """All pods of another namespace, by the name that the API server labels it with; `field` is for messages."""

    name: str
    field: str = field(default="network", compare=False)

    def peer(self) -> NetworkPolicyPeerArgs:
        """These pods as one end of a rule."""
        return NetworkPolicyPeerArgs(
            namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": self.name})
        )


@dataclass(frozen=True, order=True)
class Addresses:
    """Whatever has an address in the block: what no pod selector can name, as the Kubernetes API.

    `field` is where the configuration has the block, for messages.
    """

    cidr: str
    field: str = field(default="network", compare=False)

    def peer(self) -> NetworkPolicyPeerArgs:
        """These addresses as one end of a rule."""
        return NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=self.cidr))


Peer = Pods | Namespaces | Addresses


@dataclass(frozen=True)
class Flow:
    """TCP connections that `source` may open to `target` on `ports`."""

    source: Peer
    target: Peer
    ports: tuple[int, ...]


class Policy(NamedTuple):
    """The flows of one workload: what it accepts and what it opens."""

    pods: Pods
    accepts: tuple[Flow, ...]
    opens: tuple[Flow, ...]


def by_workload(flows: Iterable[Flow]) -> list[Policy]:
    """One policy for each set of pods at either end of a flow, in the order of their names."""
    table = list(flows)
    ends = {end for flow in table for end in (flow.source, flow.target) if isinstance(end, Pods)}
    return [
        Policy(
            pods=pods,
            accepts=tuple(flow for flow in table if flow.target == pods),
            opens=tuple(flow for flow in table if flow.source == pods),
        )
        for pods in sorted(ends, key=lambda pods: pods.slug)
    ]


def spec(policy: Policy) -> NetworkPolicySpecArgs:
    """The NetworkPolicy of one workload; what it leaves out stays denied."""
    return NetworkPolicySpecArgs(
        pod_selector=matching(selector(policy.pods.app, policy.pods.component)),
        policy_types=["Ingress", "Egress"],
        # None rather than an empty list: the API server drops those, and the next refresh would call it a change
        ingress=[
            NetworkPolicyIngressRuleArgs(from_=[flow.source.peer()], ports=tcp(flow.ports)) for flow in policy.accepts
        ]
        or None,
        egress=[NetworkPolicyEgressRuleArgs(to=[flow.target.peer()], ports=tcp(flow.ports)) for flow in policy.opens]
        or None,
    )


def deny_all() -> NetworkPolicySpecArgs:
    """Every pod of the namespace, both directions, nothing allowed."""
    return NetworkPolicySpecArgs(pod_selector=LabelSelectorArgs(), policy_types=["Ingress", "Egress"])


def allow_dns() -> NetworkPolicySpecArgs:
    """Every pod may ask the cluster's DNS, over UDP and, for long answers, TCP."""
    dns = NetworkPolicyPeerArgs(
        namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": "kube-system"}),
        pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}),
    )
    ports = [NetworkPolicyPortArgs(port=53, protocol=protocol) for protocol in ("UDP", "TCP")]
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(),
        policy_types=["Egress"],
        egress=[NetworkPolicyEgressRuleArgs(to=[dns], ports=ports)],
    )


def tcp(ports: Iterable[int]) -> list[NetworkPolicyPortArgs]:
    """TCP ports of a rule."""
    return [NetworkPolicyPortArgs(port=port, protocol="TCP") for port in ports]
