"""Pods: their own readiness, and what they tell of why their owner is not ready."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from toolchain.plugins.kubernetes.await_.status import Related, Status
from toolchain.plugins.kubernetes.objects import Object, condition, conditions, dig, full_name, text

MOST_PODS: Final = 3
"""Of how many pods of one owner a failure tells; the others fail alike."""

RPC_PREFIX: Final = re.compile(r"^rpc error: code = \w+ desc = ")


def judge(pod: Object, _: Related) -> Status:
    """A pod is ready when its containers are, or when it has run to a good end."""
    phase = dig(pod, "status", "phase")
    if phase == "Succeeded" or condition(pod, "Ready").get("status") == "True":
        return Status(ready=True)
    found = tuple(problems(pod))
    waiting = found[0] if found else "Waiting for the Pod to be scheduled and started"
    return Status(ready=False, message=waiting, problems=found, failed=phase == "Failed")


def is_ready(pod: Object) -> bool:
    """Whether the pod counts as live for its owner."""
    return judge(pod, {}).ready


def problems(pod: Object) -> Iterator[str]:
    """One line for each thing that keeps the pod from being ready, the most telling first."""
    prefix = f"[Pod {full_name(pod)}]: "
    for entry in conditions(pod):
        if entry.get("status") == "False" and entry.get("type") == "PodScheduled":
            yield f"{prefix}[{entry.get('reason')}] {entry.get('message')}"
        if entry.get("status") == "False" and entry.get("type") == "Initialized" and entry.get("message"):
            yield f"{prefix}{entry['message']}{_waiting(pod, 'initContainerStatuses')}"
    unready = condition(pod, "Ready")
    if unready.get("reason") in ("ContainersNotReady", "ReadinessGatesNotReady") and not _initializing(pod):
        yield f"{prefix}{unready.get('message')}{_waiting(pod, 'containerStatuses')}"
    elif dig(pod, "status", "reason"):
        yield f"{prefix}[{dig(pod, 'status', 'reason')}] {dig(pod, 'status', 'message', default='')}".rstrip()
    yield from (prefix + line for line in _ended(pod))


def of_owner(pods: Iterable[Object]) -> tuple[str, ...]:
    """The problems of an owner's pods, of the first few."""
    troubled = [lines for pod in pods if not is_ready(pod) and (lines := list(problems(pod)))]
    return tuple(line for lines in troubled[:MOST_PODS] for line in lines)


def unready_containers(pod: Object) -> list[Object]:
    """The statuses of containers that are not ready and have run at least once, so that there is a log to read."""
    return [
        status
        for group in ("initContainerStatuses", "containerStatuses")
        for status in dig(pod, "status", group, default=[])
        if not status.get("ready")
        and (status.get("restartCount") or _terminated(status) or dig(status, "state", "running"))
    ]


def _initializing(pod: Object) -> bool:
    return condition(pod, "Initialized").get("status") == "False"


def _waiting(pod: Object, group: str) -> str:
    """What containers wait for: `[ErrImagePull] failed to pull ...`."""
    parts = []
    for status in dig(pod, "status", group, default=[]):
        waiting = dig(status, "state", "waiting", default={})
        if waiting.get("reason") and waiting["reason"] not in ("ContainerCreating", "PodInitializing"):
            parts.append(f"[{waiting['reason']}] {RPC_PREFIX.sub('', text(waiting.get('message')))}".rstrip())
    return "".join(parts)


def _terminated(status: Object) -> Object:
    found: Object = dig(status, "state", "terminated") or dig(status, "lastState", "terminated") or {}
    return found


def _ended(pod: Object) -> Iterator[str]:
    for group in ("initContainerStatuses", "containerStatuses"):
        for status in dig(pod, "status", group, default=[]):
            end = _terminated(status)
            if end and not status.get("ready") and end.get("exitCode"):
                why = f" ({end['reason']})" if end.get("reason") not in (None, "", "Error", "Completed") else ""
                yield f'container "{status.get("name")}" completed with exit code {end["exitCode"]}{why}'
