"""Readiness of volumes, claims and quotas."""

from collections.abc import Mapping
from typing import Final

from toolchain.plugins.kubernetes.await_.status import Query, Related, Status
from toolchain.plugins.kubernetes.objects import Kind, Object, dig, text

STORAGE_CLASS: Final = Kind("storage.k8s.io", "v1", "StorageClass")


def claim_queries(obj: Object) -> Mapping[str, Query]:
    """The claim's storage class, which says when volumes are bound."""
    name = text(dig(obj, "spec", "storageClassName"))
    return {"class": Query(STORAGE_CLASS, name=name)} if name else {}


def claim(obj: Object, related: Related) -> Status:
    """Bound is ready; so is a claim that its class binds only when a pod uses it."""
    modes = {entry.get("volumeBindingMode") for entry in related.get("class", ())}
    phase = dig(obj, "status", "phase", default="Pending")
    if phase == "Bound" or "WaitForFirstConsumer" in modes:
        return Status(ready=True)
    return Status(
        ready=False,
        message=f"Waiting for PersistentVolumeClaim to be bound ({phase})",
        problems=(f"PersistentVolumeClaim is {phase}, not Bound",),
    )


def volume(obj: Object, _: Related) -> Status:
    """Available or bound is ready."""
    phase = dig(obj, "status", "phase", default="Pending")
    if phase in ("Available", "Bound"):
        return Status(ready=True)
    return Status(
        ready=False,
        message=f"Waiting for PersistentVolume to be available ({phase})",
        problems=(f"PersistentVolume is {phase}: {dig(obj, 'status', 'message', default='')}".rstrip(": "),),
    )


def quota(obj: Object, _: Related) -> Status:
    """Ready when the controller counts by the limits that are asked."""
    if dig(obj, "spec", "hard", default={}) == dig(obj, "status", "hard", default={}):
        return Status(ready=True)
    return Status(
        ready=False, message="Waiting for quota limits to apply", problems=("the quota's limits are not in force yet",)
    )
