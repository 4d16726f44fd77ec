"""A cluster of three PostgreSQL members, three Redis nodes, three Sentinels and two pods of the engine, in memory.

It keeps versions of objects as the API server does, and its pods follow a Secret one after the other.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading.rotation.cluster import Cluster
from trading.rotation.errors import RotationError
from trading.rotation.kinds import KINDS
from trading.rotation.rotate import Rotator
from trading.rotation.stackfile import StackFile, epochs

MOUNTS = {
    "postgres": ("postgres-app", "postgres-replication"),
    "server": ("redis-app", "redis-replication", "redis-sentinel", "redis-admin"),
    "sentinel": ("redis-app", "redis-sentinel", "redis-admin"),
    "api": ("postgres-app", "redis-app", "api", "jwt"),
    "engine": ("postgres-app", "redis-app"),
}
PODS = [
    *[(f"postgres-{n}", "postgres", "postgres") for n in range(3)],
    *[(f"redis-{n}", "redis", "server") for n in range(3)],
    *[(f"redis-sentinel-{n}", "redis", "sentinel") for n in range(3)],
    ("trading-api-x", "trading", "api"),
    ("trading-engine-x", "trading", "engine"),
]


class Crash(BaseException):
    """The process is gone at this moment: nothing handles it."""


@dataclass
class Api:
    """What kubectl and pulumi of the tests reach.

    Attributes:
        crash_at: the number, from 1, of the effect at which the process dies; 0 for none.
        after: whether it dies after that effect instead of before it.
        effects: what was changed, in order.
        unready: workloads of which a pod is missing.
        stuck: pods that never follow.
    """

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 1))
    pods: dict[str, dict[str, int]] = field(default_factory=dict)
    crash_at: int = 0
    after: bool = False
    effects: list[str] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)
    stuck: set[str] = field(default_factory=set)
    tokens: list[str] = field(default_factory=list)
    _version: int = 0

    def __post_init__(self) -> None:
        """Every pod works with the first epochs."""
        self.pods = {name: dict.fromkeys(MOUNTS[part], 1) for name, _, part in PODS}

    def effect(self, name: str, change: Callable[[], None]) -> None:
        """Change something, unless the process dies here."""
        dies = len(self.effects) + 1 == self.crash_at
        if dies and not self.after:
            self.crash_at = 0
            raise Crash
        change()
        self.effects.append(name)
        if dies:
            self.crash_at = 0
            raise Crash

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        """kubectl."""
        match args:
            case ("get", "secrets", "--field-selector", *_):
                return "\n".join(self.tokens)
            case ("get", "secrets", "-o", _):
                return "".join(json.dumps(secret(kind, epoch)) + "\n" for kind, epoch in self.secrets.items())
            case ("get", "statefulsets,deployments", *_):
                return json.dumps({"items": [workload(name, 2) for name in self.unready] + [workload("redis", 3)]})
            case ("get", "pods", *_):
                return json.dumps({"items": [pod(*one) for one in PODS]})
            case ("exec", name, *_):
                return self._answer(name)
            case ("get", kind, name, *_):
                return json.dumps(self.objects[f"{kind}/{name}"]) if f"{kind}/{name}" in self.objects else ""
            case ("delete", kind, name, *_):
                self.effect("delete", lambda: self._delete(f"{kind}/{name}"))
                return ""
            case (("create" | "replace") as verb, "-f", "-") if stdin is not None:
                self._write(verb, json.loads(stdin))
                return ""
        raise AssertionError(args)

    def _delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def _write(self, verb: str, given: dict[str, Any]) -> None:
        key = f"{given['kind'].lower()}/{given['metadata']['name']}"
        held = self.objects.get(key)
        if (verb == "create") == (held is not None):
            raise RotationError(f"kubectl: {key}: AlreadyExists or NotFound")
        if held is not None and held["metadata"]["resourceVersion"] != given["metadata"]["resourceVersion"]:
            raise RotationError(f"kubectl: {key}: Conflict")
        self._version += 1
        new = given | {"metadata": given["metadata"] | {"resourceVersion": str(self._version)}}
        self.effect(f"{verb} {key.split('/')[0]}", lambda: self.objects.update({key: new}))

    def _answer(self, name: str) -> str:
        app, part = next((app, part) for one, app, part in PODS if one == name)
        known = dict(self.pods[name])
        for kind in known:
            if name not in self.stuck:
                self.pods[name][kind] = self.secrets[kind]  # next time it has followed
        if app == "postgres":
            return json.dumps(
                {"kinds": {kind: {"mounted": self.secrets[kind], "applied": e} for kind, e in known.items()}}
            )
        if app == "redis":
            uses = {"server": "redis-replication", "sentinel": "redis-sentinel"}[part]
            return json.dumps(
                {"credentials": {k: {"accepts": e, "uses": e if k == uses else None} for k, e in known.items()}}
            )
        return "".join(f'trading_credential_epoch{{kind="{kind}"}} {float(epoch)}\n' for kind, epoch in known.items())

    def update(self, file: StackFile, kinds: Sequence[str]) -> None:
        """pulumi up of these kinds."""
        wanted = epochs(file.read())
        self.effect("up", lambda: self.secrets.update({kind: wanted[kind] for kind in kinds}))


@dataclass(frozen=True)
class CrashingFile(StackFile):
    """A stack's file of which each write is an effect."""

    api: Api

    def write_epochs(self, wanted: Mapping[str, int]) -> None:
        """See `StackFile.write_epochs`."""
        if any(epochs(self.read())[kind] != epoch for kind, epoch in wanted.items()):
            self.api.effect("file", lambda: StackFile.write_epochs(self, wanted))


def stack_file(folder: Path, api: Api) -> CrashingFile:
    """`Pulumi.prod.yaml` with every kind at epoch 1."""
    text = "config:\n  # of the tests\n  trading-platform:credentials:\n" + "".join(f"    {k}: 1\n" for k in KINDS)
    file = CrashingFile(folder, "prod", api)
    if not file.path.exists():
        file.path.write_text(text)
    return file


def rotator(file: CrashingFile, *, within_s: float = 5) -> Rotator:
    """A rotation of that stack, as one process holds it."""
    api = file.api
    hold: Callable[[], None] = lambda: None  # noqa: E731
    return Rotator(
        file, Cluster(api), lambda kinds: api.update(file, kinds), hold, "ops@host", lambda _: None, within_s, 0.0
    )


def secret(kind: str, epoch: int) -> dict[str, Any]:
    """The metadata of a credential's Secret."""
    annotations = {"trading-platform/credential-epoch": str(epoch)}
    return {"name": f"credentials-{kind}", "annotations": annotations, "creationTimestamp": "2026-01-01T00:00:00Z"}


def workload(name: str, ready: int) -> dict[str, Any]:
    """A StatefulSet of three."""
    return {"metadata": {"name": name}, "spec": {"replicas": 3}, "status": {"readyReplicas": ready}}


def pod(name: str, app: str, part: str) -> dict[str, Any]:
    """A pod that mounts its kinds."""
    volumes: list[dict[str, Any]] = [{"secret": {"secretName": f"credentials-{kind}"}} for kind in MOUNTS[part]]
    if app == "postgres":
        volumes.append({"projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3600}}]}})
    return {
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/name": app, "app.kubernetes.io/component": part},
            "ownerReferences": [{"kind": "StatefulSet", "controller": True}],
        },
        "spec": {"volumes": volumes},
        "status": {"podIP": "10.0.0.1"},
    }
