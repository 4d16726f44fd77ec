"""Waivers of policies: an object says which rules do not hold for it, and why."""

from collections.abc import Mapping

ANNOTATION = "policies.trading/waive"


def waive(reasons: Mapping[str, str]) -> dict[str, str]:
    """The annotation that waives rules, by id to reason; nothing for none."""
    return {ANNOTATION: "\n".join(f"{rule}: {reason}" for rule, reason in reasons.items())} if reasons else {}
