"""Differences between two objects, and their values as text: masked, shortened, list items matched by name. Pure."""

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from toolchain.plugins.values import SIGNATURE_KEY, UNKNOWN_TEXTS
from toolchain.report.model import Field

MASK = "[secret]"
LATER = "(known after up)"
VALUE_LIMIT = 160
DIFF_LINES = 120
DIFF_LINE_LIMIT = 200
NAMES = ("name", "mountPath", "key", "topologyKey", "path", "port", "ip")
"""Keys that tell the items of Kubernetes' lists apart, the first that fits."""
OPEN_IN_SECRETS = (
    *("metadata.name", "metadata.namespace", "metadata.labels", "type", "kind", "apiVersion", "immutable", "context"),
)
OPEN_ANNOTATIONS = 'metadata.annotations["trading-platform/'

Path = tuple[str | int, ...]
ABSENT = object()


class Difference(NamedTuple):
    """One place where two objects differ; `ABSENT` stands for what is not there.

    Attributes:
        path: keys and, for items of lists, their index.
        shown: the path as text, list items by name.
    """

    path: Path
    shown: str
    old: Any
    new: Any

    def below(self, *keys: str) -> bool:
        """Whether the difference is at or below a place; list items do not count as steps."""
        plain = tuple(step for step in self.path if isinstance(step, str))
        return plain[: len(keys)] == keys


def differences(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Difference]:
    """Every place where two objects differ, nulls counted as absent."""
    return list(_compare((), "", _plain(old or {}), _plain(new or {})))


def _plain(value: Any) -> Any:  # noqa: ANN401  JSON
    """Without nulls, and with the engine's marks for secrets turned into a mask."""
    if isinstance(value, Mapping):
        if SIGNATURE_KEY in value:
            return MASK
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _compare(path: Path, shown: str, old: Any, new: Any) -> Iterator[Difference]:  # noqa: ANN401
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _compare((*path, key), joined(shown, key), old.get(key, ABSENT), new.get(key, ABSENT))
    elif isinstance(old, list) and isinstance(new, list) and (name := _naming(old, new)):
        yield from _by_name(path, shown, name, old, new)
    elif old != new:
        yield Difference(path, shown, old, new)


def _naming(old: list[Any], new: list[Any]) -> str | None:
    """The key by which the items of both lists are told apart; None when there is none."""

    def tells_apart(key: str, items: list[Any]) -> bool:
        names = {_name(item, key) for item in items} - {None}
        return len(names) == len(items)

    return next((key for key in NAMES if tells_apart(key, old) and tells_apart(key, new)), None)


def _name(item: Any, key: str) -> str | None:  # noqa: ANN401  JSON
    """An item's own name; that of an object, as in claim templates, is in its metadata."""
    if not isinstance(item, Mapping):
        return None
    holder = item if key in item else item.get("metadata") if key == "name" else None
    found = holder.get(key) if isinstance(holder, Mapping) else None
    return str(found) if isinstance(found, str | int | float) else None


def _by_name(path: Path, shown: str, name: str, old: list[Any], new: list[Any]) -> Iterator[Difference]:
    before = {str(_name(item, name)): (index, item) for index, item in enumerate(old)}
    after = {str(_name(item, name)): (index, item) for index, item in enumerate(new)}
    for key in [*before, *(key for key in after if key not in before)]:
        index = (after.get(key) or before[key])[0]
        was, comes = before.get(key, (0, ABSENT))[1], after.get(key, (0, ABSENT))[1]
        yield from _compare((*path, index), f"{shown}[{key}]", was, comes)
    if before.keys() == after.keys() and list(before) != list(after):
        yield Difference(path, f"{shown} (order)", ", ".join(before), ", ".join(after))


def joined(shown: str, key: str) -> str:
    """A path as text with one more key."""
    if not key.replace("-", "").replace("_", "").isalnum():
        return f'{shown}["{key}"]'
    return f"{shown}.{key}" if shown else key


def at(obj: Any, path: Path) -> Any:  # noqa: ANN401
    """What stands at a path, masked as `differences` does; `ABSENT` when nothing does."""
    for step in path:
        if isinstance(obj, Mapping) and SIGNATURE_KEY in obj:
            return MASK
        try:
            obj = obj[step]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return ABSENT if obj is None else _plain(obj)


def to_field(difference: Difference, *, secret: bool, replaces: bool = False) -> Field:
    """A difference as a reader sees it.

    Args:
        secret: whether it belongs to a Secret, of which only names, labels and the project's own annotations are shown.
    """
    old, new = difference.old, difference.new
    if secret and not _is_open(difference.shown):
        old, new = (value if value is ABSENT else MASK for value in (old, new))
    lines = _text_diff(old, new)
    return Field(
        path=shortened(difference.shown),
        old=None if old is ABSENT else as_text(old),
        new=None if new is ABSENT else as_text(new),
        diff=lines,
        replaces=replaces,
    )


def _is_open(shown: str) -> bool:
    places = OPEN_IN_SECRETS
    return shown.startswith(OPEN_ANNOTATIONS) or any(
        shown == place or shown.startswith((f"{place}.", f"{place}[")) for place in places
    )


def as_text(value: Any) -> str:  # noqa: ANN401
    """A value in one line."""
    if isinstance(value, str):
        if value in UNKNOWN_TEXTS:
            return LATER
        return shortened(value if "\n" not in value else f"{value.splitlines()[0]} ({value.count(chr(10)) + 1} lines)")
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    for unknown in UNKNOWN_TEXTS:
        text = text.replace(f'"{unknown}"', LATER)
    return shortened(text)


def shortened(text: str, limit: int = VALUE_LIMIT) -> str:
    """The text without control characters; of a long one, its ends and its length."""
    text = "".join(c if c.isprintable() else " " for c in text)
    if len(text) <= limit:
        return text
    tail = limit // 4
    return f"{text[: limit - tail]} … {text[-tail:]} ({len(text)} characters)"


def _text_diff(old: Any, new: Any) -> tuple[str, ...]:  # noqa: ANN401
    """The unified diff of two texts, when one has several lines."""
    before, after = (value if isinstance(value, str) else "" for value in (old, new))
    if "\n" not in before.strip() and "\n" not in after.strip():
        return ()
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
    cut = len(lines) - DIFF_LINES
    shown = [line[:1] + shortened(line[1:], DIFF_LINE_LIMIT) for line in lines[:DIFF_LINES]]
    return (*shown, f"… {cut} more lines") if cut > 0 else tuple(shown)
