"""Start a Pulumi plugin's gRPC server as the engine expects it, and end it without noise.

The engine reads the port from the first line of stdout, passes flags meant for glog and then its own address, and ends
a plugin by a signal. Its messages can be as large as a Kubernetes schema.
"""

import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

import grpc
from google.protobuf.message import Message

MAX_MESSAGE_BYTES: Final = 400 * 1024 * 1024
"""The engine's own limit (rpcutil.GrpcChannelOptions)."""

PARENT_CHECK_S: Final = 1.0

Context: TypeAlias = grpc.ServicerContext
"""What a handler gets beside the request."""

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

FLAGS_WITH_VALUE: Final = frozenset({"tracing", "v", "root", "vmodule", "log_dir", "stderrthreshold"})


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the engine puts on a plugin's command line: its own address (host:port, empty if none) and named flags."""

    engine: str
    flags: dict[str, str]


def parse(argv: Sequence[str]) -> Arguments:
    """Read a plugin's command line; flags of any name are tolerated, as `-flag`, `--flag=value` or `--flag value`."""
    flags: dict[str, str] = {}
    positional: list[str] = []
    rest = iter(argv)
    for argument in rest:
        if not argument.startswith("-"):
            positional.append(argument)
            continue
        name, has_value, value = argument.lstrip("-").partition("=")
        if not has_value:
            value = next(rest, "") if name in FLAGS_WITH_VALUE else "true"
        flags[name] = value
    return Arguments(positional[0] if positional else "", flags)


def serve(
    register: Callable[[grpc.Server, Arguments], None],
    *,
    threads: int = 64,
    closing: Callable[[], None] = lambda: None,
    argv: Sequence[str] | None = None,
) -> NoReturn:
    """Serve until SIGINT, SIGTERM or the death of the engine; then leave at once with status 0.

    Args:
        register: adds the servicer to the server (`add_..._to_server`); it gets the command line, too.
        threads: calls handled at the same time; further ones wait. An await holds one for minutes.
        closing: called once on the way out, to end child processes.
        argv: the command line without the program's name; the process's own by default.
    """

    def leave(*_: object) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        closing()
        # Handlers may still wait for a cluster; the engine does not want their answers any more.
        os._exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    # The kernel may hand the signal to a thread of gRPC; without a descriptor to wake it, the main thread sleeps on.
    wake, wakened = socket.socketpair()
    wakened.setblocking(False)
    signal.set_wakeup_fd(wakened.fileno())
    parent = os.getppid()
    server = grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="rpc"),
        interceptors=[PlainErrors()],
        options=CHANNEL_OPTIONS,
    )
    register(server, parse(sys.argv[1:] if argv is None else argv))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201  the protocol's first line
    while os.getppid() == parent:
        select.select([wake], [], [], PARENT_CHECK_S)
    leave()


class RpcFailure(Exception):
    """Raise it in a handler to fail the call: its text is the message that the CLI shows.

    Args:
        message: one line for a person.
        code: UNKNOWN is what the official providers send for an ordinary failure.
        details: protobuf messages that travel with the error, for instance `ErrorResourceInitFailed`.
    """

    def __init__(self, message: str, *details: Message, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


if TYPE_CHECKING:
    Interceptor = grpc.ServerInterceptor[Any, Any]  # generic in its stubs only
else:
    Interceptor = grpc.ServerInterceptor


class PlainErrors(Interceptor):
    """Turns exceptions of handlers into gRPC errors of one line, so that no traceback reaches the CLI's output."""

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:  # noqa: ANN401
        """Wrap the handler of a call; gRPC calls this."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                _guard_stream(handler.unary_stream), handler.request_deserializer, handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(
            _guard(handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )


def _guard(behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def call(request: Any, context: Any) -> Any:  # noqa: ANN401
        try:
            return behaviour(request, context)
        except Exception as error:
            _fail(context, error)

    return call


def _guard_stream(behaviour: Callable[[Any, Any], Iterator[Any]]) -> Callable[[Any, Any], Iterator[Any]]:
    def call(request: Any, context: Any) -> Iterator[Any]:  # noqa: ANN401
        try:
            yield from behaviour(request, context)
        except Exception as error:
            _fail(context, error)

    return call


def _fail(context: Any, error: Exception) -> NoReturn:  # noqa: ANN401
    if isinstance(error, NotImplementedError):
        error = RpcFailure("method not implemented", code=grpc.StatusCode.UNIMPLEMENTED)
    elif context.code() is not None:
        raise error  # the handler called context.abort itself
    if not isinstance(error, RpcFailure):
        error = RpcFailure(describe(error), code=grpc.StatusCode.INTERNAL)
    if error.details:
        # Imported here: only failures with details pay for it.
        from pulumi.runtime.proto import status_pb2

        status = status_pb2.Status(code=error.code.value[0], message=str(error))
        for detail in error.details:
            status.details.add().Pack(detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(error.code, str(error))
    raise AssertionError("abort always raises")


def describe(error: BaseException) -> str:
    """One line for an unexpected exception: what, and where in the plugin."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"internal error: {type(error).__name__}: {text}{where}"
