"""Lists on a standby see what was written, wherever; one that is behind, gone or promoted costs nobody an answer.

The tests run in order on one pair of servers, and the last one ends it.
"""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from prometheus_client import REGISTRY

from tests.app.credentials import Credentials
from tests.app.servers import Postgres, eventually, install
from trading.security.credentials import MountedCredential
from trading.settings import from_environment
from trading.storage import standbys
from trading.storage.connection import Connection, Logins, logins
from trading.storage.database import Database
from trading.storage.standbys import Standbys

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def pair() -> Iterator[Postgres]:
    """A primary and its standby, with an empty table."""
    with tempfile.TemporaryDirectory(prefix="trading-pair-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = Postgres(install(), folder / "server", Credentials.values("postgres-app"))
        try:
            server.create("notes")
            with server.admin("notes") as admin:
                admin.execute("CREATE TABLE note (n integer)")
                admin.execute("ALTER TABLE note OWNER TO trading_owner")
            server.replicate()
            yield server
        finally:
            server.stop()


@pytest.fixture
def login(pair: Postgres, tmp_path: Path) -> Logins:
    """How every process reaches the two."""
    settings = from_environment(
        {
            "TRADING_POSTGRES_HOSTS": f"127.0.0.1:{pair.port},127.0.0.1:{pair.standby_port}",
            "TRADING_POSTGRES_DATABASE": "notes",
            "TRADING_REDIS_SENTINELS": "127.0.0.1:1",
        }
    )
    return logins(settings, MountedCredential(Credentials(tmp_path / "c").folder, "postgres-app"), "test")


@pytest.fixture
def make(login: Logins) -> Iterator[Callable[..., Database]]:
    """Makes the database of one more process."""
    made = []

    def one(*, wait_s: float = 5.0, settle_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> Database:
        asked = Standbys(login, max_size=2, wait_s=wait_s, settle_s=settle_s, clock=clock)
        made.append(Database(login, max_size=2, standbys=asked))
        made[-1].open()
        return made[-1]

    yield one
    for database in made:
        database.close()


def add(connection: Connection) -> int:
    """One more row; returns how many there are."""
    with connection.writing():
        connection.execute("INSERT INTO note SELECT count(*) FROM note")
    return look(connection)[0]


def look(connection: Connection) -> tuple[int, bool]:
    """How many rows there are, and whether a standby says so."""
    row = connection.execute("SELECT count(*), pg_is_in_recovery() FROM note").fetchone()
    assert row
    return row[0], row[1]


def fallbacks(reason: str) -> float:
    """How many reads no standby has answered."""
    return REGISTRY.get_sample_value("trading_read_fallbacks_total", {"reason": reason}) or 0.0


def answered_by_standby(database: Database) -> bool:
    """Whether the next list comes from a standby."""
    return database.look(look)[1]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A standby that has failed is asked again by the next read."""
    monkeypatch.setattr(standbys, "ASK_AGAIN_S", 0.0)


@pytest.mark.usefixtures("at_once")
def test_who_finds_no_primary_does_not_try_the_other_password(pair: Postgres, tmp_path: Path) -> None:
    """It has been let in, and the other may not be known there yet: a login for a failover's sake that is refused."""
    settings = from_environment(
        {
            "TRADING_POSTGRES_HOSTS": f"127.0.0.1:{pair.standby_port}",
            "TRADING_POSTGRES_DATABASE": "notes",
            "TRADING_REDIS_SENTINELS": "127.0.0.1:1",
        }
    )
    mounted = Credentials(tmp_path / "c")
    known = Credentials.values("postgres-app")
    mounted.mount("postgres-app", known | {"b": "not known there yet"}, current="a", epoch=2)
    with pytest.raises(psycopg.OperationalError, match="session is read-only"):
        Connection.connect(logins=logins(settings, MountedCredential(mounted.folder, "postgres-app"), "test"))


def test_every_process_finds_on_the_standby_what_any_has_just_written(make: Callable[..., Database]) -> None:
    writer, reader = make(), make()
    eventually(lambda: answered_by_standby(reader), 10, "the standby answers")
    before = REGISTRY.get_sample_value("trading_reads_total", {"target": "standby"}) or 0.0
    for _ in range(30):
        written = writer.run(add)
        assert reader.look(look) == (written, True)
    assert REGISTRY.get_sample_value("trading_reads_total", {"target": "standby"}) == before + 30


@pytest.mark.usefixtures("at_once")
def test_standby_that_is_behind_does_not_answer(pair: Postgres, make: Callable[..., Database]) -> None:
    database = make(wait_s=0.02)
    eventually(lambda: answered_by_standby(database), 10, "the standby answers")
    with pair.admin(on_standby=True) as admin:
        admin.execute("SELECT pg_wal_replay_pause()")
        written, before = database.run(add), fallbacks("lag")
        assert database.look(look) == (written, False)
        assert fallbacks("lag") == before + 1
        admin.execute("SELECT pg_wal_replay_resume()")
    eventually(lambda: answered_by_standby(database), 10, "the standby answers again")


def test_standby_that_is_behind_is_left_alone_for_a_while(pair: Postgres, make: Callable[..., Database]) -> None:
    database = make(wait_s=0.02)
    eventually(lambda: answered_by_standby(database), 10, "the standby answers")
    with pair.admin(on_standby=True) as admin:
        admin.execute("SELECT pg_wal_replay_pause()")
        database.run(add)
        before = fallbacks("lag")
        for _ in range(5):
            assert not answered_by_standby(database)
        admin.execute("SELECT pg_wal_replay_resume()")
    assert fallbacks("lag") == before + 1, "one of the five has waited for it"


@pytest.mark.usefixtures("at_once")
def test_standby_that_goes_costs_nobody_an_answer(pair: Postgres, make: Callable[..., Database]) -> None:
    database = make()
    eventually(lambda: answered_by_standby(database), 10, "the standby answers")
    pair.stop_standby()
    written, before = database.run(add), fallbacks("away")
    assert [database.look(look) for _ in range(3)] == [(written, False)] * 3
    assert fallbacks("away") == before + 3
    pair.start_standby()
    eventually(lambda: answered_by_standby(database), 20, "the standby that has come back answers")


def test_after_a_failover_no_standby_is_asked_for_a_while(pair: Postgres, make: Callable[..., Database]) -> None:
    later = 0.0
    database = make(settle_s=60.0, clock=lambda: time.monotonic() + later)
    assert not answered_by_standby(database), "who has just come may have come in the midst of a failover"
    later += 60
    eventually(lambda: answered_by_standby(database), 10, "the standby answers")
    written, before = database.run(add), fallbacks("failover")
    assert database.look(look) == (written, True)
    pair.fail_over(signal.SIGQUIT)
    assert database.look(look) == (written, False), "the standby is the primary now"
    assert database.look(look) == (written, False)
    assert fallbacks("failover") == before + 1
    assert database.run(add) == written + 1
