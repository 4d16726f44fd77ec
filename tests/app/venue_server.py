"""A broker on loopback that misbehaves as told: a `Venue` behind the API that `execution.http` speaks."""

import hashlib
import json
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from enum import Enum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from tests.app.venue import Placed, Venue
from trading.domain.events import Filled
from trading.domain.orders import OrderType, Terms
from trading.domain.prices import parse_decimal
from trading.execution.broker import VenueState

SECRET = {"api-key": "k" * 16, "api-secret": "s" * 32, "access-token": "t" * 32}
SLOW_S = 1.2  # longer than the tests' client waits
SAID = {
    VenueState.WORKING: "OPEN",
    VenueState.SLEEPING: "TRIGGER PENDING",
    VenueState.FILLED: "COMPLETE",
    VenueState.CANCELLED: "CANCELLED",
    VenueState.REJECTED: "REJECTED",
    VenueState.EXPIRED: "EXPIRED",
    VenueState.PENDING: "VALIDATION PENDING",
}


class Fault(Enum):
    """What goes wrong with one request; `is_done`, whether the venue has done what was asked all the same."""

    TIMEOUT_BEFORE = ("timeout", False)
    TIMEOUT_AFTER = ("timeout", True)
    RESET_BEFORE = ("reset", False)
    RESET_AFTER = ("reset", True)
    ERROR_BEFORE = ("500", False)
    ERROR_AFTER = ("500", True)
    GATEWAY = ("502", True)
    MALFORMED = ("malformed", True)
    TRUNCATED = ("truncated", True)
    PAGE = ("page", True)
    NAMELESS = ("nameless", True)
    NOT_AN_ANSWER = ("list", True)
    REDIRECT = ("redirect", False)
    BUSY = ("429", False)
    NO_SESSION = ("403", False)

    @property
    def kind(self) -> str:
        """How it shows."""
        return str(self.value[0])

    @property
    def is_done(self) -> bool:
        """See the class."""
        return bool(self.value[1])


LOST_IN_DOUBT = [fault for fault in Fault if fault not in (Fault.BUSY, Fault.NO_SESSION)]


def mount(folder: Path, **changes: str) -> Path:
    """A folder with the broker's credentials."""
    folder.mkdir(exist_ok=True)
    for name, value in (SECRET | changes).items():
        (folder / name).write_text(value + "\n")
    return folder


