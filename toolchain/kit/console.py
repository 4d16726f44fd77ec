"""Progress lines and errors, the same for every command of the toolchain."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ToolError(Exception):
    """A failure that a person can act on; its text is the whole message, without a traceback.

    Attributes:
        exit_code: what the command ends with.
    """

    exit_code = 1


class NotAsked(ToolError):
    """Nothing wrong was found because somebody could not be asked: neither a pass nor a finding."""

    exit_code = 3


def say(text: str) -> None:
    """Print one progress line at once, on stderr, so that stdout stays for results."""
    print(text, file=sys.stderr, flush=True)


def result(text: str) -> None:
    """Print what a command was asked for, on stdout."""
    print(text, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step and print its duration in seconds when it ends."""
    say(f"==> {title}")
    begin = time.monotonic()
    yield
    say(f"    {title}: {time.monotonic() - begin:.1f} s")


def main_guard(main: Callable[[], int | None]) -> None:
    """Run a command's main function: `ToolError` becomes one line and its exit code, ^C becomes exit 130."""
    try:
        sys.exit(main() or 0)
    except ToolError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
