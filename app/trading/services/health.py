"""Health and metrics over HTTP, for the roles that have no other HTTP."""

import json
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

OK = "ok"
Checks = Mapping[str, str]  # by name: `ok`, or why not


class Heartbeat:
    """When a loop last went round."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.beat()

    def beat(self) -> None:
        """Say that the loop is alive."""
        self._last = time.monotonic()

    def check(self) -> str:
        """`ok`, or how long it has been silent."""
        silent = time.monotonic() - self._last
        return OK if silent < self._limit_s else f"silent for {silent:.0f} s"


def answer(checks: Checks) -> tuple[int, str]:
    """HTTP status and JSON body for a set of checks."""
    well = all(result == OK for result in checks.values())
    return (200 if well else 503), json.dumps({"status": OK if well else "failing", "checks": dict(checks)})


class HealthServer:
    """Serves `/health/live`, `/health/ready` and `/metrics` from a thread.

    Args:
        live: must not ask anything outside the process.
        ready: may.
    """

    def __init__(self, address: tuple[str, int], live: Callable[[], Checks], ready: Callable[[], Checks]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._send(200, generate_latest(), CONTENT_TYPE_LATEST)
                elif self.path in ("/health/live", "/health/ready"):
                    status, body = answer(live() if self.path == "/health/live" else ready())
                    self._send(status, body.encode(), "application/json")
                else:
                    self._send(404, b"", "text/plain")

            def _send(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes come every few seconds; they are not worth a line."""

        self._server = ThreadingHTTPServer(address, Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
