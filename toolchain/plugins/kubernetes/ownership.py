"""Field ownership: whom the server records as the one who set a field, and how ours is moved to server-side apply."""

import copy
from typing import Any, Final

from toolchain.plugins.kubernetes.objects import Object, dig

PREFIX: Final = "pulumi-kubernetes"
EARLIER: Final = ("pulumi-kubernetes", "pulumi-resource-kubernetes", "before-first-apply")
"""Names that older provider versions and client-side apply wrote under."""
BY_HAND: Final = "kubectl"
"""Prefix of kubectl's names (kubectl-patch, kubectl-edit, ...): what was changed by hand, the program takes back."""


def migrated(live: Object, manager: str) -> list[Object] | None:
    """`metadata.managedFields` with earlier updates counted as applied by us; None if nothing is to move.

    A created object's fields are recorded as an update's. Left so, a field that the program drops would stay on the
    server, and one that it changes would conflict with ourselves.
    """
    entries: list[Object] = dig(live, "metadata", "managedFields", default=[])
    ours = [entry for entry in entries if _is_earlier(entry, manager)]
    if not ours:
        return None
    kept = [copy.deepcopy(entry) for entry in entries if not _is_earlier(entry, manager)]
    applied = next((entry for entry in kept if _is_applied(entry, manager)), None)
    if applied is None:
        applied = {**copy.deepcopy(ours[0]), "manager": manager, "operation": "Apply"}
        kept.append(applied)
    for entry in ours:
        applied["fieldsV1"] = _union(applied.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
    return kept


def _is_earlier(entry: Object, manager: str) -> bool:
    return (
        entry.get("operation") == "Update"
        and not entry.get("subresource")
        and (entry.get("manager") in (manager, *EARLIER) or str(entry.get("manager")).startswith(BY_HAND))
    )


def _is_applied(entry: Object, manager: str) -> bool:
    return entry.get("operation") == "Apply" and not entry.get("subresource") and entry.get("manager") == manager


def _union(one: Any, other: Any) -> Any:  # noqa: ANN401
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _union(one.get(key, {}), other.get(key, {})) for key in one.keys() | other.keys()}
    return one or other
