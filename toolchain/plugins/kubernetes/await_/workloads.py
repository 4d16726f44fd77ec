"""Readiness of what keeps pods running: Deployment, StatefulSet, DaemonSet, ReplicaSet."""

from collections.abc import Mapping
from typing import Final

from toolchain.plugins.kubernetes.await_ import pods
from toolchain.plugins.kubernetes.await_.status import Query, Related, Status, is_observed, selector_text
from toolchain.plugins.kubernetes.objects import Kind, Object, condition, conditions, dig, namespace_of

POD: Final = Kind("", "v1", "Pod")
TOO_FEW: Final = "Minimum number of live Pods was not attained"


def queries(obj: Object) -> Mapping[str, Query]:
    """The pods that a workload selects."""
    return {"pods": Query(POD, namespace_of(obj), selector_text(dig(obj, "spec", "selector", default={})))}


def deployment(obj: Object, related: Related) -> Status:
    """Ready when the newest ReplicaSet has rolled out: what `kubectl rollout status` waits for."""
    wanted, available = dig(obj, "spec", "replicas", default=1), dig(obj, "status", "availableReplicas", default=0)
    progressing = condition(obj, "Progressing")
    complete = (
        dig(obj, "status", "updatedReplicas", default=0) >= wanted
        and dig(obj, "status", "replicas", default=0) <= dig(obj, "status", "updatedReplicas", default=0)
        and available >= wanted
    )
    if is_observed(obj) and complete and progressing.get("status") != "False":
        return Status(ready=True)
    reasons = [
        f"[{entry.get('reason')}] {entry.get('message')}"
        for entry in conditions(obj)
        if (entry.get("type") == "ReplicaFailure") == (entry.get("status") == "True")
    ]
    found = pods.of_owner(related.get("pods", ()))
    if available < wanted:
        reasons.append(TOO_FEW)
    message = f"[1/2] Waiting for app ReplicaSet to be available ({available}/{wanted} Pods available)"
    if available >= wanted:
        message = "[2/2] Waiting for Pods of the previous ReplicaSet to go"
    return Status(ready=False, message=_line(message, found), problems=(*reasons, *found))


def stateful_set(obj: Object, related: Related) -> Status:
    """Ready when every replica is, and has the newest revision as far as the update strategy brings it there."""
    wanted, ready = dig(obj, "spec", "replicas", default=1), dig(obj, "status", "readyReplicas", default=0)
    updated = dig(obj, "status", "updatedReplicas", default=0)
    partition = dig(obj, "spec", "updateStrategy", "rollingUpdate", "partition", default=0)
    to_update = max(0, wanted - partition)
    if dig(obj, "spec", "updateStrategy", "type") == "OnDelete":
        rolled_out = True  # pods are updated when somebody deletes them
    elif partition:
        rolled_out = updated >= to_update
    else:
        rolled_out = dig(obj, "status", "currentRevision") == dig(obj, "status", "updateRevision")
    if is_observed(obj) and ready >= wanted and dig(obj, "status", "replicas", default=0) == wanted and rolled_out:
        return Status(ready=True)
    found = pods.of_owner(related.get("pods", ()))
    if ready < wanted:
        message = f"[1/2] Waiting for StatefulSet Pods to be ready ({ready}/{wanted} Pods ready)"
        reasons = [f"{ready} out of {wanted} replicas succeeded readiness checks"]
    else:
        message = f"[2/2] Waiting for StatefulSet update to roll out ({updated}/{to_update} Pods updated)"
        reasons = ["StatefulSet controller failed to advance from the current revision to the updated one"]
    return Status(ready=False, message=_line(message, found), problems=(*reasons, *found))


def daemon_set(obj: Object, related: Related) -> Status:
    """Ready when each node that should run the newest pod has it available."""
    wanted = dig(obj, "status", "desiredNumberScheduled", default=0)
    available = dig(obj, "status", "numberAvailable", default=0)
    updated = dig(obj, "status", "updatedNumberScheduled", default=0)
    rolling = dig(obj, "spec", "updateStrategy", "type", default="RollingUpdate") == "RollingUpdate"
    if is_observed(obj) and available >= wanted and (updated >= wanted or not rolling):
        return Status(ready=True)
    found = pods.of_owner(related.get("pods", ()))
    message = f"Waiting for DaemonSet Pods ({updated}/{wanted} updated, {available}/{wanted} available)"
    return Status(ready=False, message=_line(message, found), problems=(TOO_FEW, *found))


def replica_set(obj: Object, related: Related) -> Status:
    """Ready when every replica is available."""
    wanted, available = dig(obj, "spec", "replicas", default=1), dig(obj, "status", "availableReplicas", default=0)
    if is_observed(obj) and available >= wanted:
        return Status(ready=True)
    found = pods.of_owner(related.get("pods", ()))
    message = f"Waiting for Pods to be available ({available}/{wanted} Pods available)"
    return Status(ready=False, message=_line(message, found), problems=(TOO_FEW, *found))


def _line(message: str, found: tuple[str, ...]) -> str:
    return f"{message}; {found[0]}" if found else message
