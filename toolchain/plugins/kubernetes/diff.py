"""What an update would change, field by field, and whether it replaces the object."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from toolchain.plugins.kubernetes import autoname, normalize
from toolchain.plugins.kubernetes.immutable import Mutable, Path, force_new, forces
from toolchain.plugins.kubernetes.objects import AUTONAMED, Object, dig, is_true, name_of, namespace_of
from toolchain.plugins.values import UNKNOWN, property_path

ADD: Final = "add"
DELETE: Final = "delete"
UPDATE: Final = "update"

DEFAULT_NAMESPACE: Final = "default"
STEP: Final = re.compile(r'\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]|([^.\[]+)')


class Change(NamedTuple):
    """One field that differs: where, how (`add`, `delete`, `update`), and whether it replaces the object."""

    path: Path
    how: str
    replaces: bool

    @property
    def text(self) -> str:
        """The path as the CLI prints it."""
        return property_path(self.path)


class Difference(NamedTuple):
    """All that differs, and whether a replacement must delete the old object first."""

    changes: tuple[Change, ...]
    delete_first: bool

    @property
    def replaces(self) -> tuple[str, ...]:
        """The paths that force a replacement."""
        return tuple(change.text for change in self.changes if change.replaces)


def differences(
    old_inputs: Object,
    live: Object,
    new_inputs: Object,
    *,
    mutable: Mutable,
    namespaced: bool,
    patch: bool = False,
    ignore: Iterable[str] = (),
) -> Difference:
    """Compare the last known live object, as far as the inputs made it, with the new inputs.

    Args:
        old_inputs: what was applied last.
        live: the object as the server returned it then, or at the last refresh.
        new_inputs: checked inputs; may hold unknowns.
        mutable: which contents may change in place.
        namespaced: whether the kind lives in namespaces.
        patch: whether the resource is a Patch.
        ignore: property paths whose changes do not count.
    """
    old = normalize.prune(live, normalize.inputs(old_inputs))
    new = normalize.inputs(new_inputs)
    _settle_identity(old, new, live, namespaced=namespaced)
    patterns = force_new(new, mutable, patch=patch)
    ignored = [parse_path(path) for path in ignore]
    changes = tuple(
        Change(path, how, forces(patterns, path, value))
        for path, how, value in _compare((), old, new)
        if not any(_covers(pattern, path) for pattern in ignored)
    )
    replaces = any(change.replaces for change in changes)
    same_place = name_of(new) == name_of(live) and namespace_of(new) == namespace_of(live)
    fixed_name = autoname.has_own_name(new) and not is_true(new, AUTONAMED)
    return Difference(changes, replaces and fixed_name and same_place)


def _settle_identity(old: Object, new: Object, live: Object, *, namespaced: bool) -> None:
    """Make names and namespaces comparable: an omitted namespace is `default`, cluster-wide kinds have none."""
    for obj, source in ((old, live), (new, new)):
        metadata = obj.setdefault("metadata", {})
        if not isinstance(metadata, dict):
            continue
        if namespaced:
            metadata["namespace"] = dig(source, "metadata", "namespace", default="") or DEFAULT_NAMESPACE
        else:
            metadata.pop("namespace", None)
    if dig(new, "metadata", "name") and isinstance(old["metadata"], dict):
        old["metadata"]["name"] = name_of(live)


def _compare(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, str, Any]]:  # noqa: ANN401
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in old:
                yield (*path, key), ADD, new[key]
            elif key not in new:
                yield (*path, key), DELETE, old[key]
            else:
                yield from _compare((*path, key), old[key], new[key])
    elif isinstance(old, list) and isinstance(new, list):
        for i, (before, after) in enumerate(zip(old, new, strict=False)):
            yield from _compare((*path, i), before, after)
        yield from (((*path, i), ADD, new[i]) for i in range(len(old), len(new)))
        yield from (((*path, i), DELETE, old[i]) for i in range(len(new), len(old)))
    elif new is UNKNOWN or (type(old) is not type(new) and not _both_numbers(old, new)) or old != new:
        yield path, UPDATE, new


def _both_numbers(one: Any, other: Any) -> bool:  # noqa: ANN401
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))


def parse_path(text: str) -> Path:
    """Read a property path: `spec.replicas`, `spec.containers[0]`, `metadata.annotations["a.b/c"]`, `[*]` for any."""
    steps: list[str | int] = []
    for index, quoted, plain in STEP.findall(text):
        if index:
            steps.append("*" if index == "*" else int(index))
        else:
            steps.append(plain or quoted.replace('\\"', '"'))
    return tuple(steps)


def _covers(pattern: Path, path: Path) -> bool:
    return len(pattern) <= len(path) and all(want in ("*", have) for want, have in zip(pattern, path, strict=False))
