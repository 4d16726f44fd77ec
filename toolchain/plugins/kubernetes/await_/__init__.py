"""Waiting until an object is what its declaration promises: rules kind by kind, and the loop that applies them."""

from typing import Final

from toolchain.plugins.kubernetes.await_ import jobs, pods, services, storage, wait_for, workloads
from toolchain.plugins.kubernetes.await_.status import Rule
from toolchain.plugins.kubernetes.objects import SKIP_AWAIT, WAIT_FOR, Object, annotation, is_true, kind_of

RULES: Final[dict[tuple[str, str], Rule]] = {
    ("apps", "Deployment"): Rule(workloads.deployment, queries=workloads.queries),
    ("apps", "StatefulSet"): Rule(workloads.stateful_set, queries=workloads.queries),
    ("apps", "DaemonSet"): Rule(workloads.daemon_set, queries=workloads.queries),
    ("apps", "ReplicaSet"): Rule(workloads.replica_set, queries=workloads.queries),
    ("batch", "Job"): Rule(jobs.judge, queries=jobs.queries),
    ("", "Pod"): Rule(pods.judge),
    ("", "Service"): Rule(services.service, queries=services.service_queries, follow="slices"),
    ("networking.k8s.io", "Ingress"): Rule(services.ingress, queries=services.ingress_queries),
    ("", "PersistentVolumeClaim"): Rule(storage.claim, timeout_s=300.0, queries=storage.claim_queries),
    ("", "PersistentVolume"): Rule(storage.volume, timeout_s=300.0),
    ("", "ResourceQuota"): Rule(storage.quota, timeout_s=300.0),
}


def rule_for(inputs: Object) -> Rule | None:
    """How to wait for an object with these inputs; None if there is nothing to wait for, or waiting is not wanted.

    Raises ValueError for a `pulumi.com/waitFor` that is not understood.
    """
    if is_true(inputs, SKIP_AWAIT):
        return None
    if expression := annotation(inputs, WAIT_FOR):
        return wait_for.rule(wait_for.parse(expression))
    kind = kind_of(inputs)
    return RULES.get((kind.group, kind.kind))
