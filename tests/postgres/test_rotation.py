"""Members follow a changed credential, and no login that was valid ever fails on the way."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from components.postgres.names import PATRONI_PORT
from components.postgres.patroni import dynamic
from tests.postgres.fix_members import ARGS, Member, Trio, eventually, password

pytestmark = pytest.mark.server


@contextmanager
def patroni(member: Member, settings: dict[str, Any]) -> Iterator[list[tuple[str, Any]]]:
    """Answers where a member's Patroni would; yields what it was told to do."""
    told: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(settings if self.path == "/config" else {"members": []})

        def do_POST(self) -> None:
            told.append((self.path, None))
            self._answer({})

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append((self.path, body))
            settings.update(body)
            self._answer({})

        def _answer(self, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((member.address, PATRONI_PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


def applied(member: Member, kind: str) -> int | None:
    """The epoch that a member says it works with."""
    epoch: int | None = member.ask("credentials")["kinds"].get(kind, {}).get("applied")
    return epoch


class Client:
    """Logs in again and again with one slot's password while its block runs; every login must work."""

    def __init__(self, member: Member, user: str, secret: str, database: str) -> None:
        self.failed: list[str] = []
        self.succeeded = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(member, user, secret, database), daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if kind is None:
            assert not self.failed, self.failed[:3]
            assert self.succeeded

    def _run(self, member: Member, user: str, secret: str, database: str) -> None:
        while not self._stop.wait(0.02):
            try:
                member.connect(user, secret, database).close()
                self.succeeded += 1
            except psycopg.OperationalError as error:
                self.failed.append(str(error))


def test_a_step_reaches_all_members_while_the_previous_slot_stays_valid(trio: Trio) -> None:
    trio.up()
    with patroni(trio.a, dynamic(ARGS)), patroni(trio.b, dynamic(ARGS)) as told:
        for each in (trio.a, trio.b):
            each.write_member_config()
            each.start_agent()
        eventually(lambda: applied(trio.b, "postgres-replication") == 1, 10, "epoch 1 is in use")
        with (
            Client(trio.a, "trading_b", password("postgres-app", 1), "trading"),
            Client(trio.a, "replicator_b", password("postgres-replication", 1), "postgres"),
        ):
            # the standby sees the change first: it must go on with what the primary still has
            for kind in ("postgres-app", "postgres-replication"):
                trio.b.mount(kind, 2)
            eventually(
                lambda: trio.b.ask("credentials")["kinds"]["postgres-app"]["mounted"] == 2, 10, "the standby sees it"
            )
            assert applied(trio.b, "postgres-app") is None
            assert '"replicator_b"' in trio.b.member_config()
            for kind in ("postgres-app", "postgres-replication"):
                trio.a.mount(kind, 2)
            for kind in ("postgres-app", "postgres-replication"):
                for each in (trio.a, trio.b):
                    eventually(lambda k=kind, on=each: applied(on, k) == 2, 10, f"{each.name} follows {kind}")  # type: ignore[misc]
            assert '"replicator_a"' in trio.b.member_config()
            assert ("/reload", None) in told
            assert password("postgres-replication", 2) in (trio.b.folder / "patroni/pgpass").read_text()
            trio.a.connect("trading_a", password("postgres-app", 2)).close()
        assert password("postgres-app", 2) not in trio.a.agent_log() + trio.a.log() + trio.b.agent_log()


def test_settings_of_the_cluster_are_put_back_by_the_primary_alone(trio: Trio) -> None:
    trio.up()
    changed = dynamic(ARGS) | {"ttl": 60, "added_by_hand": 1, "pause": True}
    with patroni(trio.a, changed) as by_primary, patroni(trio.b, dict(changed)) as by_standby:
        for each in (trio.a, trio.b):
            each.write_member_config()
            each.start_agent()
        eventually(lambda: bool(by_primary), 10, "the primary corrects them")
        assert by_primary[0] == ("/config", {"ttl": ARGS.ttl_s, "added_by_hand": None})
        assert all(path != "/config" for path, _ in by_standby)
