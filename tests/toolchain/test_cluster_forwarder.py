"""The forwarder's two sides over real sockets: order, half-close, end of connection, slow readers."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from toolchain.cluster.forwarder import Pipe

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def forwarded(serve: Talk, ask: Talk) -> list[Pipe]:
    """Run a client against a server with two joined pipes between them; returns the pipes of the connection."""
    pipes: list[Pipe] = []
    served = asyncio.Event()

    async def server_side(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()
        served.set()

    behind = await asyncio.start_server(server_side, "127.0.0.1", 0)
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def connect(near: Pipe) -> None:
        far = Pipe()
        await loop.create_connection(lambda: far, *behind.sockets[0].getsockname())
        pipes.extend((near, far))
        near.join(far)

    def accepted() -> Pipe:
        near = Pipe()
        tasks.add(asyncio.ensure_future(connect(near)))
        return near

    front = await loop.create_server(accepted, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*front.sockets[0].getsockname())
    await ask(reader, writer)
    await served.wait()
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)
    front.close()
    behind.close()
    return pipes


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back everything, once the other side has ended."""
    writer.write(await reader.read())
    await writer.drain()


@pytest.mark.parametrize("size", [1, 5_000_000])
def test_bytes_arrive_after_a_half_close_and_nothing_stays_open(size: int) -> None:
    sent = bytes(range(256)) * (size // 256) + b"x"

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        writer.write_eof()
        assert await reader.read() == sent

    pipes = asyncio.run(asyncio.wait_for(forwarded(echo, ask), 20))

    assert len(pipes) == 2
    assert all(pipe.open is None for pipe in pipes)


def test_a_client_that_leaves_ends_the_server_side() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"bye"

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        await writer.drain()
        writer.close()

    pipes = asyncio.run(asyncio.wait_for(forwarded(serve, ask), 20))

    assert all(pipe.open is None for pipe in pipes)


def test_a_slow_reader_holds_the_sender_back() -> None:
    total = 64_000_000
    progress: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(total // 64_000):
            writer.write(b"z" * 64_000)
            await writer.drain()
            progress.append(64_000)

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        assert sum(progress) < total // 2
        assert len(await reader.read()) == total

    asyncio.run(asyncio.wait_for(forwarded(serve, ask), 30))
