"""What a change of inputs does to a resource: nothing, an update that draws nothing, or a replacement."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolchain.plugins.random.kinds import Kind
from toolchain.plugins.values import property_path

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The changed inputs, those of them that force replacement, and each changed place.

    `places` maps a property path to ADD, DELETE or UPDATE, followed by _REPLACE where that is so.
    """

    changed: list[str] = field(default_factory=list)
    replacing: list[str] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)


def difference(kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """Compare the state of a resource with new complete inputs, neither with marks of secrecy."""
    found = Difference()
    for name in kind.inputs:
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        replaces = forces_replacement(kind, name, before, after)
        found.changed.append(name)
        if replaces:
            found.replacing.append(name)
        for path, change in places((name,), before, after):
            found.places[property_path(path)] = f"{change}_REPLACE" if replaces else change
    return found


def forces_replacement(kind: Kind, name: str, before: Any, after: Any) -> bool:  # noqa: ANN401
    """Whether a changed input calls for a new value.

    All do, but for what states of older provider releases hold: they left out keepers without a value, and wrote an
    empty `overrideSpecial` where there was none. `RandomBytes` is younger than that.
    """
    if name == "overrideSpecial":
        return not (before == "" and after is None)
    if name == "keepers" and "base64" not in kind.outputs and not isinstance(after, str):
        kept, wanted = before or {}, after or {}
        if not isinstance(wanted, Mapping):
            return True  # not known yet
        gone = kept.keys() - wanted.keys()
        return bool(gone) or any(value is not None and value != kept.get(key) for key, value in wanted.items())
    return True


def places(path: Path, before: Any, after: Any) -> Iterator[tuple[Path, str]]:  # noqa: ANN401
    """Each place at or below a path that changed, with its kind of change."""
    if before == after:
        return
    if before is None:
        yield path, "ADD"
    elif after is None:
        yield path, "DELETE"
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            yield from places((*path, key), before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            pair = [items[index] if index < len(items) else None for items in (before, after)]
            yield from places((*path, index), *pair)
    else:
        yield path, "UPDATE"
