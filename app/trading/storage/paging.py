"""Lists in pages: each continues after the key of the last row that was seen, so that new rows never shift it."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Page(NamedTuple):
    """A part of a list.

    Attributes:
        limit: at most so many rows.
        after: the ordering key of the last row before it; empty for the first page.
    """

    limit: int
    after: tuple[Any, ...] = ()

    def values(self, *names: str) -> dict[str, Any]:
        """The query's parameters: `limit`, and the key's parts by name unless it is the first page."""
        return {"limit": self.limit, **(dict(zip(names, self.after, strict=True)) if self.after else {})}


def conditions(filters: Mapping[str, Any], prefix: str = "") -> tuple[list[str], dict[str, Any]]:
    """Conditions of a query and their parameters: columns by name that equal a value, or one of a set's.

    Names must be literals of the code. A filter that is None does not count.
    """
    where, values = [], {}
    for name, value in filters.items():
        if value is None:
            continue
        is_set = isinstance(value, frozenset | set)
        where.append(f"{prefix}{name} = ANY(%({name})s)" if is_set else f"{prefix}{name} = %({name})s")
        values[name] = sorted(value) if is_set else value
    return where, values


def all_of(where: Iterable[str]) -> str:
    """The conditions as one; true when there are none."""
    return " AND ".join(where) or "true"
