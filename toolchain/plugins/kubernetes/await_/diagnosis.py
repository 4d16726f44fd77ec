"""What the cluster can tell about an object that did not become ready: events, and the last lines of logs."""

from collections.abc import Iterator
from typing import Final

from toolchain.plugins.kubernetes.await_ import pods
from toolchain.plugins.kubernetes.client import ApiError, Client, Unreachable
from toolchain.plugins.kubernetes.objects import Object, dig, full_name, kind_of, name_of, namespace_of

LOG_LINES: Final = 10
MOST_EVENTS: Final = 5


def explain(client: Client, obj: Object, pods_of: list[Object]) -> list[str]:
    """Lines to add to a failure: warnings about the object, then those about its unready pods with their logs."""
    lines: list[str] = []
    try:
        if obj not in pods_of:
            lines += _events(client, obj)
        for pod in [pod for pod in pods_of if not pods.is_ready(pod)][: pods.MOST_PODS]:
            lines += _events(client, pod)
            lines += _logs(client, pod)
    except (ApiError, Unreachable) as error:
        # The failure itself is what counts; say why there is no more to it.
        lines.append(f"no more details: {error}")
    return lines


def _events(client: Client, obj: Object) -> Iterator[str]:
    namespace = namespace_of(obj) or "default"
    found = client.get(
        f"/api/v1/namespaces/{namespace}/events",
        fieldSelector=f"involvedObject.uid={dig(obj, 'metadata', 'uid')},type=Warning",
    )["items"]
    found.sort(key=_when)
    for event in found[-MOST_EVENTS:]:
        count = dig(event, "count", default=1)
        times = f" (x{count})" if count > 1 else ""
        message = " ".join(str(event.get("message")).split())
        yield f"[{kind_of(obj).kind} {full_name(obj)}] event {event.get('reason')}: {message}{times}"


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or dig(event, "metadata", "creationTimestamp"))


def _logs(client: Client, pod: Object) -> Iterator[str]:
    path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}/log"
    for status in pods.unready_containers(pod):
        container = str(status.get("name"))
        # While a container waits to be started again, its log is that of the run before.
        waits = bool(dig(status, "state", "waiting")) and bool(status.get("restartCount"))
        try:
            text = client.log_text(path, container=container, tailLines=str(LOG_LINES), previous=str(waits).lower())
        except ApiError:
            continue  # a log that is gone with its container
        if lines := text.strip().splitlines():
            indented = "\n".join(f"      {line}" for line in lines[-LOG_LINES:])
            yield f'[Pod {full_name(pod)}] last log lines of container "{container}":\n{indented}'
