"""Whose turn it is to restart PostgreSQL for a setting that needs it. Pure.

The pods roll when such a setting changes, but a pod can be new before the cluster's settings are: its PostgreSQL then
waits for another restart, which nobody would give.
"""

from collections.abc import Mapping
from typing import Any

WELL = ("running", "streaming")


def my_turn(cluster: Mapping[str, Any], name: str, members: int) -> bool:
    """Whether this member is the next one: standbys first, the primary last, and only while every member is well.

    Args:
        cluster: the answer of Patroni's `GET /cluster`.
        name: of this member.
        members: how many there should be.
    """
    found = cluster["members"]
    if len(found) < members or any(each["state"] not in WELL for each in found):
        return False
    pending = [(each["role"] == "leader", each["name"]) for each in found if each.get("pending_restart")]
    return bool(pending) and min(pending)[1] == name
