"""Object metadata: fixed names, one namespace, labels, optional annotations."""

from collections.abc import Mapping

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs


def metadata(
    name: str,
    namespace: str | None,
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
) -> ObjectMetaArgs:
    """Metadata of an object whose name is fixed, because others address it by that name.

    `namespace` is None for objects that have none (a Namespace itself, a StorageClass).
    """
    return ObjectMetaArgs(
        name=name,
        namespace=namespace,
        labels=dict(labels),
        annotations=dict(annotations) if annotations else None,
    )


def pod_metadata(labels: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> ObjectMetaArgs:
    """Metadata of a pod template: its controller gives the pods their names and namespace."""
    return ObjectMetaArgs(labels=dict(labels), annotations=dict(annotations) if annotations else None)


def matching(selector: Mapping[str, str]) -> LabelSelectorArgs:
    """A label selector that asks for all of the labels."""
    return LabelSelectorArgs(match_labels=dict(selector))
