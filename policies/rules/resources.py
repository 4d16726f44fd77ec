"""What containers ask of their node, and what bounds them."""

from policies.kit.objects import WORKLOADS, containers, pods
from policies.kit.quantities import quantity
from policies.kit.rule import Context, Enforcement, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields


def _requests(container: Fields, _: Context) -> Found:
    asked = container.sub("resources", "requests")
    for name in ("cpu", "memory"):
        if asked.get(name) is None:
            yield Finding(asked.at(name), "is not set, so the scheduler takes it for nothing")


def _memory_limit(container: Fields, context: Context) -> Found:
    limit, request = (container.sub("resources", part).get("memory") for part in ("limits", "requests"))
    path = container.at("resources", "limits", "memory")
    if limit is None:
        yield Finding(path, "is not set, so a leak takes the node down with it")
    elif context.settings["equal"] and request is not None and quantity(limit) != quantity(request):
        yield Finding(path, "is not the request, so the node may be promised more memory than it has")


def _cpu_limit(container: Fields, _: Context) -> Found:
    limits = container.sub("resources", "limits")
    if limits.get("cpu") is None:
        yield Finding(limits.at("cpu"), "is not set")


def _ephemeral_storage(container: Fields, _: Context) -> Found:
    for part in ("requests", "limits"):
        given = container.sub("resources", part)
        if given.get("ephemeral-storage") is None:
            yield Finding(given.at("ephemeral-storage"), "is not set")


def _empty_dirs(pod: Fields, _: Context) -> Found:
    for volume in pod.each("volumes"):
        if "emptyDir" in volume and volume.sub("emptyDir").get("sizeLimit") is None:
            yield Finding(volume.at("emptyDir", "sizeLimit"), "is not set, so one pod can fill its node's disk")


RULES = (
    Rule(
        id="resource-requests",
        title="Every container asks for CPU and memory",
        severity=Severity.HIGH,
        remediation="set resources.requests.cpu and .memory",
        kinds=WORKLOADS,
        each=containers,
        check=_requests,
        covers=("CKV_K8S_10", "CKV_K8S_12", "kube-score/container-resources"),
    ),
    Rule(
        id="memory-limit",
        title="Every container has a memory limit, and it is what it asked for",
        severity=Severity.HIGH,
        remediation="set resources.limits.memory to the request",
        kinds=WORKLOADS,
        each=containers,
        check=_memory_limit,
        covers=("CKV_K8S_13", "kube-score/container-resources", "kube-score/container-memory-requests-equal-limits"),
        settings={"equal": Setting(True, "whether the limit must be the request")},
    ),
    Rule(
        id="cpu-limit",
        title="Every container has a CPU limit (off: throttling stalls a database while the node idles)",
        severity=Severity.LOW,
        remediation="set resources.limits.cpu",
        kinds=WORKLOADS,
        each=containers,
        check=_cpu_limit,
        covers=("CKV_K8S_11",),
        enforcement=Enforcement.DISABLED,
    ),
    Rule(
        id="empty-dir-size",
        title="Every scratch volume has a size limit",
        severity=Severity.MEDIUM,
        remediation="set emptyDir.sizeLimit",
        kinds=WORKLOADS,
        each=pods,
        check=_empty_dirs,
    ),
    Rule(
        id="ephemeral-storage",
        title="Every container bounds its ephemeral storage (off: read-only roots and sized volumes bound it already)",
        severity=Severity.LOW,
        remediation="set ephemeral-storage among requests and limits",
        kinds=WORKLOADS,
        each=containers,
        check=_ephemeral_storage,
        covers=("kube-score/container-ephemeral-storage-request-and-limit",),
        enforcement=Enforcement.DISABLED,
    ),
)
