"""A slow TCP relay that falls silent when told: a primary that goes away in the middle of a fetch."""

import contextlib
import socket
import threading
import time

CHUNK = 4096


class Throttle:
    """Relays to an address; answers pass at `bytes_per_s` on each connection, and not at all once it is silenced."""

    def __init__(self, listen: str, target: tuple[str, int], bytes_per_s: int) -> None:
        self._server = socket.create_server((listen, target[1]))
        self._target, self._pause_s = target, CHUNK / bytes_per_s
        self._silent = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """Pass no further answer; connections stay open."""
        self._silent.set()

    def close(self) -> None:
        """Close everything."""
        # shutdown first: it wakes the threads that sit in accept and recv
        for each in (self._server, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                upstream = socket.create_connection(self._target)
                self._open += [client, upstream]
                threading.Thread(target=self._ask, args=(client, upstream), daemon=True).start()
                threading.Thread(target=self._answer, args=(upstream, client), daemon=True).start()

    def _ask(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                sink.sendall(data)

    def _answer(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if not self._silent.is_set():
                    sink.sendall(data)
                    time.sleep(self._pause_s)
