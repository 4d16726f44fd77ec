"""Messages to the person at the CLI, through the engine: log lines that stay and status lines that pass."""

import threading
from contextlib import suppress
from typing import Any, Final

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from toolchain.plugins.serve import CHANNEL_OPTIONS

INFO: Final = engine_pb2.INFO
WARNING: Final = engine_pb2.WARNING


class Engine:
    """The engine that started the plugin. Messages are a courtesy: one that cannot be sent fails nothing."""

    def __init__(self, address: str) -> None:
        self._stub: Any = None
        self._said: set[tuple[str, str]] = set()
        self._shown: dict[str, str] = {}
        self._lock = threading.Lock()
        if address:
            self.attach(address)

    def attach(self, address: str) -> None:
        """Speak to the engine at this address from now on."""
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, options=list(CHANNEL_OPTIONS)))

    def warn(self, urn: str, message: str) -> None:
        """A warning that stays; the same one for the same resource is said once."""
        with self._lock:
            if (urn, message) in self._said:
                return
            self._said.add((urn, message))
        self._log(WARNING, urn, message, ephemeral=False)

    def status(self, urn: str, message: str) -> None:
        """What the resource is waiting for, shown beside it until the next one; empty to clear it."""
        with self._lock:
            if self._shown.get(urn, "") == message:
                return
            self._shown[urn] = message
        self._log(INFO, urn, message, ephemeral=True)

    def _log(self, severity: Any, urn: str, message: str, *, ephemeral: bool) -> None:  # noqa: ANN401
        if self._stub is None:
            return
        with suppress(grpc.RpcError):
            self._stub.Log(engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=ephemeral))
