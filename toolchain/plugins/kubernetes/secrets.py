"""Secretness: what of a resource's state must be encrypted, and what must not be read in a message."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from toolchain.plugins.kubernetes.objects import LAST_APPLIED, Object, dig
from toolchain.plugins.values import Secret, has_secret, unwrap, walk

SHORTEST_REDACTED: Final = 4
"""Shorter secrets would hide half of any message."""


def annotate(values: Object, inputs: Mapping[str, Any]) -> Object:
    """`values` marked secret wherever the inputs are.

    Objects are marked field by field, a list with a secret as a whole. A Secret's `data` and `stringData` are always
    secret, and so is the copy of them that `kubectl apply` leaves in an annotation.
    """
    marked = {key: _annotate_value(value, inputs[key]) if key in inputs else value for key, value in values.items()}
    if values.get("kind") != "Secret":
        return marked
    for key in ("data", "stringData"):
        if key in marked:
            marked[key] = Secret(unwrap(marked[key]))
    annotations = dig(marked, "metadata", "annotations", default={})
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        copy = {**annotations, LAST_APPLIED: Secret(unwrap(annotations[LAST_APPLIED]))}
        marked["metadata"] = {**marked["metadata"], "annotations": copy}
    return marked


def _annotate_value(value: Any, like: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict) and isinstance(like, Mapping):
        return annotate(value, like)
    return Secret(unwrap(value)) if has_secret(like) and not isinstance(value, Secret) else value


def redact(text: str, inputs: Mapping[str, Any]) -> str:
    """The text with every secret string of the inputs replaced: a server may quote a value that it refuses."""
    for value in sorted(set(_texts(inputs)), key=len, reverse=True):
        text = text.replace(value, "[secret]")
    return text


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401
    for part in walk(value):
        if isinstance(part, Secret):
            yield from (t for t in walk(part.value) if isinstance(t, str) and len(t) >= SHORTEST_REDACTED)
