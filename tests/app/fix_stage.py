"""Servers once a session, a fresh database and an empty Redis for each test."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.credentials import Credentials
from tests.app.servers import Postgres, RedisSet, install
from tests.app.stage import Stage

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server. Another user must reach its folder; pytest's own folders are shut at each start of a run."""
    with tempfile.TemporaryDirectory(prefix="trading-postgres-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = Postgres(install(), folder / "server", Credentials.values("postgres-app"))
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def redis_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSet]:
    """A Redis master with a replica and a Sentinel."""
    install()
    servers = RedisSet(tmp_path_factory.mktemp("redis") / "set", list(Credentials.values("redis-app").values()))
    yield servers
    servers.kill()


def make_stage(folder: Path, postgres: Postgres, redis_set: RedisSet) -> Stage:
    """A migrated database, an empty Redis, fresh credentials."""
    redis_set.start()
    redis_set.master().flushall()
    postgres.set_passwords(Credentials.values("postgres-app"))
    redis_set.set_passwords(list(Credentials.values("redis-app").values()))
    stage = Stage(folder, f"trading_{next(NUMBERS)}", postgres, redis_set)
    stage.migrate()
    return stage


@pytest.fixture
def stage(tmp_path: Path, postgres: Postgres, redis_set: RedisSet) -> Iterator[Stage]:
    """A stage of the test's own."""
    made = make_stage(tmp_path, postgres, redis_set)
    yield made
    made.close()
