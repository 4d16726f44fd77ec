"""Keep the high-water marks while PostgreSQL runs, and tell them to who asks."""

import contextlib
import fcntl
import os
import threading
import time

import psycopg
from psycopg.rows import TupleRow

from components.postgres.image.member import marks, numbers, server
from components.postgres.image.member.marks import Marks
from components.postgres.image.member.paths import Cluster, Paths
from components.postgres.image.member.segments import histories, repair

PERIOD_S = 0.2
DOWN_S = 2.0  # one answer that fails does not make a server that is down


class Recorder:
    """Marks of this member, on disk and in memory.

    Attributes:
        seen: monotonic time of the last look at the server, in seconds.
        running: whether the server answered then.
        primary: whether it was the primary then.
    """

    def __init__(self, paths: Paths, cluster: Cluster) -> None:
        self.seen = time.monotonic()
        self.running = False
        self.primary = False
        self._paths = paths
        self._cluster = cluster
        self._marks = Marks()
        self._timeline: int | None = None
        self._connection: psycopg.Connection[TupleRow] | None = None
        self._lock = threading.Lock()
        self._owned = False
        self._answered = 0.0

    def look(self) -> Marks:
        """Look at the server, raise the marks, return them; with no server, what is on disk."""
        with self._lock:
            if not self._own():
                self.seen = time.monotonic()
                return marks.load(self._paths.marks)
            try:
                self._raise(self._observe())
                self.running = True
                self._answered = time.monotonic()
            except psycopg.Error:
                self._drop()
                self.running = self.primary = False
            self.seen = time.monotonic()
            return self._marks

    def newest(self) -> int:
        """The newest timeline number that this member has heard of."""
        with self._lock:
            return self._newest()

    def reserve(self, number: int) -> bool:
        """Promise a timeline number to a candidate; not if this member has heard of it, or of a later one."""
        with self._lock:
            if not self._own() or number <= self._newest():
                return False
            numbers.save_reserved(self._paths.reserved, self._marks.system_id, number)
            return True

    def _newest(self) -> int:
        known = marks.load(self._paths.marks)
        reserved = numbers.load_reserved(self._paths.reserved, known.system_id)
        return numbers.newest(known, histories(self._paths.wal), reserved)

    def repair(self) -> list[str]:
        """While no server answers: put right what it would fail to start over, again and again. Returns what was."""
        with self._lock:
            down = not self.running and time.monotonic() - self._answered > DOWN_S
            return repair(self._paths) if down and self._owned else []

    def _own(self) -> bool:
        """Whether this process is the one that may write the marks: the agent of a pod that is going may still run."""
        if not self._owned:
            descriptor = os.open(self._paths.volume / ".agent.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            else:
                self._marks = marks.load(self._paths.marks)
                self._owned = True
        return self._owned

    def _observe(self) -> server.Observation:
        if self._connection is None:
            self._connection = server.connect(self._paths.sockets, self._cluster.postgres_port)
            self._timeline = None
        return server.observe(self._connection)

    def _raise(self, now: server.Observation) -> None:
        self.primary = now.kind == "primary"
        self._timeline = now.timeline or self._timeline
        if now.lsn is None or self._timeline is None:
            return
        point = server.point(self._paths.wal, self._timeline, now.lsn)
        raised = self._marks.raised(now.system_id, now.kind, point)
        if raised is not self._marks:
            marks.save(self._paths.marks, raised)
            self._marks = raised

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None
