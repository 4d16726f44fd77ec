"""Command line of the language host: main.py -use-executor=FILE [FLAG...] ENGINE-ADDRESS."""

from pathlib import Path
from typing import NoReturn

import grpc
from pulumi.runtime.proto import language_pb2_grpc

from toolchain.plugins.language.host import LanguageHost
from toolchain.plugins.language.process import Children
from toolchain.plugins.serve import Arguments, serve


def main() -> NoReturn:
    """Serve the Python language host until the engine ends it."""
    children = Children()

    def register(server: grpc.Server, arguments: Arguments) -> None:
        executor = Path(arguments.flags["use-executor"])
        host = LanguageHost(arguments.engine, executor, arguments.flags.get("tracing", ""), children)
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)

    serve(register, closing=children.close)
