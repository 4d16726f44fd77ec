"""Where the broker calls back: a listener of its own, which believes nothing but a checksum."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import Counter

POSTBACKS = Counter("trading_broker_postbacks_total", "Calls back of the broker", ["result"])
PATH = "/postback"
MAX_BODY = 64 * 1024
READ_TIMEOUT_S = 5


class PostbackServer:
    """Answers `POST /postback` from a thread: 204 when it was taken, 403 when its checksum is wrong.

    Args:
        take: told each body; says whether it is genuine.
    """

    def __init__(self, address: tuple[str, int], take: Callable[[bytes], bool]) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = READ_TIMEOUT_S

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                if self.path != PATH or not length.isdecimal() or int(length) > MAX_BODY:
                    self._send(404 if self.path != PATH else 413, "refused")
                    return
                is_taken = take(self.rfile.read(int(length)))
                self._send(204 if is_taken else 403, "taken" if is_taken else "forged")

            def _send(self, status: int, result: str) -> None:
                POSTBACKS.labels(result).inc()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Counted above; a stranger must not fill the log."""

        self._server = ThreadingHTTPServer(address, Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="postback", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
