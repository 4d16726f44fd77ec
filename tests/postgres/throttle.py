"""A TCP relay that falls silent after so many bytes of an answer: a primary that goes away in the middle of a fetch."""

import contextlib
import socket
import threading


class Throttle:
    """Relays to an address; every connection gets `limit` bytes of answers and then nothing, until it is closed."""

    def __init__(self, listen: str, target: tuple[str, int], limit: int) -> None:
        self._server = socket.create_server((listen, target[1]))
        self._target, self._limit = target, limit
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                upstream = socket.create_connection(self._target)
                self._open += [client, upstream]
                for source, sink, limit in ((client, upstream, None), (upstream, client, self._limit)):
                    threading.Thread(target=relay, args=(source, sink, limit), daemon=True).start()

    def close(self) -> None:
        """Close everything."""
        # shutdown first: it wakes the threads that sit in accept and recv
        for each in (self._server, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def relay(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
    """Copy until the end, or until `limit` bytes have passed; then read on and pass nothing."""
    passed = 0
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            if limit is None or passed + len(data) <= limit:
                sink.sendall(data)
                passed += len(data)
