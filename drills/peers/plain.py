"""Plain setups of both stores in a namespace of their own on the platform's cluster: brought up, addressed, removed."""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.redis.image.settings import SENTINEL_PORT
from drills.run import Store
from drills.target import POSTGRES, REDIS, SENTINEL, Target, eventually
from toolchain.kit.console import step

NAMESPACE = "drill-peers"
KINDS = ("postgres-app", "redis-app")
UP_S = 300.0
MEMBERS = 3
CONTAINERS = {"postgres": "patroni", "redis": "server"}


@dataclass(frozen=True)
class Plain(Target):
    """The plain setups, which drills address as they address the platform.

    Attributes:
        client: the image that the drill's client runs from.
    """

    client: str

    def client_image(self) -> str:
        """See `Target.client_image`."""
        return self.client


@contextmanager
def plain(platform: Target) -> Iterator[Plain]:
    """Plain setups while the body runs; what an interrupted drill has left is removed first."""
    target = Plain(platform.tools, platform.stack, NAMESPACE, platform.own_nodes, platform.client_image())
    remove(target)
    try:
        with step(f"bring up plain setups in namespace {NAMESPACE}"):
            target.kubectl("create", "namespace", NAMESPACE)
            for manifest in (*credentials(), *sentinel_services()):
                target.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
            for store in ("postgres", "redis"):
                image = f"jsonpath={{.spec.template.spec.containers[?(@.name=='{CONTAINERS[store]}')].image}}"
                running = platform.kubectl("get", "statefulset", store, "-o", image)
                text = (Path(__file__).parent / f"{store}.yaml").read_text()
                target.kubectl("create", "-f", "-", stdin=text.replace("IMAGE", running))
            settle_postgres(target)
            settle_redis(target)
        yield target
    finally:
        with step(f"remove namespace {NAMESPACE}"):
            remove(target)


def remove(target: Target) -> None:
    """Remove the namespace and wait until it is gone; nothing when there is none."""
    target.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s")


def credentials() -> list[dict[str, Any]]:
    """One password a store, in the shape in which the platform keeps its own."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"credentials-{kind}"},
            "data": {
                key: base64.b64encode(value.encode()).decode()
                for key, value in {"a": secrets.token_hex(16), "current": "a"}.items()
            },
        }
        for kind in KINDS
    ]


def sentinel_services() -> list[dict[str, Any]]:
    """A name for each Sentinel, since clients list them one by one."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {
                "selector": {"statefulset.kubernetes.io/pod-name": name},
                "ports": [{"port": SENTINEL_PORT}],
            },
        }
        for name in (f"redis-sentinel-{ordinal}" for ordinal in range(MEMBERS))
    ]


def ready(target: Target, selector: str) -> bool:
    """Whether all members of a selector are there and ready."""
    pods = target.pods(selector)
    states = [all(c["ready"] for c in pod["status"].get("containerStatuses", [{"ready": False}])) for pod in pods]
    return states == [True] * MEMBERS


def settle_postgres(target: Target) -> None:
    """Wait for three members, two of which stream."""
    streaming = "select count(*) from pg_stat_replication where state = 'streaming'"
    eventually(lambda: ready(target, POSTGRES) and target.psql(streaming) == [["2"]], UP_S, "three plain members")


def settle_redis(target: Target) -> None:
    """Wait for a master with two replicas, and three Sentinels."""

    def whole() -> bool:
        online = target.redis_cli(target.master(), "INFO", "replication").count("state=online")
        return ready(target, REDIS) and ready(target, SENTINEL) and online == MEMBERS - 1

    eventually(whole, UP_S, "a plain master with two replicas")


def stores(ours: list[Store]) -> list[Store]:
    """The same stores and faults, settled as plain setups are."""
    settles = {"postgres": settle_postgres, "redis": settle_redis}
    return [replace(store, settle=settles[store.name]) for store in ours]
