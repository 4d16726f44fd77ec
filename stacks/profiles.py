"""Sizes that belong together: `profile: medium` stands for a table, each key of which the stack's file may overrule.

Pure. The table holds what depends on the size of an environment and nothing else. The quota holds an update and
twice the API pods; the program refuses one that does not hold what is declared.
"""

from collections.abc import Mapping
from typing import Any

from components.kit.errors import Problem
from components.kit.rules import one_of

Sizes = Mapping[str, Any]


def _each(cpu_m: int, memory_mib: int) -> dict[str, int]:
    return {"cpu_m": cpu_m, "memory_mib": memory_mib}


PROFILES: Mapping[str, Sizes] = {
    # three nodes with 1 core and 4 GiB free each: a first look, an environment of a pull request
    "small": {
        "quota": {"pods": 40, "cpu_m": 4000, "memory_mib": 12288, "storage_gib": 80, "claims": 14},
        "postgres": {"storage_gib": 10, "max_connections": 100, "resources": _each(250, 1024)},
        "backup": {"storage_gib": 20},
        "redis": {"maxmemory_mib": 256, "storage_gib": 2, "resources": _each(100, 512)},
        "trading": {
            "engine_replicas": 2,
            "api_replicas": 2,
            "resources": {
                "api": _each(100, 256),
                "engine": _each(100, 256),
                "execution": _each(75, 192),
                "marketdata": _each(50, 192),
                "risk": _each(25, 128),
                "cache": _each(25, 128),
                "scheduler": _each(50, 384),
            },
        },
    },
    # three nodes with 2 cores and 6 GiB free each: staging
    "medium": {
        "quota": {"pods": 40, "cpu_m": 10000, "memory_mib": 32768, "storage_gib": 200, "claims": 20},
        "postgres": {"storage_gib": 20, "max_connections": 200, "resources": _each(500, 2048)},
        "backup": {"storage_gib": 40, "archive_queue_mib": 4096},
        "redis": {
            "maxmemory_mib": 512,
            "storage_gib": 4,
            "resources": _each(250, 1024),
            "sentinel_resources": _each(50, 64),
        },
        "trading": {
            "engine_replicas": 2,
            "api_replicas": 2,
            "resources": {
                "api": _each(250, 512),
                "engine": _each(250, 384),
                "execution": _each(200, 384),
                "marketdata": _each(100, 256),
                "risk": _each(50, 192),
                "cache": _each(50, 192),
                "scheduler": _each(100, 640),
            },
        },
    },
    # three nodes, better one a zone, with 8 cores and 32 GiB free each: production
    "large": {
        "quota": {"pods": 60, "cpu_m": 40000, "memory_mib": 131072, "storage_gib": 2048, "claims": 24},
        "postgres": {
            "storage_gib": 200,
            "max_connections": 400,
            "max_wal_mib": 4096,
            "max_slot_wal_mib": 40960,
            "resources": _each(4000, 16384),
            "agent_resources": _each(100, 128),
        },
        "backup": {
            "storage_gib": 400,
            "archive_queue_mib": 40960,
            "resources": _each(250, 512),
            "restore_resources": _each(500, 2048),
            "server_resources": _each(50, 256),
        },
        "redis": {
            "maxmemory_mib": 2048,
            "storage_gib": 10,
            "resources": _each(1000, 4096),
            "sentinel_resources": _each(100, 64),
        },
        "trading": {
            "engine_replicas": 2,
            "api_replicas": 3,
            "resources": {
                "api": _each(500, 1024),
                "engine": _each(600, 1024),
                "execution": _each(400, 1024),
                "marketdata": _each(200, 1024),
                "risk": _each(100, 512),
                "cache": _each(100, 512),
                "scheduler": _each(250, 4096),
            },
        },
    },
}
"""Profile to the keys that it fills in; what it leaves out keeps the component's default."""

STAND_IN = "medium"


def profile_problems(raw: Mapping[str, object]) -> list[Problem]:
    """A profile that nobody knows."""
    name = raw.get("profile")
    return one_of("profile", name, PROFILES) if isinstance(name, str) and name else []


def filled(raw: Mapping[str, object]) -> dict[str, object]:
    """The configuration with the sizes of its profile under the keys that it gives itself.

    In place of a profile that nobody knows stands `STAND_IN`, so that the rest can be checked in the same run.
    """
    name = raw.get("profile")
    if not isinstance(name, str) or not name:
        return dict(raw)
    return _under(raw, PROFILES.get(name, PROFILES[STAND_IN]))


def _under(given: Mapping[str, Any], sizes: Sizes) -> dict[str, Any]:
    """Both, merged object by object; where both have a value, the given one stands."""
    merged = {**sizes, **given}
    for key in given.keys() & sizes.keys():
        if isinstance(given[key], Mapping) and isinstance(sizes[key], Mapping):
            merged[key] = _under(given[key], sizes[key])
    return merged
