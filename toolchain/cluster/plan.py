"""The address plan and the names of a cluster. Pure: values only.

All addresses live inside the cluster's own network namespaces, so every cluster can use the same ones; what is visible
on the machine (namespaces, cgroups) carries the cluster's id.
"""

import hashlib
from pathlib import Path

NODES = ("node-1", "node-2", "node-3")
CONTROL = "control"
MEMBERS = (CONTROL, *NODES)

CONTROL_IP = "172.30.0.1"
NETWORK_PREFIX = 24
API_PORT = 6443
POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_SERVICE_IP = "10.96.0.10"
DNS_DOMAIN = "cluster.local"

INSIDE = Path("/run/node")
"""Where a member's own folder is mounted for its processes: short, and the same on every machine."""


def cluster_id(local: Path) -> str:
    """The name of the cluster whose state is in `local`: `trading-` and 6 hex digits of that path."""
    return "trading-" + hashlib.sha256(str(local).encode()).hexdigest()[:6]


def namespace(cluster: str, member: str) -> str:
    """The network namespace of a member, as `ip netns` lists it."""
    return f"{cluster}-{member}"


def index(node: str) -> int:
    """1 for node-1, and so on. Raises ValueError for anything else."""
    if node not in NODES:
        raise ValueError(f"node = {node!r}: not one of {', '.join(NODES)}")
    return NODES.index(node) + 1


def address(member: str) -> str:
    """The address of a node or of the control plane on the cluster's bridge."""
    return CONTROL_IP if member == CONTROL else f"172.30.0.{10 + index(member)}"


def pod_cidr(node: str) -> str:
    """The addresses of the pods on a node."""
    return f"10.244.{index(node)}.0/24"


def sources(member: str) -> tuple[str, ...]:
    """Every address range that packets of a member come from: its own address and those of its pods."""
    return (address(member),) if member == CONTROL else (address(member), pod_cidr(member))


def zone(node: str) -> str:
    """The value of the label topology.kubernetes.io/zone."""
    return f"zone-{index(node)}"


def resolver(member: str) -> str:
    """The resolv.conf of host commands in a member's namespace: the cluster's DNS, as a pod of `default` sees it."""
    server = CONTROL_IP if member == CONTROL else DNS_SERVICE_IP
    search = f"default.svc.{DNS_DOMAIN} svc.{DNS_DOMAIN} {DNS_DOMAIN}"
    return f"nameserver {server}\nsearch {search}\noptions ndots:5\n"
