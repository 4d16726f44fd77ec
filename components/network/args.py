"""Arguments of the network component."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from components.kit.errors import Problem, require
from components.kit.footprint import Footprint
from components.kit.rules import at_least, cidr, dns_label
from components.network.flows import Addresses, Flow, Namespaces


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
                found += cidr(end.field, end.cidr)
            if isinstance(end, Namespaces):
                found += dns_label(end.field, end.name)
        for port in flow.ports:
            if not 1 <= port <= 65535:
                found.append(Problem("network.ports", port, "a TCP port from 1 to 65535", "give the target's port"))
    return found


def quota_problems(quota: Quota, declared: Mapping[str, Footprint]) -> list[Problem]:
    """What of the quota holds less than all workloads declare.

    Args:
        quota: of the namespace.
        declared: who declares it to what it is at most, updates and autoscaling included.
    """
    found = []
    for part in fields(Quota):
        shares = {name: int(getattr(footprint, part.name)) for name, footprint in declared.items()}
        needed, allowed = sum(shares.values()), getattr(quota, part.name)
        if needed > allowed:
            sums = " + ".join(f"{name} {share}" for name, share in shares.items() if share)
            rule = f"below the {needed} that are declared ({sums}; pods of an update and of autoscaling included)"
            found.append(Problem(f"quota.{part.name}", allowed, rule, f"give {needed} or more, or declare less"))
    return found
