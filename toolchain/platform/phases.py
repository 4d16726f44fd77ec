"""How long each part of a long command took: printed as a table at its end."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Phases:
    """Times named parts, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], T]) -> T:
        """Do the work and note its duration in seconds under the name."""
        begin = time.monotonic()
        result = work()
        self.seconds[name] = time.monotonic() - begin
        return result

    def table(self) -> str:
        """One line a part, and the sum."""
        rows = [*self.seconds.items(), ("in all", sum(self.seconds.values()))]
        return "\n".join(f"  {name:22} {seconds:7.1f} s" for name, seconds in rows)
