"""A plugin process and a channel to it, without the CLI: for contract tests that take milliseconds."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc

from toolchain.plugins.install import launcher
from toolchain.plugins.serve import CHANNEL_OPTIONS


def launcher_file(name: str, folder: Path, *command: str) -> Path:
    """Write the launcher of a plugin."""
    script = folder / f"plugin-{name}"
    script.write_text(launcher(name, *command))
    script.chmod(0o755)
    return script


@contextmanager
def plugin(name: str, folder: Path, *arguments: str, command: Sequence[str] = ()) -> Iterator["Plugin"]:
    """Start a plugin by its launcher, as the engine would; it is ended by SIGINT."""
    script = launcher_file(name, folder, *command)
    process = subprocess.Popen(
        [script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
    running = Plugin(process, channel)
    try:
        yield running
    finally:
        channel.close()
        running.end(2)


class Plugin:
    """A running plugin: its process, and a channel for the protocol's stubs."""

    def __init__(self, process: subprocess.Popen[str], channel: grpc.Channel) -> None:
        self.process = process
        self.channel = channel

    def end(self, number: int) -> tuple[int, str]:
        """Send its process group a signal, as the engine does; the exit status and all that it still wrote."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        output, noise = self.process.communicate(timeout=10)
        return self.process.returncode, output + noise
