"""Command line of the provider: main.py [FLAG...] ENGINE-ADDRESS."""

from typing import NoReturn

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from toolchain.plugins.random.provider import RandomProvider
from toolchain.plugins.serve import Arguments, serve


def main() -> NoReturn:
    """Serve the provider until the engine ends it."""

    def register(server: grpc.Server, arguments: Arguments) -> None:
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(RandomProvider(), server)

    serve(register)
