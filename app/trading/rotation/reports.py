"""What pods say of the credentials that they mount: who reports how, and who is behind. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trading.rotation.errors import RotationError

SECRET = "credentials-"  # noqa: S105 - the prefix of names
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
CONTROLLERS = ("ReplicaSet", "StatefulSet")
GAUGE = re.compile(r'^trading_credential_epoch\{kind="([^"]+)"\} (\S+)$', re.MULTILINE)

# what a node logs in to others with, by its part; of every other kind it only knows what it lets in
USES = {"server": "redis-replication", "sentinel": "redis-sentinel"}


@dataclass(frozen=True)
class Pod:
    """A running pod that mounts credentials.

    Attributes:
        app, part: its labels, such as `redis` and `sentinel`.
        container: which one to ask in.
        url: what to ask there.
        kinds: the credentials that it mounts.
    """

    name: str
    app: str
    part: str
    container: str
    url: str
    kinds: frozenset[str]


def pods_of(listed: Mapping[str, Any]) -> list[Pod]:
    """The pods of `kubectl get pods -o json` that are to follow: those that are kept up, not jobs or drills."""
    found = [_pod(item) for item in listed["items"] if _lasts(item)]
    return [pod for pod in found if pod is not None and pod.kinds]


def _lasts(item: Mapping[str, Any]) -> bool:
    owners = item["metadata"].get("ownerReferences") or ()
    kept_up = any(owner["kind"] in CONTROLLERS and owner.get("controller") for owner in owners)
    return kept_up and "deletionTimestamp" not in item["metadata"]


def _pod(item: Mapping[str, Any]) -> Pod | None:
    labels, spec = item["metadata"].get("labels") or {}, item["spec"]
    app, part = labels.get(NAME, ""), labels.get(COMPONENT, "")
    secrets = [volume["secret"]["secretName"] for volume in spec.get("volumes") or () if "secret" in volume]
    kinds = frozenset(name.removeprefix(SECRET) for name in secrets if name.startswith(SECRET))
    address = item.get("status", {}).get("podIP", "")
    asked = {
        "postgres": ("agent", f"http://{address}:8009/credentials"),
        "redis": ("agent", f"http://{address}:8080/state"),
        "trading": (part, f"http://{address}:8080/metrics"),
    }.get(app)
    return None if asked is None else Pod(item["metadata"]["name"], app, part, *asked, kinds)


def epochs_of(pod: Pod, answer: str) -> dict[str, int]:
    """Kind to the epoch that a pod works with, from its answer; a kind that it is not sure of is missing.

    Raises:
        RotationError: this is no answer of such a pod.
    """
    try:
        if pod.app == "trading":
            return {kind: int(float(value)) for kind, value in GAUGE.findall(answer)}
        values = json.loads(answer)
        if pod.app == "postgres":
            applied = {kind: each["applied"] for kind, each in values["kinds"].items()}
        else:
            applied = {kind: _applied(pod, kind, each) for kind, each in values["credentials"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RotationError(f"{pod.name}: not the answer that was expected: {error}") from None
    return {kind: epoch for kind, epoch in applied.items() if epoch is not None}


def _applied(pod: Pod, kind: str, each: Mapping[str, int | None]) -> int | None:
    """Of a Redis node: what it lets in with, unless it still logs in elsewhere with another one."""
    if USES.get(pod.part) == kind and each["uses"] != each["accepts"]:
        return None
    return each["accepts"]


def behind(pods: Iterable[Pod], answers: Mapping[str, Mapping[str, int]], wanted: Mapping[str, int]) -> list[str]:
    """A line for each pod and kind that has not come to the wanted epoch."""
    found = []
    for pod in pods:
        for kind in sorted(pod.kinds & wanted.keys()):
            epoch = answers.get(pod.name, {}).get(kind)
            if epoch != wanted[kind]:
                found.append(f"{pod.name}: {kind}: {'no answer' if epoch is None else f'epoch {epoch}'}")
    return found


def unready(listed: Mapping[str, Any]) -> list[str]:
    """A line for each StatefulSet and Deployment that has fewer ready pods than it asks for."""
    found = []
    for item in listed["items"]:
        wanted, ready = item["spec"].get("replicas", 1), item.get("status", {}).get("readyReplicas", 0)
        if ready < wanted:
            found.append(f"{item['metadata']['name']}: {ready} of {wanted} pods are ready")
    return found
