"""How a plugin process starts, fails calls and ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2 as rpc
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from tests.plugins.wire import Plugin, launcher_file, plugin
from toolchain.plugins.serve import Arguments, parse

FAILING = """
import sys
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc
from toolchain.plugins.serve import RpcFailure, serve

class Failing(provider_pb2_grpc.ResourceProviderServicer):
    def Create(self, request, context):
        raise RpcFailure("no room", provider_pb2.ErrorResourceInitFailed(id="x", reasons=["full"]))

    def Delete(self, request, context):
        return {}["absent"]

serve(lambda server, arguments: provider_pb2_grpc.add_ResourceProviderServicer_to_server(Failing(), server))
"""


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["127.0.0.1:1"], Arguments("127.0.0.1:1", {})),
        (["--logtostderr", "-v=9", "--tracing", "http://x", "127.0.0.1:1"],
         Arguments("127.0.0.1:1", {"logtostderr": "true", "v": "9", "tracing": "http://x"})),
        (["-virtualenv=.venv", "-root=/p", "h:1", "."], Arguments("h:1", {"virtualenv": ".venv", "root": "/p"})),
        ([], Arguments("", {})),
    ],
)  # fmt: skip
def test_the_engines_flags_are_tolerated(argv: list[str], expected: Arguments) -> None:
    assert parse(argv) == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_plugin_leaves_at_once_and_quietly(tmp_path: Path, number: int) -> None:
    with plugin("random", tmp_path, "--logtostderr", "127.0.0.1:9") as running:
        provider_pb2_grpc.ResourceProviderStub(running.channel).GetPluginInfo(Empty(), timeout=5)
        begin = time.monotonic()
        assert running.end(number) == (0, "")
        assert time.monotonic() - begin < 3


def test_a_plugin_does_not_outlive_the_engine(tmp_path: Path) -> None:
    """Also when the engine had no time to end it."""
    script = launcher_file("random", tmp_path)
    engine_code = f"import subprocess as s; p = s.Popen([{str(script)!r}]); print(p.pid, flush=True); p.wait()"
    with subprocess.Popen([sys.executable, "-c", engine_code], stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        orphan = Path("/proc", engine.stdout.readline().strip())
        assert engine.stdout.readline().strip().isdigit()  # it listens
        engine.kill()
    deadline = time.monotonic() + 5
    while orphan.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not orphan.exists()


@pytest.fixture
def failing(tmp_path: Path) -> Plugin:
    process = subprocess.Popen(
        [sys.executable, "-c", FAILING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return Plugin(process, grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}"))


def test_failures_have_one_line_their_details_and_no_traceback(failing: Plugin) -> None:
    stub = provider_pb2_grpc.ResourceProviderStub(failing.channel)
    with pytest.raises(grpc.RpcError) as wanted:
        stub.Create(rpc.CreateRequest(), timeout=5)
    with pytest.raises(grpc.RpcError) as bug:
        stub.Delete(rpc.DeleteRequest(), timeout=5)
    with pytest.raises(grpc.RpcError) as missing:
        stub.Invoke(rpc.InvokeRequest(), timeout=5)

    assert (wanted.value.code(), wanted.value.details()) == (grpc.StatusCode.UNKNOWN, "no room")
    [metadata] = [item for item in wanted.value.trailing_metadata() if item.key == "grpc-status-details-bin"]
    [detail] = status_pb2.Status.FromString(metadata.value).details
    failed = rpc.ErrorResourceInitFailed()
    assert detail.Unpack(failed)
    assert list(failed.reasons) == ["full"]

    assert bug.value.code() == grpc.StatusCode.INTERNAL
    assert bug.value.details() == "internal error: KeyError: 'absent' (<string>:11)"
    assert missing.value.code() == grpc.StatusCode.UNIMPLEMENTED

    failing.channel.close()
    assert failing.end(signal.SIGTERM) == (0, "")
