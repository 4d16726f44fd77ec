"""Command line of the provider: main.py [FLAG...] ENGINE-ADDRESS."""

from typing import Final, NoReturn

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from toolchain.plugins.kubernetes.engine import Engine
from toolchain.plugins.kubernetes.provider import KubernetesProvider
from toolchain.plugins.serve import Arguments, serve

THREADS: Final = 256
"""Each resource that waits for its cluster holds one."""


def main() -> NoReturn:
    """Serve the provider until the engine ends it."""

    def register(server: grpc.Server, arguments: Arguments) -> None:
        provider = KubernetesProvider(Engine(arguments.engine))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)

    serve(register, threads=THREADS)
