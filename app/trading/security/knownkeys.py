"""Users' keys as the store said a moment ago: whoever calls many times a second is looked up once.

What was changed in this process holds here at once, what was changed elsewhere after `HOLDS_S`. While the store is away
nothing is known for longer than that either, so that nobody's key outlives its end for want of a database.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from trading.security.people import KeyRow, User

HOLDS_S = 1.0
MOST = 1000


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key, whose it is, and by their seals the keys that its holder signs with, as far as they could be opened."""

    row: KeyRow
    owner: User
    opened: Mapping[bytes, bytes] = field(repr=False)


class KnownKeys:
    """Keys by their ids; of those that do not exist nothing is kept.

    Args:
        look: asks the store for the key of an id; what it raises is raised.
        clock: seconds that only go forward.
    """

    def __init__(self, look: Callable[[str], KnownKey | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._look, self._clock = look, clock
        self._lock = Lock()
        self._kept: dict[str, tuple[float, KnownKey]] = {}
        self._changes = 0

    def get(self, key_id: str) -> KnownKey | None:
        """The key, as it was at most `HOLDS_S` seconds ago."""
        with self._lock:
            asked_at, changes = self._clock(), self._changes
            at, kept = self._kept.get(key_id, (0.0, None))
        if kept and asked_at - at < HOLDS_S:
            return kept
        found = self._look(key_id)
        with self._lock:
            self._kept.pop(key_id, None)
            if found and changes == self._changes:  # else it may be from before the change
                self._kept[key_id] = (asked_at, found)
                if len(self._kept) > MOST:
                    del self._kept[next(iter(self._kept))]
        return found

    def forget(self) -> None:
        """Ask again for every key: this process has changed something."""
        with self._lock:
            self._changes += 1
            self._kept.clear()
