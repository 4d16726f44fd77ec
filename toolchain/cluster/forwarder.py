"""The loopback forwarder: listens on 127.0.0.1 of the machine and dials inside the cluster's network namespace.

Run as `python -m toolchain.cluster.forwarder <api port> <forwards.json> <descriptor of the network namespace>`. The
file maps a name to a Service and a local port; it is read again whenever it changes. A Service is looked up at each
dial (at most `LOOKUP_LIFE_S` old), and its ready endpoints are dialled directly, so a forward outlives pods,
redeployments and a killed node.
"""

import asyncio
import json
import os
import random
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from toolchain.cluster import linux, plan
from toolchain.cluster.api import Api, ApiError, Object
from toolchain.kit.console import say

LOOKUP_LIFE_S = 1.0
CONNECT_TIMEOUT_S = 1.0
RELOAD_EVERY_S = 0.25

Address = tuple[str, int]


@dataclass(frozen=True)
class Forward:
    """One forwarded Service.

    Attributes:
        namespace: of the Service.
        service: its name.
        port: a port of the Service, not of its pods.
        local: port on 127.0.0.1 of the machine.
        scheme: of the URL in endpoints.json.
    """

    namespace: str
    service: str
    port: int
    local: int
    scheme: str

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.namespace}/{self.service}:{self.port}"


def endpoints(service: Object, slices: Object, port: int) -> list[Address]:
    """The ready endpoints behind a port of a Service, from the Service and its EndpointSlices."""
    names = [each.get("name", "") for each in service["spec"].get("ports", []) if each["port"] == port]
    found = []
    for part in slices["items"]:
        ports = [each["port"] for each in part.get("ports") or [] if each.get("name", "") in names]
        for endpoint in part.get("endpoints") or []:
            if endpoint.get("conditions", {}).get("ready") is not False:
                found += [(address, number) for address in endpoint["addresses"] for number in ports]
    return found


