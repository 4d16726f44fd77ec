"""A small client of the Redis protocol (RESP2): one connection, one command at a time.

The programs here send a dozen kinds of commands to the process beside them; that does not carry a dependency.
"""

import contextlib
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

Reply = str | int | None | list["Reply"]
Address = Path | tuple[str, int]


class CommandError(Exception):
    """The server answered with an error; its first word is the code (`NOAUTH`, `LOADING`, `INPROG` ...)."""

    @property
    def code(self) -> str:
        """The first word of the error."""
        return str(self).partition(" ")[0]


class Connection:
    """A connection to a Unix socket (a path) or to a TCP port (host and port).

    Raises:
        OSError: no connection, or no answer within `timeout_s` seconds.
        CommandError: the server refused the login or a command.
    """

    def __init__(self, address: Address, *, user: str, password: str, timeout_s: float = 1.0) -> None:
        if isinstance(address, Path):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(timeout_s)
            try:
                self._socket.connect(str(address))
            except OSError:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection(address, timeout=timeout_s)
        self._stream = self._socket.makefile("rb")
        try:
            self.command("AUTH", user, password)
        except BaseException:
            self.close()
            raise

    def command(self, *words: str) -> Reply:
        """Send one command and return its reply; an error inside a list is raised like any other."""
        parts = [word.encode() for word in words]
        request = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n" % len(parts) + request)
        return self._reply()

    def _reply(self) -> Reply:
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server closed the connection")
        kind, text = line[:1], line[1:-2].decode(errors="replace")
        match kind:
            case b"+":
                return text
            case b"-":
                raise CommandError(text)
            case b":":
                return int(text)
            case b"$":
                return self._bulk(int(text))
            case b"*":
                return None if int(text) < 0 else [self._reply() for _ in range(int(text))]
        raise ConnectionError(f"not a reply of the Redis protocol: {kind!r}")

    def _bulk(self, length: int) -> str | None:
        if length < 0:
            return None
        data = self._stream.read(length + 2)
        if len(data) != length + 2:
            raise ConnectionResetError("the server closed the connection")
        return data[:-2].decode(errors="replace")

    def close(self) -> None:
        """Close the connection; safe to repeat."""
        with contextlib.suppress(OSError):
            self._stream.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fields(reply: Reply) -> dict[str, str]:
    """A flat list of names and values, as `SENTINEL MASTER` returns it, as a dictionary."""
    if not isinstance(reply, list):
        return {}
    return {str(name): str(value) for name, value in zip(reply[::2], reply[1::2], strict=False)}


def info_fields(reply: Reply) -> dict[str, str]:
    """The text of `INFO` as a dictionary."""
    lines = str(reply).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
