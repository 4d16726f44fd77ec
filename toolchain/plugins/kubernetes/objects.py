"""Kubernetes objects as plain dicts: the few questions that every module asks of them."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON has it; inputs may hold `UNKNOWN` at any place."""

AUTONAMED: Final = "pulumi.com/autonamed"
SKIP_AWAIT: Final = "pulumi.com/skipAwait"
TIMEOUT_SECONDS: Final = "pulumi.com/timeoutSeconds"
WAIT_FOR: Final = "pulumi.com/waitFor"
PATCH_FORCE: Final = "pulumi.com/patchForce"
FIELD_MANAGER: Final = "pulumi.com/patchFieldManager"
DELETION_PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"
REPLACE_UNREADY: Final = "pulumi.com/replaceUnready"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class Kind(NamedTuple):
    """A group (empty for core), a version and a kind."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """As an object's `apiVersion` has it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"


def kind_of(obj: Object) -> Kind:
    """The kind that an object says it is."""
    group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
    return Kind("" if group == "core" else group, version, str(obj.get("kind") or ""))


def dig(obj: Any, *path: str | int, default: Any = None) -> Any:  # noqa: ANN401
    """The value at a path of keys and indices, or the default when any step is missing or of another type."""
    for step in path:
        if isinstance(step, str):
            if not isinstance(obj, dict) or step not in obj:
                return default
        elif not isinstance(obj, list) or not -len(obj) <= step < len(obj):
            return default
        obj = obj[step]
    return default if obj is None else obj


def name_of(obj: Object) -> str:
    """`metadata.name`, empty when there is none."""
    return text(dig(obj, "metadata", "name"))


def namespace_of(obj: Object) -> str:
    """`metadata.namespace`, empty when there is none."""
    return text(dig(obj, "metadata", "namespace"))


def full_name(obj: Object) -> str:
    """`namespace/name`, or the name alone for a cluster-wide object: the resource's id in Pulumi."""
    return "/".join(part for part in (namespace_of(obj), name_of(obj)) if part)


def split_id(identity: str) -> tuple[str, str]:
    """Namespace (empty for none) and name of a resource id."""
    namespace, _, name = identity.rpartition("/")
    return namespace, name


def annotation(obj: Object, key: str) -> str:
    """The annotation's text, empty when it is not there or not known yet."""
    return text(dig(obj, "metadata", "annotations", key))


def is_true(obj: Object, key: str) -> bool:
    """Whether an annotation says true."""
    return annotation(obj, key).lower() == "true"


def text(value: Any) -> str:  # noqa: ANN401
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def conditions(obj: Object) -> Iterator[Object]:
    """The entries of `status.conditions`."""
    yield from (c for c in dig(obj, "status", "conditions", default=[]) if isinstance(c, dict))


def condition(obj: Object, kind: str) -> Object:
    """The status condition of that type, empty when there is none."""
    return next((c for c in conditions(obj) if c.get("type") == kind), {})


def without_nulls(value: Any) -> Any:  # noqa: ANN401
    """The value without keys whose value is null, at any depth, as a copy."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
