"""A Kubernetes API client: JSON over kept-alive connections, watches that can be interrupted.

The standard library's http.client is used because the plugin must start in a fraction of a second.
"""

import http.client
import json
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from toolchain.plugins.kubernetes.credentials import Credentials
from toolchain.plugins.kubernetes.kubeconfig import Connection, KubeconfigError
from toolchain.plugins.kubernetes.objects import Object, text

CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 60.0
BUSY_TRIES: Final = 5
JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
USER_AGENT: Final = "pulumi-kubernetes/4.34.2"


class ApiError(Exception):
    """The server refused a request; the text is its own message."""

    def __init__(self, code: int, status: Object) -> None:
        super().__init__(
            text(status.get("message")) or f"the server answered {code} {text(status.get('reason'))}".strip()
        )
        self.code = code
        self.reason = text(status.get("reason"))
        self.details: Object = status.get("details") or {}

    @property
    def namespace_missing(self) -> bool:
        """Whether the object's namespace is what was not found."""
        return self.code == http.client.NOT_FOUND and self.details.get("kind") == "namespaces"


class Unreachable(Exception):
    """No answer at all from the server, or none that it may give us; one line that names server and context."""


class Interrupted(Exception):
    """The user cancelled the operation."""


class Limiter:
    """At most `qps` requests a second on average, with bursts: the token bucket of Kubernetes' own clients."""

    def __init__(self, qps: float, burst: int) -> None:
        self._qps, self._burst = qps, float(burst)
        self._tokens, self._then = float(burst), time.monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Block until the next request may be sent."""
        if self._qps <= 0:
            return
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._then) * self._qps) - 1
            self._then = now
            delay = max(0.0, -self._tokens / self._qps)
        time.sleep(delay)


class Link(NamedTuple):
    """A connection to the server; http.client drops its own reference to the socket of a response that ends with it."""

    http: http.client.HTTPConnection
    sock: socket.socket

    def close(self) -> None:
        """Hang up."""
        self.http.close()
        self.sock.close()


class Client:
    """Requests to one cluster; safe for use by many threads."""

    def __init__(self, connection: Connection, *, qps: float, burst: int, timeout_s: float = READ_TIMEOUT_S) -> None:
        self.connection = connection
        self._url = urlsplit(connection.server if "://" in connection.server else f"https://{connection.server}")
        self._credentials = Credentials(connection)
        self._limiter = Limiter(qps, burst)
        self._timeout_s = timeout_s
        self._idle: queue.LifoQueue[Link] = queue.LifoQueue()
        self._watching: set[Link] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    # --- requests -----------------------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,  # noqa: ANN401
        content_type: str = JSON,
    ) -> tuple[Any, list[str]]:
        """Send a request; the answer's JSON and the server's warnings. Raises ApiError or Unreachable."""
        payload = None if body is None else json.dumps(body).encode()
        for attempt in range(BUSY_TRIES):
            link, answer = self._send(method, path, params, payload, content_type)
            data = answer.read()
            self._give_back(link, answer)
            if answer.status == http.client.UNAUTHORIZED and attempt == 0 and self._credentials.renew():
                continue
            wait_s = answer.getheader("Retry-After")
            if answer.status in (429, 503) and wait_s and attempt + 1 < BUSY_TRIES:
                self._stopped.wait(min(float(wait_s), 10) if wait_s.isdigit() else 1)
                continue
            break
        if answer.status >= http.client.BAD_REQUEST:
            raise self._error(answer.status, data)
        return json.loads(data) if data else None, [_warning(h) for h in answer.headers.get_all("Warning") or []]

    def get(self, path: str, **params: str) -> Any:  # noqa: ANN401
        """GET, the JSON only."""
        return self.request("GET", path, params=params)[0]

    def log_text(self, path: str, **params: str) -> str:
        """GET of a text, such as a container's log."""
        link, answer = self._send("GET", path, params, None, JSON)
        data = answer.read()
        self._give_back(link, answer)
        if answer.status >= http.client.BAD_REQUEST:
            raise self._error(answer.status, data)
        return data.decode(errors="replace")

    def watch(self, path: str, *, timeout_s: int, **params: str) -> Iterator[tuple[str, Object]]:
        """The events of a watch, as (type, object), until the server ends it after `timeout_s`.

        Raises Interrupted when `interrupt` was called.
        """
        asked = {**params, "watch": "true", "timeoutSeconds": str(max(1, timeout_s))}
        link, answer = self._send("GET", path, asked, None, JSON)
        ended = False
        with self._lock:
            self._watching.add(link)
        try:
            if answer.status >= http.client.BAD_REQUEST:
                raise self._error(answer.status, answer.read())
            link.sock.settimeout(timeout_s + self._timeout_s)
            # A broken stream is like one that ended: the caller asks for the object anyway.
            with suppress(OSError, http.client.HTTPException, ValueError):
                while not self._stopped.is_set() and (line := answer.readline()):
                    event = json.loads(line)
                    yield event["type"], event["object"]
                ended = not self._stopped.is_set()
        finally:
            with self._lock:
                self._watching.discard(link)
            if ended:
                self._give_back(link, answer)
            else:
                link.close()
        self.check_interrupt()

    def interrupt(self) -> None:
        """End every watch at once and let no new one begin."""
        self._stopped.set()
        with self._lock:
            for link in self._watching:
                with suppress(OSError):
                    link.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while not self._idle.empty():
            self._idle.get().close()

    def check_interrupt(self) -> None:
        """Raise Interrupted when the user cancelled."""
        if self._stopped.is_set():
            raise Interrupted

    def pause(self, seconds: float) -> None:
        """Sleep, unless and until the user cancels; then raise Interrupted."""
        if self._stopped.wait(seconds):
            raise Interrupted

    # --- connections --------------------------------------------------------------------------------------------------

    def _send(
        self, method: str, path: str, params: Mapping[str, str] | None, payload: bytes | None, content_type: str
    ) -> tuple[Link, http.client.HTTPResponse]:
        self._limiter.wait()
        target = self._url.path + quote(path, safe="/:") + (f"?{urlencode(params)}" if params else "")
        try:
            headers = {"Accept": JSON, "User-Agent": USER_AGENT, **self._credentials.headers()}
            if payload is not None:
                headers["Content-Type"] = content_type
            link = self._take()
            try:
                link.http.request(method, target, payload, headers)
                return link, link.http.getresponse()
            except BaseException:
                link.close()
                raise
        except ssl.SSLCertVerificationError as error:
            raise self._unreachable(f"its certificate is not trusted: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise self._unreachable(f"TLS failed: {error.reason or error}") from error
        except TimeoutError as error:
            raise self._unreachable("no answer in time") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error
        except KubeconfigError as error:
            raise self._unreachable(str(error)) from error

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(f"the Kubernetes API server {self.connection.label} is unreachable: {why}")

    def _take(self) -> Link:
        while True:
            try:
                link = self._idle.get_nowait()
            except queue.Empty:
                return self._open()
            # Readable while nothing was asked means that the server has hung up.
            if not select.select([link.sock], [], [], 0)[0]:
                return link
            link.close()

    def _give_back(self, link: Link, answer: http.client.HTTPResponse) -> None:
        if answer.will_close:
            link.close()
        else:
            link.sock.settimeout(self._timeout_s)
            self._idle.put(link)

    def _open(self) -> Link:
        url, proxy = self._url, urlsplit(self.connection.proxy)
        host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        sock = socket.create_connection(
            (proxy.hostname, proxy.port or 80) if proxy.hostname else (host, port), timeout=CONNECT_TIMEOUT_S
        )
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if proxy.hostname:
                _tunnel(sock, host, port)
            if url.scheme == "https":
                sock = self._credentials.tls().wrap_socket(
                    sock, server_hostname=self.connection.tls_server_name or host
                )
        except BaseException:
            sock.close()
            raise
        sock.settimeout(self._timeout_s)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = sock
        return Link(connection, sock)

    def _error(self, code: int, data: bytes) -> ApiError | Unreachable:
        try:
            status = json.loads(data)
        except ValueError:
            status = {"message": f"the server answered {code}: {data[:200].decode(errors='replace').strip()}"}
        if code == http.client.UNAUTHORIZED:
            return Unreachable(
                f"the Kubernetes API server {self.connection.label} refuses the credentials (401 Unauthorized): "
                "they are wrong or expired; renew the kubeconfig"
            )
        return ApiError(code, status if isinstance(status, dict) else {})


def _tunnel(sock: socket.socket, host: str, port: int) -> None:
    sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    answer = http.client.HTTPResponse(sock, method="CONNECT")
    answer.begin()
    if answer.status != http.client.OK:
        raise OSError(f"the proxy answered {answer.status} {answer.reason}")


def _warning(header: str) -> str:
    """The text of a Warning header: `299 - "text"`."""
    return header.partition('"')[2].rpartition('"')[0].replace('\\"', '"')
