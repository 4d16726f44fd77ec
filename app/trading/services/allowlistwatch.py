"""Keeps the allowlist of a process as the file and the store say."""

import logging
from threading import Event, Thread

from trading.domain.errors import TradingError
from trading.security.allowlist import FAILURES, Allowlist
from trading.storage.allowlist import newest
from trading.storage.database import Database

log = logging.getLogger(__name__)
PERIOD_S = 1.0


class AllowlistWatch:
    """Looks at both once a second; a change made elsewhere holds here that soon. While the store is away what is known
    holds on."""

    def __init__(self, allowlist: Allowlist, database: Database) -> None:
        self._allowlist, self._database = allowlist, database
        self._away = False
        self._stop = Event()
        self._thread = Thread(target=self._run, name="allowlist", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._look()
            if self._stop.wait(PERIOD_S):
                return

    def _look(self) -> None:
        self._allowlist.reload()
        try:
            self._allowlist.take(self._database.run(newest, deadline_s=PERIOD_S))
            self._away = False
        except TradingError as error:
            FAILURES.labels("store").inc()
            if not self._away:
                log.warning("allowlist not read from the store", extra={"code": error.code})
            self._away = True
