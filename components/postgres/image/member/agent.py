"""The sidecar of a member: records its marks, follows credentials, answers over HTTP.

GET /position: the marks, for the guard of a member that is to be promoted. POST /reserve/N: promise it timeline N. GET
/credentials: epochs mounted and applied, never a value. GET /metrics: archive and backups. GET /health: 200 while it
looks at the server.
"""

import argparse
import contextlib
import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import psycopg

from components.postgres.image.member import archive, marks, server
from components.postgres.image.member.follower import Follower, follow_once
from components.postgres.image.member.paths import Cluster, Paths, load_cluster
from components.postgres.image.member.recorder import PERIOD_S, Recorder

FOLLOW_EVERY_S = 1.0
STALE_S = 10.0


class Handler(BaseHTTPRequestHandler):
    """The answers."""

    member: ClassVar[str]
    recorder: ClassVar[Recorder]
    follower: ClassVar[Follower]
    paths: ClassVar[Paths]
    cluster: ClassVar[Cluster]
    timeout = 5

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path == "/position":
            held = marks.encode(self.recorder.look())
            self._answer(200, held | {"newest": self.recorder.newest()})
        elif self.path == "/credentials":
            epochs = {kind: known._asdict() for kind, known in self.follower.kinds.items()}
            self._answer(200, {"member": self.member, "primary": self.recorder.primary, "kinds": epochs})
        elif self.path == "/metrics":
            self._send(
                200,
                "text/plain; version=0.0.4",
                measured(self.paths, self.cluster, primary=self.recorder.primary).encode(),
            )
        elif self.path == "/health":
            age = time.monotonic() - self.recorder.seen
            self._answer(200 if age < STALE_S else 503, {"seconds_since_look": round(age, 1)})
        else:
            self._answer(404, {"error": "there is /position, /credentials, /metrics and /health"})

    def do_POST(self) -> None:
        """Reserve a timeline number."""
        path, _, number = self.path.rpartition("/")
        if path != "/reserve" or not number.isdecimal():
            self._answer(404, {"error": "there is /reserve/NUMBER"})
        else:
            granted = self.recorder.reserve(int(number))
            self._answer(200 if granted else 409, {"granted": granted})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """No line per request."""


def main() -> None:
    """Run until the pod ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--member", required=True, help="name of this member, that of its pod")
    parser.add_argument("--address", required=True, help="address to listen on; its Patroni answers there too")
    args = parser.parse_args()
    paths = Paths()
    cluster = load_cluster(paths)
    recorder = Recorder(paths, cluster)
    follower = Follower(paths, cluster, args.member, args.address)
    Handler.member, Handler.recorder, Handler.follower = args.member, recorder, follower
    Handler.paths, Handler.cluster = paths, cluster
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    http = ThreadingHTTPServer((args.address, cluster.agent_port), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    threading.Thread(target=follow, args=(recorder, follower, paths), daemon=True).start()
    record(recorder, stopping)


def record(recorder: Recorder, stopping: threading.Event) -> None:
    """Look at the server until the pod ends, and then until the server has ended: its last positions count too.

    A volume that takes no write is said once. The marks stay where they were, and a health check that fails after a
    while restarts the agent.
    """
    said = ""
    while True:
        try:
            recorder.look()
            said = ""
        except OSError as error:
            if str(error) != said:
                said = str(error)
                print(f"agent: cannot keep the marks: {said}", file=sys.stderr, flush=True)  # noqa: T201  the pod's log
        if stopping.is_set() and not recorder.running:
            sys.exit(0)
        time.sleep(PERIOD_S)


def measured(paths: Paths, cluster: Cluster, *, primary: bool) -> str:
    """The metrics of the archive and of the backups; of a primary that does not answer, what lies on disk."""
    archiver = {"waiting_segments": float(archive.waiting(paths.wal))}
    if primary:
        with contextlib.suppress(psycopg.Error), server.connect(paths.sockets, cluster.postgres_port) as connection:
            archiver |= server.archiver(connection)
    return archive.metrics(archiver, archive.read_status(paths.status))


def follow(recorder: Recorder, follower: Follower, paths: Paths) -> None:
    """Follow for ever; a server that does not come up is helped where that is possible."""
    said, led = "", recorder.primary
    while True:
        if recorder.primary and not led:
            print(f"agent: sending {len(archive.send_again(paths.wal))} segments again", file=sys.stderr)  # noqa: T201
        led = recorder.primary
        said = follow_once(follower, running=recorder.running, primary=recorder.primary, said=said)
        for done in recorder.repair():
            print(f"agent: {done}", file=sys.stderr, flush=True)  # noqa: T201  the pod's log
        time.sleep(FOLLOW_EVERY_S)


if __name__ == "__main__":
    main()
