"""The engine's roles on a database that acknowledges what its standby has on disk, for measurements."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.app.credentials import Credentials
from tests.app.servers import Postgres, RedisSet, install
from tests.app.stage import Stage
from trading.services.run import ROLES

DURABLE = {"fsync": "on", "shared_buffers": "128MB"}
TRADERS = [role for role in ("engine", "execution") if role in ROLES]  # what it takes to trade


@contextmanager
def durable_stage() -> Iterator[Stage]:
    """Servers on loopback, a migrated database, no role yet; all of it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="trading-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        postgres = Postgres(install(), folder / "postgres", Credentials.values("postgres-app"), DURABLE)
        redis = RedisSet(folder / "redis", list(Credentials.values("redis-app").values()))
        try:
            stage = Stage(folder, "trading_bench", postgres, redis)
            try:
                stage.migrate()
                postgres.replicate()
                yield stage
            finally:
                stage.close()
        finally:
            redis.kill()
            postgres.stop()