class VenueServer:
    """The server.

    Attributes:
        faults: of the next orders, changes and cancels, the first of them for the next request.
        book_faults: of the next looks at the books.
        forms: what was asked for, newest last; with the method and path.
        skew_s: how far its clock is off.
    """

    def __init__(self) -> None:
        self.venue = Venue()
        self.faults: deque[Fault] = deque()
        self.book_faults: deque[Fault] = deque()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.skew_s = 0
        self.products: dict[str, tuple[str, str]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.handle(self, lambda _: outer.book(self.path), outer.book_faults)

            def do_POST(self) -> None:
                outer.handle(self, outer.place, outer.faults)

            def do_PUT(self) -> None:
                outer.handle(self, lambda form: outer.change(self.path, form), outer.faults)

            def do_DELETE(self) -> None:
                outer.handle(self, lambda _: outer.cancel(self.path), outer.faults)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Free the port."""
        self._server.shutdown()
        self._server.server_close()

    def handle(
        self, request: BaseHTTPRequestHandler, work: Callable[[dict[str, str]], Any], faults: deque[Fault]
    ) -> None:
        """One request, with the next fault."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0)).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.forms.append((f"{request.command} {request.path}", form))
        fault = faults.popleft() if faults else None
        if request.headers["Authorization"] != f"token {SECRET['api-key']}:{SECRET['access-token']}":
            fault = Fault.NO_SESSION
        status, answer = 200, b""
        if fault is None or fault.is_done:
            try:
                answer = json.dumps({"status": "success", "data": work(form)}, default=str).encode()
            except LookupError as error:
                status = 400
                answer = refusal("OrderException", str(error))
        if fault is not None:
            status, answer = self._spoil(request, fault, answer)
        if status:
            request.send_response(status)
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(answer)))
            request.end_headers()
            request.wfile.write(answer)

    def _spoil(self, request: BaseHTTPRequestHandler, fault: Fault, answer: bytes) -> tuple[int, bytes]:
        request.close_connection = True
        match fault.kind:
            case "timeout":
                time.sleep(SLOW_S)
                return 0, b""
            case "reset":
                linger = struct.pack("ii", 1, 0)  # close with RST
                request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                request.connection.close()
                return 0, b""
            case "malformed" | "truncated":
                return 200, answer[: len(answer) // 2]
            case "page":
                return 400, b"<html><body>400 Bad Request</body></html>"
            case "nameless":
                return 200, b'{"status": "success", "data": {}}'
            case "list":
                return 200, b"[[[]]]"
            case "redirect":
                return 302, b""
            case "429":
                return 429, refusal("NetworkException", "Too many requests")
            case "403":
                return 403, refusal("TokenException", "Incorrect api_key or access_token")
            case _:
                return int(fault.kind), refusal("OrderException", "an error that is not about the order")

    def place(self, form: dict[str, str]) -> dict[str, str]:
        """POST /orders/regular."""
        if form["tradingsymbol"] == "NOWHERE":
            raise LookupError("the instrument is not known")
        asleep = OrderType(form["order_type"]).has_trigger
        text = f"{form['transaction_type']} {form['quantity']} {form['tradingsymbol']}"
        state = VenueState.SLEEPING if asleep else VenueState.WORKING
        placed = self.venue.place(form["tag"], text, terms_of(form), state)
        self.products[placed.name] = form["product"], form["order_type"]
        return {"order_id": placed.name}

    def change(self, path: str, form: dict[str, str]) -> dict[str, str]:
        """PUT /orders/regular/<name>."""
        name = path.rsplit("/", 1)[-1]
        if not self.venue.modify(name, terms_of(form)):
            raise LookupError("the order cannot be modified as it is being processed")
        return {"order_id": name}

    def cancel(self, path: str) -> dict[str, str]:
        """DELETE /orders/regular/<name>; for one that is over, refused, also when it is over by a cancel."""
        name = path.rsplit("/", 1)[-1]
        was_over = self.venue.orders[name].state is VenueState.CANCELLED
        if was_over or not self.venue.cancel(name):
            raise LookupError("the order is over")
        return {"order_id": name}

    def book(self, path: str) -> list[dict[str, Any]]:
        """GET /orders and /trades."""
        if path == "/orders":
            return [self._row(placed) for placed in self.venue.orders.values()]
        return [self._trade(placed, trade) for placed in self.venue.orders.values() for trade in placed.trades]

    def _row(self, placed: Placed) -> dict[str, Any]:
        side, _, symbol = placed.text.split()
        product, kind = self.products.get(placed.name, ("CNC", "LIMIT"))
        return {
            "order_id": placed.name,
            "tag": placed.tag or None,
            "status": SAID[placed.state],
            "status_message": placed.reason or None,
            "transaction_type": side,
            "tradingsymbol": symbol,
            "product": product,
            "order_type": kind,
            "quantity": placed.terms.quantity,
            "price": float(placed.terms.limit_price or 0),
            "trigger_price": float(placed.terms.trigger_price or 0),
        }

    def _trade(self, placed: Placed, trade: Filled) -> dict[str, Any]:
        return {
            "trade_id": trade.trade_id,
            "order_id": placed.name,
            "quantity": trade.quantity,
            "average_price": float(trade.price),
            "fill_timestamp": f"{trade.market_time:%Y-%m-%d %H:%M:%S}",
        }

    def call_back(self, port: int, name: str, **changes: str) -> int:
        """What the broker sends when something has happened to an order; returns the HTTP status."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + self.skew_s))
        checksum = hashlib.sha256(f"{name}{stamp}{SECRET['api-secret']}".encode()).hexdigest()
        body = {"order_id": name, "order_timestamp": stamp, "status": "UPDATE", "checksum": checksum} | changes
        return post(port, "/postback", json.dumps(body).encode())


def post(port: int, path: str, body: bytes) -> int:
    """The HTTP status of one POST to loopback."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("POST", path, body)
        return connection.getresponse().status


def refusal(kind: str, text: str) -> bytes:
    """An error in the broker's words."""
    return json.dumps({"status": "error", "error_type": kind, "message": text}).encode()


def terms_of(form: dict[str, str]) -> Terms:
    """The terms in a form."""
    price, trigger = (form.get(name) for name in ("price", "trigger_price"))
    return Terms(int(form["quantity"]), price and parse_decimal(price), trigger and parse_decimal(trigger))  # type: ignore[arg-type]
