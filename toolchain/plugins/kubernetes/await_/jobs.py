"""Readiness of a Job: it has completed."""

from collections.abc import Mapping

from toolchain.plugins.kubernetes.await_ import pods
from toolchain.plugins.kubernetes.await_.status import Query, Related, Status
from toolchain.plugins.kubernetes.await_.workloads import POD
from toolchain.plugins.kubernetes.objects import Object, condition, dig, name_of, namespace_of


def queries(obj: Object) -> Mapping[str, Query]:
    """The pods of the Job."""
    return {"pods": Query(POD, namespace_of(obj), f"job-name={name_of(obj)}")}


def judge(obj: Object, related: Related) -> Status:
    """Complete is ready, suspended is as far as it should come, Failed is the end."""
    if any(condition(obj, kind).get("status") == "True" for kind in ("Complete", "Suspended")):
        return Status(ready=True)
    found = pods.of_owner(related.get("pods", ()))
    failure = condition(obj, "Failed")
    if failure.get("status") == "True":
        return Status(
            ready=False, failed=True, problems=(*found, f"[{failure.get('reason')}] {failure.get('message')}")
        )
    done, wanted = dig(obj, "status", "succeeded", default=0), dig(obj, "spec", "completions", default=1)
    active, lost = dig(obj, "status", "active", default=0), dig(obj, "status", "failed", default=0)
    message = f"Waiting for Job to complete ({done}/{wanted} succeeded, {active} active, {lost} failed)"
    return Status(
        ready=False,
        message=f"{message}; {found[0]}" if found else message,
        problems=found or ("Job has not completed",),
    )
