"""What a member does beside its Patroni when a cut leaves the primary on one side: three members, one acknowledgement.

Patroni, the other agents and the Kubernetes API are stood in for by one server on loopback; PostgreSQL by what it said.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from components.postgres.image.member import marks, peers, server, yielding
from components.postgres.image.member.marks import Mark, Marks
from components.postgres.image.member.paths import Cluster, Paths
from components.postgres.image.member.server import Observation
from components.postgres.image.member.stranded import Complaint, decode
from components.postgres.image.member.wal import Lineage, Point
from components.postgres.image.member.yielding import Watch

HERE = "127.0.0.1"


@dataclass
class Cut:
    """The others as one member finds them, and what it did."""

    leader: str | None = "a"
    annotations: dict[str, str | None] = field(default_factory=dict)
    asked: list[object] = field(default_factory=list)

    def read(self, names: list[str]) -> dict[str, str]:
        return {name: text for name in names if (text := self.annotations.get(name))}

    def write(self, name: str, text: str | None) -> None:
        self.annotations[name] = text


@dataclass
class Database:
    """A server that says who it is and how many it is joined to."""

    kind: str
    joined: int

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, _: str) -> "Database":
        return self

    def fetchone(self) -> tuple[int]:
        return (self.joined,)


@pytest.fixture
def cut() -> Iterator[tuple[Cut, Cluster]]:
    """Patroni and the agents of the members that answer, at one port."""
    found = Cut()
    position = marks.encode(Marks("1", (Mark("standby", Point(Lineage(1), 100)),))) | {"newest": 1}

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = [{"name": "a", "role": "leader"}] if found.leader else []
            self.answer(position if self.path == "/position" else {"members": listed})

        def do_POST(self) -> None:
            found.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer({})

        def answer(self, body: object) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((HERE, 0), Answers) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        port = http.server_address[1]
        yield found, Cluster(("a", "b", "c"), "", 1, 0, port, port, "trading")
        http.shutdown()


def watch(monkeypatch: pytest.MonkeyPatch, found: tuple[Cut, Cluster], member: str, database: Database) -> Watch:
    """A member to which the agent of `a` does not answer, and that of the others does."""
    state, cluster = found
    # an address where nothing listens refuses at once
    addresses = {"a": "127.0.0.2", "b": HERE, "c": HERE}
    monkeypatch.setattr(peers, "known_addresses", lambda *_: addresses)
    monkeypatch.setattr(server, "connect", lambda *_: database)
    monkeypatch.setattr(server, "observe", lambda each: Observation("1", each.kind, 1, 100))
    pods: Any = state
    return Watch(Paths(), cluster, member, HERE, pods)


def test_a_standby_that_loses_the_primary_complains_at_the_third_look_and_takes_it_back_when_it_streams_again(
    monkeypatch: pytest.MonkeyPatch, cut: tuple[Cut, Cluster]
) -> None:
    database = Database("standby", 0)
    standby = watch(monkeypatch, cut, "b", database)
    said = []
    for _ in range(4):
        standby.look()
        said.append(decode(cut[0].annotations["b"] or ""))
    assert said == [None, None, Complaint("a", frozenset({"c"}), 1), Complaint("a", frozenset({"c"}), 2)]
    assert standby.complaining
    database.joined = 1
    standby.look()
    assert (cut[0].annotations["b"], standby.complaining, cut[0].asked) == (None, False, [])


def test_it_asks_for_its_promotion_when_the_primary_that_it_missed_has_yielded(
    monkeypatch: pytest.MonkeyPatch, cut: tuple[Cut, Cluster]
) -> None:
    standby = watch(monkeypatch, cut, "b", Database("standby", 0))
    for _ in range(yielding.PATIENCE):
        standby.look()
    cut[0].leader = None
    standby.look()
    assert cut[0].asked == [{"candidate": "b"}]


def test_of_equals_only_the_first_asks(monkeypatch: pytest.MonkeyPatch, cut: tuple[Cut, Cluster]) -> None:
    standby = watch(monkeypatch, cut, "c", Database("standby", 0))
    for _ in range(yielding.PATIENCE):
        standby.look()
    cut[0].leader = None
    standby.look()
    assert cut[0].asked == []


def test_a_primary_yields_at_the_first_new_complaint(monkeypatch: pytest.MonkeyPatch, cut: tuple[Cut, Cluster]) -> None:
    primary = watch(monkeypatch, cut, "a", Database("primary", 0))
    for _ in range(yielding.PATIENCE):
        assert primary.look() is None
    cut[0].annotations["b"] = Complaint("a", frozenset({"c"}), 1).encode()
    assert primary.look() is not None


def test_it_stays_for_a_complaint_that_lay_there_when_it_began_to_look(
    monkeypatch: pytest.MonkeyPatch, cut: tuple[Cut, Cluster]
) -> None:
    database = Database("primary", 0)
    primary = watch(monkeypatch, cut, "a", database)
    cut[0].annotations["b"] = Complaint("a", frozenset({"c"}), 9).encode()
    assert [primary.look() for _ in range(2 * yielding.PATIENCE)] == [None] * 2 * yielding.PATIENCE
    # it was followed in between: what it saw before says nothing any more
    del cut[0].annotations["b"]
    primary.look()
    database.joined = 1
    primary.look()
    database.joined = 0
    cut[0].annotations["b"] = Complaint("a", frozenset({"c"}), 10).encode()
    assert [primary.look() for _ in range(yielding.PATIENCE)] == [None] * yielding.PATIENCE


def test_yielding_ends_the_server_at_once_and_patroni_in_order(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    patroni, postmaster = subprocess.Popen(sleeper), subprocess.Popen(sleeper)
    file = tmp_path / "postmaster.pid"
    file.write_text(f"{postmaster.pid}\n/data/pgdata\n")
    yielding.end(file, patroni.pid)
    assert (patroni.wait(10), postmaster.wait(10)) == (-signal.SIGTERM, -signal.SIGQUIT)


@pytest.mark.parametrize("text", [None, "", "starting\n"])
def test_a_server_that_is_gone_already_leaves_patroni_to_end(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "postmaster.pid"
    if text is not None:
        file.write_text(text)
    patroni = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yielding.end(file, patroni.pid)
    assert patroni.wait(10) == -signal.SIGTERM
