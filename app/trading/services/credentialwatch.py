"""Tells the holders of connections that a mounted credential has changed."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from prometheus_client import Gauge

from trading.security.credentials import Credential, CredentialError, MountedCredential

log = logging.getLogger(__name__)
PERIOD_S = 1.0
EPOCH = Gauge("trading_credential_epoch", "Epoch of the credential that this process uses", ["kind"])


class CredentialWatch:
    """Looks at the files once a second.

    Raises:
        CredentialError: on construction, when one is missing at the start.
    """

    def __init__(self, watched: list[tuple[MountedCredential, Callable[[], None]]]) -> None:
        self._watched = [(mounted, changed, mounted.get()) for mounted, changed in watched]
        for mounted, _, credential in self._watched:
            EPOCH.labels(mounted.kind).set(credential.epoch)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="credentials", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self._watched = [(m, changed, self._look(m, changed, known)) for m, changed, known in self._watched]

    def _look(self, mounted: MountedCredential, changed: Callable[[], None], known: Credential) -> Credential:
        try:
            credential = mounted.get()
        except CredentialError as error:  # open connections live on; new ones say it again
            log.error("credential unreadable", extra={"kind": mounted.kind, "error": str(error)})
            return known
        # A value that is there but not used yet changes nothing for who is logged in.
        if (credential.current, credential.epoch) != (known.current, known.epoch):
            changed()
            EPOCH.labels(mounted.kind).set(credential.epoch)
            log.info("credential changed", extra={"kind": mounted.kind, "epoch": credential.epoch})
        return credential
