"""Arguments of the network component."""

import ipaddress
from dataclasses import dataclass

from components.kit.errors import Problem, require
from components.kit.rules import at_least, dns_label
from components.network.flows import Addresses, Flow


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What the whole namespace may ask for.

    Attributes:
        pods: number of pods, those of a rolling update included.
        cpu_m: sum of CPU requests, in thousandths of a core.
        memory_mib: sum of memory limits, which are the requests too.
        storage_gib: sum of volume claims.
        claims: number of volume claims.
    """

    pods: int
    cpu_m: int
    memory_mib: int
    storage_gib: int
    claims: int


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Arguments of `Network`.

    Attributes:
        namespace: name of the namespace that is made.
        quota: what it may ask for.
        flows: connections that are allowed; all others are denied.

    Raises:
        InvalidArgs: with every problem at once.
    """

    namespace: str
    quota: Quota
    flows: tuple[Flow, ...]

    def __post_init__(self) -> None:
        """Refuse what `problems` finds."""
        require(problems(self))


def problems(args: NetworkArgs) -> list[Problem]:
    """Every problem of the arguments."""
    found = dns_label("namespace", args.namespace)
    for name, unit in (
        ("pods", "pods"),
        ("cpu_m", "thousandths of a core"),
        ("memory_mib", "MiB"),
        ("storage_gib", "GiB"),
        ("claims", "claims"),
    ):
        found += at_least(f"quota.{name}", getattr(args.quota, name), 1, unit)
    for flow in args.flows:
        for end in (flow.source, flow.target):
            if isinstance(end, Addresses):
                found += cidr("network", end.cidr)
        for port in flow.ports:
            if not 1 <= port <= 65535:
                found.append(Problem("network.ports", port, "a TCP port from 1 to 65535", "give the target's port"))
    return found


def cidr(field: str, text: str) -> list[Problem]:
    """The text must be an address block without host bits, as NetworkPolicy asks."""
    try:
        ipaddress.ip_network(text, strict=True)
    except ValueError as error:
        return [Problem(field, text, f"an address block in CIDR notation ({error})", "give one such as '10.0.0.0/8'")]
    return []
