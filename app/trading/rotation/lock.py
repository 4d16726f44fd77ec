"""One rotation at a time, from whichever machine: a Lease in the stack's namespace.

It is renewed while the rotation runs. One that was left behind by a crash is taken over when it has not been renewed
for as long as it is good, by this machine's own clock: clocks of two machines are never compared.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

from trading.rotation.cluster import LABELS
from trading.rotation.errors import RotationError
from trading.rotation.kubectl import Kubectl

NAME = "credential-rotation"


@dataclass(frozen=True)
class Timing:
    """How long a lock is good without being renewed, how often it is, how often somebody else looks; seconds."""

    good_s: float = 20.0
    renew_s: float = 4.0
    look_s: float = 1.0


class Lock:
    """A held Lease.

    Attributes:
        lost: why it is not held any more; empty while it is.
    """

    def __init__(self, kubectl: Kubectl, holder: str, timing: Timing) -> None:
        self._kubectl = kubectl
        self._holder = holder
        self._timing = timing
        self._stop = Event()
        self._seen = time.monotonic()
        self.lost = ""

    def check(self) -> None:
        """Raise `RotationError` when it may be somebody else's by now."""
        if not self.lost and time.monotonic() - self._seen > self._timing.good_s:
            self.lost = "it could not be renewed"
        if self.lost:
            raise RotationError(f"the lock of the rotation was lost: {self.lost}; run the same command again to go on")

    def keep(self) -> None:
        """Renew it until told to stop."""
        while not self._stop.wait(self._timing.renew_s):
            try:
                held = _held(self._kubectl)
                if held is None or held["spec"]["holderIdentity"] != self._holder:
                    self.lost = "somebody else has taken it"
                    return
                begin = time.monotonic()
                _write(self._kubectl, self._holder, self._timing, held["metadata"]["resourceVersion"])
                self._seen = begin
            except RotationError:
                continue  # an API server that is away for a moment; `check` knows how long it may be

    def release(self) -> None:
        """Give it back; one that is somebody else's is left alone."""
        self._stop.set()
        held = _held(self._kubectl)
        if held is not None and held["spec"]["holderIdentity"] == self._holder:
            self._kubectl("delete", "lease", NAME, "--ignore-not-found")


@contextmanager
def locked(
    kubectl: Kubectl, holder: str, timing: Timing = Timing(), say: Callable[[str], None] = lambda _: None
) -> Iterator[Lock]:
    """Hold the lock while the body runs.

    Args:
        holder: who wants it; unlike any other run's.

    Raises:
        RotationError: somebody holds it who is alive.
    """
    _take(kubectl, holder, timing, say)
    lock = Lock(kubectl, holder, timing)
    keeper = Thread(target=lock.keep, name="rotation lock", daemon=True)
    keeper.start()
    try:
        yield lock
    finally:
        lock.release()
        keeper.join(timing.renew_s)


def _take(kubectl: Kubectl, holder: str, timing: Timing, say: Callable[[str], None]) -> None:
    held = _held(kubectl)
    if held is None:
        try:
            _write(kubectl, holder, timing, None)
            return
        except RotationError:
            held = _held(kubectl)
            if held is None:
                raise
    say(f"the lock is {held['spec']['holderIdentity']}'s; looking for {timing.good_s:g} s whether they are alive")
    deadline = time.monotonic() + timing.good_s
    while time.monotonic() < deadline:
        now = _held(kubectl)
        if now is None or now["metadata"]["resourceVersion"] != held["metadata"]["resourceVersion"]:
            raise RotationError(
                f"{held['spec']['holderIdentity']} is rotating credentials of this stack at this moment; "
                "wait until they are done, then look with: trading rotate status"
            )
        time.sleep(timing.look_s)
    # if two take over at once, the version lets one of them
    _write(kubectl, holder, timing, held["metadata"]["resourceVersion"])
    say("they are not: took the lock over")


def _held(kubectl: Kubectl) -> dict[str, Any] | None:
    found = kubectl("get", "lease", NAME, "-o", "json", "--ignore-not-found")
    held: dict[str, Any] | None = json.loads(found) if found.strip() else None
    return held


def _write(kubectl: Kubectl, holder: str, timing: Timing, version: str | None) -> None:
    metadata: dict[str, Any] = {"name": NAME, "labels": LABELS}
    if version is not None:
        metadata["resourceVersion"] = version
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": max(1, round(timing.good_s)),
        "renewTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    kubectl("create" if version is None else "replace", "-f", "-", stdin=json.dumps(lease))
