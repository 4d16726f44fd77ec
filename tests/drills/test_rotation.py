"""What the drill of rotations counts as a refusal."""

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drills import requests
from drills.rotation import REFUSALS, more

seen: list[tuple[str, bool]] = []


class Refusing(BaseHTTPRequestHandler):
    """An API that knows nobody's orders and serves reads."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(401)

    def answer(self, status: int) -> None:
        seen.append((self.command, "X-Signature" in self.headers))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """No line per request."""


@pytest.fixture
def api() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_every_refused_request_is_counted(api: str) -> None:
    seen.clear()
    enough = threading.Event()
    with requests.requesting(api, "k" * 32, "RELIANCE") as answers:
        while len(seen) < 3 * requests.ORDER_EVERY:
            enough.wait(0.02)
    orders = sum(method == "POST" for method, _ in seen)
    assert orders >= 3
    assert answers.refused == orders
    assert answers.total == len(seen)
    assert answers.errors == 0


def test_an_api_that_is_gone_is_an_error_and_no_refusal() -> None:
    with requests.client_of("http://127.0.0.1:9", "k" * 32) as client:
        gone = requests.Answers(Counter({requests.send(client, 1, "RELIANCE"): 1}))
    assert (gone.errors, gone.refused) == (1, 0)


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ('2026-01-01 [9] trading_a@trading FATAL:  password authentication failed for user "trading_a"', True),
        ('2026-01-01 [9] trading_a@trading FATAL:  role "trading_a" is not permitted to log in', True),
        ("2026-01-01 [9] trading_a@trading FATAL:  the database system is starting up", False),
    ],
)
def test_refused_logins_are_told_from_servers_that_start(line: str, refused: bool) -> None:
    assert bool(REFUSALS.search(line)) is refused


def test_a_counter_that_began_anew_counts_from_nothing() -> None:
    assert more({"redis-0": 5, "redis-1": 2}, {"redis-0": 6, "redis-1": 1, "redis-2": 3}) == 5
