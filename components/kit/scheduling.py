"""Where the pods of one workload go: apart from each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pulumi_kubernetes.core.v1 import (
    AffinityArgs,
    PodAffinityTermArgs,
    PodAntiAffinityArgs,
    TopologySpreadConstraintArgs,
    WeightedPodAffinityTermArgs,
)

from components.kit.errors import Problem
from components.kit.metadata import matching
from components.kit.rules import at_least, at_most

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True, kw_only=True)
class Zones:
    """How firmly the members of a store are kept in different zones.

    Attributes:
        hard: False makes it a wish. True leaves a member unscheduled rather than have zones differ by more than one
            member; nodes that nothing may be scheduled to, as those of a lost zone, do not count.
        minimum: zones that there must be, with `hard` only; a member waits for them. None asks for no number.
    """

    hard: bool = False
    minimum: int | None = None


ANY_ZONES = Zones()


def zone_problems(zones: Zones, members: int) -> list[Problem]:
    """Problems of the rule for a store of so many members."""
    if zones.minimum is None:
        return []
    field, value = "zones.minimum", zones.minimum
    found = at_least(field, value, 2, "zones", "one zone keeps nothing apart")
    found += at_most(field, value, members, "zones", "more than the smallest store has members")
    if not zones.hard:
        rule = "needs zones.spread = 'hard', a wish has no minimum"
        found.append(Problem(field, value, rule, "run: pulumi config set --path zones.spread hard, or leave it out"))
    return found


class Spread(NamedTuple):
    """Two fields of a pod spec: `affinity` and `topology_spread_constraints`."""

    affinity: AffinityArgs
    zones: list[TopologySpreadConstraintArgs]


def spread(selector: Mapping[str, str], *, hard: bool = True, zones: Zones = ANY_ZONES) -> Spread:
    """No two of the selected pods on one node, and evenly over the zones as far as there are zones.

    The rule per node is hard, because two members that die together are one member. `hard=False` makes it a wish, for
    stateless pods of which there may be more than nodes. The rule per zone is a wish unless `zones` makes it hard,
    which is for members with volumes only: a lost zone must not keep stateless survivors from being scheduled.
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
                max_skew=1,
                topology_key=ZONE,
                when_unsatisfiable="DoNotSchedule" if zones.hard else "ScheduleAnyway",
                min_domains=zones.minimum,
                node_taints_policy="Honor" if zones.hard else None,
                label_selector=matching(selector),
            )
        ],
    )
