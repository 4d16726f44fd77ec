"""Values of an object as rules read them: each knows its path, and one that nobody knows yet raises."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Unknown:
    """The type of `UNKNOWN`."""

    def __repr__(self) -> str:
        """What a message shows in place of a value."""
        return "not known yet"


UNKNOWN = Unknown()
"""Stands for a value that only the update will tell."""


class UnknownField(Exception):
    """A rule has read a field whose value nobody knows yet; `path` names it."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} is not known before the update")


class Malformed(Exception):
    """A field is not of the kind that the Kubernetes API has for it, so no rule can read it."""

    def __init__(self, path: str, wanted: str) -> None:
        self.path = path
        super().__init__(f"{path} is not {wanted}")


def seen(value: object, path: str) -> Any:  # noqa: ANN401  whatever the object holds
    """The value of a field as rules may see it. Raises `UnknownField`."""
    if value is UNKNOWN:
        raise UnknownField(path)
    if isinstance(value, Mapping):
        return Fields(value, path)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Items(value, path)
    return value


class Fields(Mapping[str, Any]):
    """The fields of an object. Reads like a dict; `keys` and `in` ask for no value."""

    def __init__(self, data: Mapping[str, Any], path: str = "") -> None:
        self._data = data
        self.path = path

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401  whatever the object holds
        return seen(self._data[key], self.at(key))

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        """The path alone: a value may be secret."""
        return f"<fields of {self.path or 'an object'}>"

    def at(self, *keys: str) -> str:
        """The path of a field below this one."""
        path = self.path
        for key in keys:
            plain = f"{path}.{key}" if path else key
            path = plain if PLAIN_KEY.fullmatch(key) else f'{path}["{key}"]'
        return path

    def dig(self, *keys: str) -> Any:  # noqa: ANN401  whatever the object holds
        """The value some levels down; None where it, or a level before it, is not there or null."""
        *parents, last = keys
        return self.sub(*parents).get(last)

    def sub(self, *keys: str) -> "Fields":
        """The object some levels down; without fields where there is none."""
        here = self
        for key in keys:
            value = here.get(key)
            if value is None:
                value = Fields({}, here.at(key))
            if not isinstance(value, Fields):
                raise Malformed(here.at(key), "an object")
            here = value
        return here

    def each(self, *keys: str) -> Iterator["Fields"]:
        """The objects of a list some levels down; none where there is no list."""
        for item in self.list(*keys):
            if not isinstance(item, Fields):
                raise Malformed(self.at(*keys), "a list of objects")
            yield item

    def list(self, *keys: str) -> "Items":
        """A list some levels down; an empty one where there is none."""
        value = self.dig(*keys)
        if value is None:
            return Items((), self.at(*keys))
        if not isinstance(value, Items):
            raise Malformed(self.at(*keys), "a list")
        return value


class Items(Sequence[Any]):
    """A list in an object."""

    def __init__(self, data: Sequence[Any], path: str) -> None:
        self._data = data
        self.path = path

    @overload
    def __getitem__(self, index: int) -> Any: ...  # noqa: ANN401  whatever the list holds
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return seen(self._data[index], f"{self.path}[{index}]")

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        """The path alone: a value may be secret."""
        return f"<items of {self.path}>"


def plain(value: object) -> Any:  # noqa: ANN401  JSON
    """The value as dicts and lists, for validators that want them. Raises `UnknownField` for a part that is unknown."""
    if isinstance(value, Mapping):
        return {key: plain(value[key]) for key in value}
    if isinstance(value, Items):
        return [plain(item) for item in value]
    return value
