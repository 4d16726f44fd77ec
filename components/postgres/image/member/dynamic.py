"""Differences between the settings that a cluster has and those that are declared. Pure."""

from typing import Any

# kept as they are: what an operator does by hand with patronictl, for a while
BY_HAND = frozenset({"pause"})


def changes(have: dict[str, Any], want: dict[str, Any]) -> dict[str, Any]:
    """The patch for Patroni's `PATCH /config` that turns `have` into `want`; empty when they are equal.

    Null removes a key, nested objects are patched in turn. Settings are compared by their text, since Patroni keeps
    some of them as text.
    """
    patch: dict[str, Any] = {key: None for key in have if key not in want and key not in BY_HAND}
    for key, value in want.items():
        old = have.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := changes(old, value):
                patch[key] = inner
        elif str(old) != str(value):
            patch[key] = value
    return patch
