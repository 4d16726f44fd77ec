"""Where the pods of one workload go: apart from each other."""

from collections.abc import Mapping
from typing import NamedTuple

from pulumi_kubernetes.core.v1 import (
    AffinityArgs,
    PodAffinityTermArgs,
    PodAntiAffinityArgs,
    TopologySpreadConstraintArgs,
    WeightedPodAffinityTermArgs,
)

from components.kit.metadata import matching

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


class Spread(NamedTuple):
    """Two fields of a pod spec: `affinity` and `topology_spread_constraints`."""

    affinity: AffinityArgs
    zones: list[TopologySpreadConstraintArgs]


def spread(selector: Mapping[str, str], *, hard: bool = True) -> Spread:
    """No two of the selected pods on one node, and evenly over the zones as far as there are zones.

    The rule per node is hard, because two members that die together are one member. `hard=False` makes it a wish, for
    stateless pods of which there may be more than nodes. The rule per zone is always a wish: a lost zone must not keep
    the survivors from being scheduled.
    """
    term = PodAffinityTermArgs(label_selector=matching(selector), topology_key=HOSTNAME)
    apart = (
        PodAntiAffinityArgs(required_during_scheduling_ignored_during_execution=[term])
        if hard
        else PodAntiAffinityArgs(
            preferred_during_scheduling_ignored_during_execution=[
                WeightedPodAffinityTermArgs(weight=100, pod_affinity_term=term)
            ]
        )
    )
    return Spread(
        affinity=AffinityArgs(pod_anti_affinity=apart),
        zones=[
            TopologySpreadConstraintArgs(
                max_skew=1, topology_key=ZONE, when_unsatisfiable="ScheduleAnyway", label_selector=matching(selector)
            )
        ],
    )
