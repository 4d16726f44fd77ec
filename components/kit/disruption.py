"""Disruption budgets: how many pods of a workload a node drain may take at once."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from components.kit.metadata import matching, metadata


def disruption_budget(
    name: str,
    *,
    object_name: str,
    namespace: str,
    labels: Mapping[str, str],
    selector: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> PodDisruptionBudget:
    """One budget over all pods of a workload: one at a time.

    A budget over the primary alone would block every drain; one over all members lets a drain wait for the member
    before, and needs nobody to switch over by hand.
    """
    return PodDisruptionBudget(
        name,
        metadata=metadata(object_name, namespace, labels),
        spec=PodDisruptionBudgetSpecArgs(max_unavailable=1, selector=matching(selector)),
        opts=opts,
    )
