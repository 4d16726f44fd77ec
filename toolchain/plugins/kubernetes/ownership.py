"""Field ownership: whom the server records as the one who set a field, and how ours is moved to server-side apply."""

import copy
from typing import Any, Final

from toolchain.plugins.kubernetes.objects import Object, dig

PREFIX: Final = "pulumi-kubernetes"
EARLIER: Final = ("pulumi-kubernetes", "pulumi-resource-kubernetes", "before-first-apply")
"""Names that older provider versions and client-side apply wrote under."""
BY_HAND: Final = "kubectl"
"""Prefix of kubectl's names (kubectl-patch, kubectl-edit, ...): what was changed by hand, the program takes back."""


def migrated(live: Object, manager: str, former: str = "") -> list[Object] | None:
    """`metadata.managedFields` with earlier updates counted as applied by us; None if nothing is to move.

    A created object's fields are recorded as an update's. Left so, a field that the program drops would stay on the
    server, and one that it changes would conflict with ourselves.

    Args:
        live: the object.
        manager: the name that we apply under.
        former: the name that we applied under before, if it was another one.
    """
    entries: list[Object] = dig(live, "metadata", "managedFields", default=[])
    ours = [entry for entry in entries if _is_ours(entry, manager, former)]
    if not ours:
        return None
    kept = [copy.deepcopy(entry) for entry in entries if entry not in ours]
    applied = next((entry for entry in kept if _key(entry) == (manager, "Apply")), None)
    if applied is None:
        applied = {**copy.deepcopy(ours[0]), "manager": manager, "operation": "Apply"}
        kept.append(applied)
    for entry in ours:
        applied["fieldsV1"] = _union(applied.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
    return kept


def _key(entry: Object) -> tuple[str, str]:
    """Manager and operation; empty for an entry about a subresource, which is somebody else's trade."""
    return ("", "") if entry.get("subresource") else (str(entry.get("manager")), str(entry.get("operation")))


def _is_ours(entry: Object, manager: str, former: str) -> bool:
    name, operation = _key(entry)
    if operation == "Update":
        return name in (manager, former, *EARLIER) or name.startswith(BY_HAND)
    return operation == "Apply" and name == former != manager


def _union(one: Any, other: Any) -> Any:  # noqa: ANN401
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _union(one.get(key, {}), other.get(key, {})) for key in one.keys() | other.keys()}
    return one or other
