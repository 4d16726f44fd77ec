"""How pods name the Secrets that their images are pulled with."""

from collections.abc import Iterable

from pulumi_kubernetes.core.v1 import LocalObjectReferenceArgs


def pull_secrets(names: Iterable[str]) -> list[LocalObjectReferenceArgs] | None:
    """The `imagePullSecrets` of a pod; None for none, since the API server drops an empty list."""
    return [LocalObjectReferenceArgs(name=name) for name in names] or None
