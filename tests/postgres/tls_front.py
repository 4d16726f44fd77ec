"""TLS before a plain server, ended in order: the stand-in's own breaks it off, which pgBackRest rightly refuses.

python -m tests.postgres.tls_front CERTIFICATE KEY PORT: prints the port that it listens on, on loopback.
"""

import asyncio
import contextlib
import ssl
import sys


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Everything from one to the other."""
    with contextlib.suppress(OSError):
        while part := await source.read(1 << 16):
            target.write(part)
            await target.drain()


async def main(certificate: str, key: str, behind: int) -> None:
    """Serve until the process is ended."""
    secured = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secured.load_cert_chain(certificate, key)

    async def serve(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", behind)
        sending = asyncio.ensure_future(copy(source, outer))
        await copy(inner, target)
        sending.cancel()
        for writer in (outer, target):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secured)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
