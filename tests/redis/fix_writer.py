"""A client that writes without pause and keeps what was acknowledged."""

import threading
import time
from types import TracebackType
from typing import Self

import redis

from tests.redis.fix_nodes import Site


class Writer:
    """Writes numbered keys through the Sentinels, each until it is acknowledged.

    Attributes:
        acknowledged: numbers whose write was acknowledged.
        gap_s: the longest time between two acknowledgements.
        refused: texts of refused logins.
    """

    def __init__(self, site: Site) -> None:
        self.acknowledged: list[int] = []
        self.gap_s = 0.0
        self.refused: list[str] = []
        self._site = site
        # valid before and after one step of a rotation
        self._epoch = site.epoch
        self._name = f"write:{time.monotonic_ns()}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        client: redis.Redis | None = None
        number, last = 0, time.monotonic()
        while not self._stop.is_set():
            try:
                # a new look-up after each failure: a kept connection would go on asking the old master
                client = client or self._site.finder(self._epoch).master_for("trading")  # type: ignore[no-untyped-call]
                client.set(f"{self._name}:{number}", number)
            except redis.AuthenticationError as error:
                self.refused.append(str(error))
                client = None
            except redis.RedisError:
                client = None
                time.sleep(0.05)
            else:
                now = time.monotonic()
                self.gap_s, last = max(self.gap_s, now - last), now
                self.acknowledged.append(number)
                number += 1
                time.sleep(0.005)

    def lost(self) -> list[int]:
        """Acknowledged numbers that the present master does not have."""
        master = self._site.master().client()
        values = master.mget([f"{self._name}:{n}" for n in self.acknowledged])
        assert isinstance(values, list)
        return [n for n, value in zip(self.acknowledged, values, strict=True) if value is None]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
