"""What rotates, and under which names it is asked for. Pure."""

from collections.abc import Mapping

from trading.rotation.errors import RotationError

GROUPS: Mapping[str, tuple[str, ...]] = {
    "database": ("postgres-app", "postgres-replication"),
    "redis": ("redis-admin", "redis-app", "redis-replication", "redis-sentinel"),
    "api-keys": ("api", "jwt"),
}
KINDS = tuple(sorted(kind for kinds in GROUPS.values() for kind in kinds))
KUBERNETES, ALL = "kubernetes", "all"
WHAT = (*GROUPS, KUBERNETES, ALL, *KINDS)


def kinds_of(what: str) -> tuple[str, ...]:
    """The credentials that a name stands for: a group's, one kind, or all; none for `kubernetes`.

    Raises:
        RotationError: nothing has that name.
    """
    if what not in WHAT:
        raise RotationError(f"what = {what!r}: nothing of that name rotates; give one of {', '.join(WHAT)}")
    if what in (ALL, KUBERNETES):
        return KINDS if what == ALL else ()
    return GROUPS.get(what, (what,))
