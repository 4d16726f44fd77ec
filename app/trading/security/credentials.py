"""Credentials as mounted files: two slots, of which one is current.

A kind is a folder `<dir>/<kind>/` with the files `a`, `b` (values), `current` (`a` or `b`) and `epoch` (a number).
Kubernetes swaps the whole folder at once behind the symlink `..data`, so it is resolved once and all files are read
from one snapshot: a value never goes with another snapshot's `current`.

Not every node gets a changed Secret in the same moment: a client may have a new value before the server that it logs in
to. So a value that has just changed is not used first for a while, as long as the other slot's has not changed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import cast

from trading.domain.errors import TradingError

FILES = ("a", "b", "current", "epoch")
SWAP_TRIES = 5


class CredentialError(TradingError):
    """A credential that is not there or not whole; never tells a value."""

    code = "CREDENTIALS"


@dataclass(frozen=True, slots=True)
class Credential:
    """One snapshot of a kind. Values do not show in its repr."""

    slots: Mapping[str, str] = field(repr=False)
    current: str
    epoch: int

    def in_order(self) -> Iterator[tuple[str, str]]:
        """(slot, value), the current one first."""
        for slot in sorted(self.slots, key=lambda slot: slot != self.current):
            yield slot, self.slots[slot]


class MountedCredential:
    """A kind in a credentials folder, read again whenever its files have changed. Safe for threads.

    Args:
        settle_s: how long a value that has changed under way is not used first. A kubelet may take 90 s to mount it.
        clock: seconds that only go forward.
    """

    def __init__(
        self, directory: Path, kind: str, *, settle_s: float = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.kind = kind
        self._settle_s, self._clock = settle_s, clock
        self._held: tuple[float, Credential] | None = None  # until when, and what is used from then on
        self._folder = directory / kind
        # Made once: they are looked at with each request that the deployment's key is used for.
        self._snapshot = self._folder / "..data"
        self._files = [self._folder / name for name in FILES]
        self._lock = Lock()
        self._seen: tuple[object, ...] | None = None
        self._credential: Credential | None = None

    def get(self) -> Credential:
        """The credential as it is mounted now.

        Raises:
            CredentialError: a file is missing, empty or wrong.
        """
        with self._lock:
            version = self._version()
            if self._credential is None or version != self._seen:
                self._take(self._read())
                self._seen = version
            if self._held and self._clock() >= self._held[0]:
                self._credential, self._held = self._held[1], None
            return cast(Credential, self._credential)

    def _take(self, mounted: Credential) -> None:
        """Use what is mounted, or first the slot that has not changed, under the epoch that it had."""
        if self._held and self._held[1] == mounted:  # written anew, with nothing new in it
            return
        used, self._held = self._credential, None
        changed = {slot for slot in mounted.slots if used and used.slots[slot] != mounted.slots[slot]}
        kept = next((slot for slot in mounted.slots if slot not in changed), None)
        if used and kept and mounted.current in changed:
            self._held = self._clock() + self._settle_s, mounted
            mounted = Credential(mounted.slots, kept, used.epoch)
        self._credential = mounted

    def _version(self) -> tuple[object, ...]:
        try:
            return (_target(self._snapshot), *map(_stamp, self._files))
        except FileNotFoundError:
            return ()

    def _read(self) -> Credential:
        for _ in range(SWAP_TRIES):
            data = self._folder / "..data"
            snapshot = data.resolve() if data.exists() else self._folder
            try:
                return self._parse({name: (snapshot / name).read_text().strip() for name in FILES})
            except FileNotFoundError as error:  # the snapshot was swapped away under us, or a file is missing indeed
                missing = Path(error.filename or "").name
        raise CredentialError(
            f"credential {self.kind}: file {missing}: is missing; mount the Secret credentials-{self.kind} "
            f"at {self._folder} (TRADING_CREDENTIALS_DIR)"
        )

    def _parse(self, texts: Mapping[str, str]) -> Credential:
        slots = {slot: texts[slot] for slot in ("a", "b")}
        empty = [slot for slot, value in slots.items() if not value]
        if empty:
            raise CredentialError(f"credential {self.kind}: file {empty[0]}: is empty; put a value into the Secret")
        if texts["current"] not in slots:
            raise CredentialError(f"credential {self.kind}: file current: must be 'a' or 'b'; correct the Secret")
        if not texts["epoch"].isdecimal():
            raise CredentialError(f"credential {self.kind}: file epoch: must be a whole number; correct the Secret")
        return Credential(slots, texts["current"], int(texts["epoch"]))


def _target(link: Path) -> Path | None:
    """Where a link leads; nowhere when it is none, as where no Secret is mounted."""
    try:
        return link.readlink()
    except OSError:
        return None


def _stamp(path: Path) -> tuple[int, int, int]:
    info = path.stat()
    return info.st_ino, info.st_mtime_ns, info.st_size
