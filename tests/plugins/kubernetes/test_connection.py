"""Talking to a cluster: credentials, requests, watches, and the kinds that it serves."""

import base64
import json
import stat
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest

from toolchain.plugins.kubernetes.client import ApiError, Client, Interrupted, Limiter, Unreachable
from toolchain.plugins.kubernetes.discovery import Discovery, NoMatch
from toolchain.plugins.kubernetes.kubeconfig import Connection
from toolchain.plugins.kubernetes.objects import Kind, Object

Answer = tuple[int, dict[str, str], Any]
Serve = Callable[[Callable[[BaseHTTPRequestHandler, Any], Answer]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A real HTTP server on loopback; give it a function from a request to (code, headers, JSON), get its URL."""
    servers: list[ThreadingHTTPServer] = []

    def start(respond: Callable[[BaseHTTPRequestHandler, Any], Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                code, headers, answer = respond(self, json.loads(body) if body else None)
                data = json.dumps(answer).encode()
                self.send_response(code)
                for key, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = handle_any

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients of these tests hang up early
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Connect(Protocol):
    """Makes a client of a URL, with further fields of its connection."""

    def __call__(self, url: str, **fields: Any) -> Client: ...  # noqa: ANN401


@pytest.fixture
def client() -> Iterator[Connect]:
    made: list[Client] = []

    def start(url: str, **fields: Any) -> Client:  # noqa: ANN401
        made.append(Client(Connection(server=url, context="test", **fields), qps=1000, burst=1000, timeout_s=5))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_connections_are_used_again_and_opened_anew_when_the_server_hung_up(serve: Serve, client: Connect) -> None:
    ports: list[int] = []

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        ports.append(request.client_address[1])
        if request.path == "/last":
            request.close_connection = True
        return 200, {}, {}

    c = client(serve(respond))
    for path in ("/a", "/b", "/last", "/c"):
        c.get(path)
        time.sleep(0.05)
    assert ports[0] == ports[1] == ports[2] != ports[3]


def test_a_refusal_carries_the_server_s_message_and_reason(serve: Serve, client: Connect) -> None:
    status = {"message": 'configmaps "a" already exists', "reason": "AlreadyExists", "details": {"kind": "configmaps"}}
    c = client(serve(lambda *_: (409, {}, status)))
    with pytest.raises(ApiError, match='configmaps "a" already exists') as caught:
        c.request("POST", "/x", body={})
    assert (caught.value.code, caught.value.reason, caught.value.namespace_missing) == (409, "AlreadyExists", False)


def test_warnings_are_handed_on(serve: Serve, client: Connect) -> None:
    c = client(serve(lambda *_: (200, {"Warning": '299 - "unknown field \\"spec.foo\\""'}, {})))
    assert c.request("POST", "/x", body={}) == ({}, ['unknown field "spec.foo"'])


def test_a_busy_server_is_asked_again(serve: Serve, client: Connect) -> None:
    answers = iter([(429, {"Retry-After": "0"}, {}), (503, {"Retry-After": "0"}, {}), (200, {}, {"ok": True})])
    assert client(serve(lambda *_: next(answers))).get("/x") == {"ok": True}


def test_expired_credentials_are_told_with_server_and_context(serve: Serve, client: Connect) -> None:
    c = client(serve(lambda *_: (401, {}, {"message": "Unauthorized"})), token="old-token")
    with pytest.raises(
        Unreachable, match=r"http://127.* \(kubeconfig context 'test'\) refuses the credentials"
    ) as caught:
        c.get("/version")
    assert "old-token" not in str(caught.value)


def test_no_server_is_told_in_one_line(client: Connect) -> None:
    with pytest.raises(
        Unreachable, match=r"http://127\.0\.0\.1:1 \(kubeconfig context 'test'\) is unreachable: .*refused"
    ):
        client("http://127.0.0.1:1").get("/version")


def test_a_credential_plugin_is_asked_for_a_token_and_again_when_it_is_refused(
    serve: Serve, tmp_path: Path, client: Connect
) -> None:
    plugin = tmp_path / "plugin"
    counter = tmp_path / "count"
    plugin.write_text(
        f"""#!/bin/sh
echo x >> {counter}
echo "{{\\"status\\": {{\\"token\\": \\"t$(wc -l < {counter})\\"}}}}"
"""
    )
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        return (200, {}, {}) if request.headers["Authorization"] == "Bearer t2" else (401, {}, {})

    c = client(serve(respond), plugin={"command": str(plugin)})
    assert c.get("/a") == {}
    assert c.get("/b") == {}
    assert counter.read_text().count("x") == 2


def test_a_missing_credential_plugin_says_how_to_get_it(serve: Serve, client: Connect) -> None:
    c = client(serve(lambda *_: (200, {}, {})), plugin={"command": "no-such-plugin", "installHint": "get it"})
    with pytest.raises(Unreachable, match=r"'no-such-plugin' is not installed\. get it"):
        c.get("/a")


def test_user_and_password_are_sent(serve: Serve, client: Connect) -> None:
    seen: list[str] = []

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        seen.append(request.headers["Authorization"])
        return 200, {}, {}

    client(serve(respond), username="me", password="mine").get("/a")
    assert seen == ["Basic " + base64.b64encode(b"me:mine").decode()]


def test_a_watch_gives_events_until_the_server_ends_it(serve: Serve, client: Connect) -> None:
    events = [{"type": "ADDED", "object": {"n": 1}}, {"type": "MODIFIED", "object": {"n": 2}}]

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        assert "watch=true" in request.path
        assert "timeoutSeconds=2" in request.path
        stream(request, *events)
        return 200, {}, {}

    c = client(serve(respond))
    assert list(c.watch("/x", timeout_s=2)) == [("ADDED", {"n": 1}), ("MODIFIED", {"n": 2})]


def test_a_watch_ends_at_once_when_the_user_cancels(serve: Serve, client: Connect) -> None:
    waiting = threading.Event()

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        stream(request, {"type": "ADDED", "object": {}})
        waiting.wait(10)
        return 200, {}, {}

    c = client(serve(respond))
    events = c.watch("/x", timeout_s=30)
    assert next(events)[0] == "ADDED"
    threading.Timer(0.2, c.interrupt).start()
    begin = time.monotonic()
    with pytest.raises(Interrupted):
        next(events)
    assert time.monotonic() - begin < 2
    with pytest.raises(Interrupted):
        c.pause(10)
    waiting.set()


def stream(request: BaseHTTPRequestHandler, *events: Object) -> None:
    """Send events as lines of a response that ends with its connection."""
    request.send_response(200)
    request.send_header("Connection", "close")
    request.end_headers()
    for event in events:
        request.wfile.write(json.dumps(event).encode() + b"\n")
    request.wfile.flush()
    if request.path.find("timeoutSeconds=30") < 0:
        request.close_connection = True
        request.wfile = open("/dev/null", "wb")  # noqa: SIM115  what follows is not for the client
        request.connection.shutdown(1)


def test_requests_are_held_back_beyond_the_burst() -> None:
    limiter = Limiter(qps=50, burst=5)
    begin = time.monotonic()
    for _ in range(10):
        limiter.wait()
    assert 0.08 <= time.monotonic() - begin < 1


def test_kinds_are_looked_up_once_and_again_when_one_is_new(serve: Serve, client: Connect) -> None:
    asked: list[str] = []
    served = [{"kind": "A", "name": "as", "namespaced": True}, {"kind": "A", "name": "as/status", "namespaced": True}]

    def respond(request: BaseHTTPRequestHandler, _: Any) -> Answer:  # noqa: ANN401
        asked.append(request.path)
        return (200, {}, {"resources": served}) if request.path == "/apis/g/v1" else (404, {}, {})

    discovery = Discovery(client(serve(respond)))
    assert discovery.resource(Kind("g", "v1", "A")).path("n", "x") == "/apis/g/v1/namespaces/n/as/x"
    with pytest.raises(NoMatch, match='no matches for kind "B" in version "g/v1"'):
        discovery.resource(Kind("g", "v1", "B"))
    assert asked == ["/apis/g/v1"]
    served.append({"kind": "B", "name": "bs", "namespaced": False})
    assert discovery.resource(Kind("g", "v1", "B"), fresh=True).path("n", "x") == "/apis/g/v1/bs/x"
    assert not discovery.exists(Kind("other", "v1", "C"))


def test_scopes_are_known_from_definitions_of_the_program_and_guessed_without_a_server() -> None:
    discovery = Discovery(None)
    assert discovery.namespaced(Kind("", "v1", "ConfigMap"))
    assert not discovery.namespaced(Kind("", "v1", "Namespace"))
    discovery.declare({"spec": {"group": "g", "names": {"kind": "K"}, "scope": "Cluster"}})
    assert not discovery.namespaced(Kind("g", "v9", "K"))
