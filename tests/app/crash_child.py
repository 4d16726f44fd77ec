"""A process that executes orders on a real database and a broker on loopback, and kills itself where it is told."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trading.execution.dispatch import Dispatcher
from trading.execution.http import adapter
from trading.execution.http.wire import Reply
from trading.risk.killswitch import TradingState
from trading.security.credentials import MountedCredential
from trading.services.books import PostgresBooks
from trading.settings import from_environment
from trading.storage import orders
from trading.storage.connection import Connection, logins
from trading.storage.leadership import EXECUTION, acquire


class Fuse:
    """Counts the points that are passed, and ends the process at one of them: no handler, no clean-up, no goodbye."""

    def __init__(self, kill_at: int, said: Path) -> None:
        self.left, self.said = kill_at, said

    def touch(self, name: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.said.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)


class FragileConnection(Connection):
    """Dies before a transaction is committed, or after."""

    fuse: Fuse

    @contextmanager
    def writing(self) -> Iterator[None]:
        with super().writing():
            yield
            self.fuse.touch("before commit")
        self.fuse.touch("after commit")


class FragileBroker(adapter.HttpBroker):
    """Dies before a request leaves, or after the broker has answered and nothing was made of it."""

    fuse: Fuse

    def _call(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Reply:
        self.fuse.touch(f"before {method}")
        answer = super()._call(method, path, form)
        self.fuse.touch(f"after {method}")
        return answer


def main(env: Mapping[str, str], url: str, keys: Path, turns: int, kill_at: int, said: Path) -> None:
    """Lead, and go round so many times; at the point it dies it says so in a file.

    Args:
        kill_at: which point, counted from 1; 0 for none, and then what the broker does not have is given up at once.
    """
    settings = from_environment(env)
    if not kill_at:
        adapter.LOST_AFTER_S = 0.0
    FragileConnection.fuse = FragileBroker.fuse = Fuse(0, said)
    credential = MountedCredential(settings.credentials_dir, "postgres-app")
    with FragileConnection.connect(logins=logins(settings, credential, "crash")) as connection:
        token = None
        while token is None:  # the server has to notice first that the one before is dead
            token = acquire(connection, EXECUTION, "crash")
        FragileConnection.fuse = FragileBroker.fuse = Fuse(kill_at, said)
        books = PostgresBooks(connection, token, orders.replay_open(connection))
        dispatcher = Dispatcher(FragileBroker(url, keys), books)
        for _ in range(turns):
            dispatcher.submit(None, TradingState.ACTIVE)
            dispatcher.ask(None)
            dispatcher.reconcile(None)
