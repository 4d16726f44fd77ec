"""A small client of the Kubernetes API: JSON over HTTPS with a client certificate, standard library only.

The forwarder, the provisioner and the commands use it; it keeps them small and quick to start.
"""

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Object = dict[str, Any]
APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"{status}: {message}")


class Api:
    """One API server as one user sees it; safe for threads, as each call has its own connection.

    Args:
        host: its address.
        port: its port.
        folder: holds ca.crt, `<user>.crt` and `<user>.key`.
        user: file name of the client certificate.
        timeout_s: for each read from the server; watches end by themselves before it.
    """

    def __init__(self, host: str, port: int, folder: Path, user: str, timeout_s: float = 10) -> None:
        self.host, self.port, self.timeout_s = host, port, timeout_s
        self.context = ssl.create_default_context(cafile=folder / "ca.crt")
        self.context.load_cert_chain(folder / f"{user}.crt", folder / f"{user}.key")

    def send(
        self, method: str, path: str, body: Object | None, content_type: str, timeout_s: float
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send a request and return the connection and the response's head. Raises `ApiError` and OSError."""
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=timeout_s, context=self.context)
        try:
            headers = {"Content-Type": content_type, "Accept": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise ApiError(response.status, message_of(response.read()))
        except http.client.HTTPException as error:
            connection.close()
            raise ConnectionError(f"API server at {self.host}:{self.port}: {error!r}") from error
        except BaseException:
            connection.close()
            raise
        return connection, response

    def call(
        self, method: str, path: str, body: Object | None = None, content_type: str = "application/json"
    ) -> Object:
        """One request; returns the answer's JSON, or `{"text": ...}` for plain text."""
        connection, response = self.send(method, path, body, content_type, self.timeout_s)
        try:
            content = response.read()
        finally:
            connection.close()
        if "json" not in response.headers.get("Content-Type", ""):
            return {"text": content.decode()}
        answer: Object = json.loads(content)
        return answer

    def get(self, path: str) -> Object:
        """GET."""
        return self.call("GET", path)

    def apply(self, path: str, body: Object) -> Object:
        """Server-side apply of an object at its own path, as field manager `toolchain`."""
        return self.call("PATCH", f"{path}?fieldManager=toolchain&force=true", body, APPLY)

    def watch(self, path: str, version: str, seconds: int) -> Iterator[tuple[str, Object]]:
        """Changes of a collection after a resource version: (ADDED, MODIFIED or DELETED, object), for some seconds.

        Raises `ApiError` 410 when the version is too old to go on from.
        """
        query = f"{path}?watch=1&resourceVersion={version}&timeoutSeconds={seconds}&allowWatchBookmarks=true"
        connection, response = self.send("GET", query, None, "application/json", seconds + 10)
        try:
            for line in response:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(event["object"].get("code", 500), event["object"].get("message", "watch failed"))
                yield event["type"], event["object"]
        finally:
            connection.close()

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            self.get("/readyz")
        except (OSError, ApiError):
            return False
        return True


def message_of(content: bytes) -> str:
    """The message in an error answer, or its first text."""
    try:
        document: Mapping[str, Any] = json.loads(content)
        return str(document["message"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode(errors="replace")
