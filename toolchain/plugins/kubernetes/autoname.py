"""Names for resources that the program does not name: `<resource>-<8 hex digits>`, marked by an annotation."""

import hashlib
import secrets
from typing import Final, NamedTuple

from toolchain.plugins.kubernetes.objects import AUTONAMED, Object, annotation, dig

SUFFIX_DIGITS: Final = 8
DISABLE: Final = 2


class Rule(NamedTuple):
    """The engine's autonaming configuration: a mode (0 propose, 1 enforce, 2 disable) and its proposal."""

    mode: int
    proposal: str


def has_own_name(inputs: Object) -> bool:
    """Whether the program gives a name (known or not yet) or asks the server for one (`generateName`)."""
    return any(dig(inputs, "metadata", key) not in (None, "") for key in ("name", "generateName"))


def is_nameable(inputs: Object) -> bool:
    """Whether `metadata` is something a name can be put into; an unknown one is not."""
    return isinstance(inputs.get("metadata", {}), dict)


def with_name(inputs: Object, name: str) -> Object:
    """The inputs with that name, marked as one that the provider chose."""
    metadata = dict(inputs.get("metadata") or {})
    annotations = metadata.get("annotations")
    # Unknown annotations cannot take the mark; the update, which knows them, adds it.
    if annotations is None or isinstance(annotations, dict):
        metadata["annotations"] = {**(annotations or {}), AUTONAMED: "true"}
    return {**inputs, "metadata": {**metadata, "name": name}}


def assign(inputs: Object, resource: str, seed: bytes, rule: Rule | None) -> Object:
    """Name a new resource.

    Args:
        resource: the resource's name in the program.
        seed: the engine's seed, which makes preview and update agree.
        rule: the stack's autonaming configuration, if there is one.

    Raises:
        ValueError: autonaming is switched off and the program gives no name.
    """
    if has_own_name(inputs) or not is_nameable(inputs):
        return inputs
    if rule is not None and rule.mode == DISABLE:
        raise ValueError(f"metadata.name of {resource!r} is not set: autonaming is disabled for this stack; set it")
    if rule is not None and rule.proposal:
        return with_name(inputs, rule.proposal)
    digits = hashlib.sha256(seed + resource.encode()).hexdigest() if seed else secrets.token_hex(SUFFIX_DIGITS)
    return with_name(inputs, f"{resource}-{digits[:SUFFIX_DIGITS]}")


def adopt(inputs: Object, old_inputs: Object) -> Object:
    """Keep the name that was chosen before, when the program still gives none."""
    old_name = dig(old_inputs, "metadata", "name")
    if has_own_name(inputs) or not is_nameable(inputs) or annotation(old_inputs, AUTONAMED) != "true" or not old_name:
        return inputs
    return with_name(inputs, old_name)