class Pipe(asyncio.Protocol):
    """One side of a forwarded connection: passes what it gets to the other side, at the other side's pace."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: Pipe | None = None
        self.at_end = False

    def join(self, peer: "Pipe") -> None:
        """Connect two sides; both may read from now on."""
        self.peer, peer.peer = peer, self
        for each in (self, peer):
            if each.open is None:
                self.abort()
                peer.abort()
                return
        for each in (self, peer):
            if each.open is not None:
                each.open.resume_reading()

    @property
    def open(self) -> asyncio.Transport | None:
        """The transport, unless it is closed or closing."""
        return None if self.transport is None or self.transport.is_closing() else self.transport

    @property
    def other(self) -> asyncio.Transport | None:
        """The other side's transport, unless it is closed or closing."""
        return None if self.peer is None else self.peer.open

    def abort(self) -> None:
        """Close at once, without sending what is left."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hold the reading until there is a peer."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - tells the type checker which kind it is
        self.transport = transport
        transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        if self.other is not None:
            self.other.write(data)

    def eof_received(self) -> bool:
        """This direction is at its end; the other may go on. When both are, the connection is over."""
        self.at_end = True
        if self.other is None:
            return False
        if self.peer is not None and self.peer.at_end:
            self.other.close()
            return False
        self.other.write_eof()
        return True

    def pause_writing(self) -> None:
        """Our buffer is full: the other side reads no more."""
        if self.other is not None:
            self.other.pause_reading()

    def resume_writing(self) -> None:
        """Our buffer has room: the other side reads again."""
        if self.other is not None:
            self.other.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """A broken connection breaks the other side; a closed one lets it send what it still has."""
        if error is not None and self.peer is not None:
            self.peer.abort()
        elif self.other is not None:
            self.other.close()


class Network:
    """Sockets inside a network namespace, made by a process outside it."""

    def __init__(self, descriptor: int) -> None:
        self.inside = descriptor
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def open(self) -> socket.socket:
        """A TCP socket of the namespace: a socket stays where it was made."""
        linux.setns(self.inside, linux.CLONE_NEWNET)
        try:
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            linux.setns(self.outside, linux.CLONE_NEWNET)
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    async def dial(self, address: Address) -> socket.socket:
        """A connection to an address of the namespace. Raises OSError (TimeoutError too)."""
        made = self.open()
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, address), CONNECT_TIMEOUT_S)
        except BaseException:
            made.close()
            raise
        return made


class Forwarder:
    """All listeners of a cluster: the API server's, and those of the file."""

    def __init__(self, network: Network, api_port: int, file: Path) -> None:
        self.network, self.api_port, self.file = network, api_port, file
        self.api = Api("127.0.0.1", api_port, plan.INSIDE / "pki", "forwarder", timeout_s=3)
        self.servers: dict[Forward, asyncio.Server] = {}
        self.refused: set[Forward] = set()
        self.known: dict[Forward, tuple[float, list[Address]]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Listen for ever."""
        await self.listen(self.api_port, None)
        stamp = None
        while True:
            now = self.file.stat().st_mtime_ns if self.file.exists() else 0
            if now != stamp or self.refused:
                stamp = now
                await self.reload()
            await asyncio.sleep(RELOAD_EVERY_S)

    async def reload(self) -> None:
        """Open the listeners that the file names and that are not open; close the others."""
        entries = json.loads(self.file.read_text()) if self.file.exists() else {}
        wanted = {Forward(**each) for each in entries.values()}
        for forward in [each for each in self.servers if each not in wanted]:
            self.servers.pop(forward).close()
        self.refused &= wanted
        for forward in wanted - self.servers.keys():
            try:
                self.servers[forward] = await self.listen(forward.local, forward)
                self.refused.discard(forward)
            except OSError as error:
                if forward not in self.refused:
                    say(f"127.0.0.1:{forward.local} for {forward}: {error}; trying again")
                self.refused.add(forward)

    async def listen(self, port: int, forward: Forward | None) -> asyncio.Server:
        """A listener on loopback; None forwards to the API server."""

        def accepted() -> Pipe:
            near = Pipe()
            task = asyncio.ensure_future(self.connect(near, forward))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            return near

        return await asyncio.get_running_loop().create_server(accepted, "127.0.0.1", port, backlog=512)

    async def connect(self, near: Pipe, forward: Forward | None) -> None:
        """Dial on behalf of an accepted connection and join the two; without an endpoint the near side is reset."""
        far = await self.dial(forward)
        if far is None:
            near.abort()
            return
        pipe = Pipe()
        await asyncio.get_running_loop().create_connection(lambda: pipe, sock=far)
        near.join(pipe)

    async def dial(self, forward: Forward | None) -> socket.socket | None:
        """A connection to the API server or to one of the Service's ready endpoints, tried in random order."""
        if forward is None:
            return await self.first([(plan.CONTROL_IP, plan.API_PORT)])
        looked_up, known = self.known.get(forward, (0.0, []))
        if time.monotonic() - looked_up < LOOKUP_LIFE_S:
            connection = await self.first(known)
            if connection is not None:
                return connection
        return await self.first(await self.look_up(forward))

    async def look_up(self, forward: Forward) -> list[Address]:
        """The endpoints of now; those known before when the API server does not answer."""
        services = f"/api/v1/namespaces/{forward.namespace}/services/{forward.service}"
        selector = f"?labelSelector=kubernetes.io/service-name={forward.service}"
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{forward.namespace}/endpointslices{selector}"
        try:
            service, parts = await asyncio.gather(
                asyncio.to_thread(self.api.get, services), asyncio.to_thread(self.api.get, slices)
            )
        except ApiError as error:
            say(f"{forward}: {error}")
            return []
        except OSError:
            return self.known.get(forward, (0.0, []))[1]
        found = endpoints(service, parts, forward.port)
        self.known[forward] = (time.monotonic(), found)
        return found

    async def first(self, addresses: list[Address]) -> socket.socket | None:
        """A connection to the first address that takes it."""
        for address in random.sample(addresses, len(addresses)):
            try:
                return await self.network.dial(address)
            except OSError:
                continue
        return None


def main() -> None:
    """Run the forwarder."""
    api_port, file, descriptor = sys.argv[1:]
    asyncio.run(Forwarder(Network(int(descriptor)), int(api_port), Path(file)).run())


if __name__ == "__main__":
    main()
