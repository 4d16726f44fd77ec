"""The schema's migrations: by many at once, on a dead database, over changed files, with an error, after a release."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.app.stage import Stage
from trading.storage import migrate as migrating
from trading.storage.migrate import MigrationError, migrate
from trading.storage.schema import is_current, migrations

pytestmark = pytest.mark.cluster

NAMES = [migration.name for migration in migrations()]
RELEASED = 6  # migrations of a release that knew nothing of Alembic


@pytest.fixture
def empty(stage: Stage) -> Stage:
    """The stage on a database that nobody has migrated."""
    stage.database = f"{stage.database}_empty"
    stage.postgres.create(stage.database)
    stage.env["TRADING_POSTGRES_DATABASE"] = stage.database
    return stage


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's files, which the test may change."""
    package = tmp_path / "storage"
    shutil.copytree(Path(migrating.__file__).parent / "migrations", package / "migrations")
    monkeypatch.setattr("importlib.resources.files", lambda _: package)
    return package / "migrations"


def add(folder: Path, sql: str) -> str:
    """One more migration; returns its file's name."""
    last = migrations()[-1]
    name = f"{last.version + 1:04d}_more"
    (folder / f"{name}.sql").write_text(sql)
    revision = f'revision = "{last.version + 1:04d}"\ndown_revision = "{last.revision}"\n'
    upgrade = "from trading.storage.revision import run\n\n\ndef upgrade() -> None:\n    run(__file__)\n"
    (folder / "versions" / f"{name}.py").write_text(revision + upgrade)
    return f"{name}.sql"


# What a database of a revision holds when the next one comes: a row in each table that is new.
FILLED = {
    "0001": (
        "INSERT INTO instrument VALUES ('INFY', 'NSE', 0.10, 1)",
        "INSERT INTO feed VALUES ('f', 'file')",
        "INSERT INTO feed_progress VALUES ('f', 7, now(), '{\"INFY\": \"100\"}')",
        "INSERT INTO orders OVERRIDING SYSTEM VALUE SELECT gen_random_uuid(), n, 'main', 'c' || n, 'INFY', 'BUY', "
        "'LIMIT', 'CNC', 'DAY', 10, 99.5, now() - n * interval '20 days', 'FILLED', 2, 10, 995 "
        "FROM generate_series(1, 50) n",
        "INSERT INTO order_event SELECT id, 1, 'INITIALIZED', '{}' FROM orders",
        "INSERT INTO order_event SELECT id, 2, 'FILLED', '{}', now(), 'nse', client_order_id FROM orders",
        "INSERT INTO position VALUES ('main', 'INFY', 'CNC', 500, 49750, 0)",
        "INSERT INTO leadership VALUES ('execution', 3, 'pod', now())",
    ),
    "0002": ("INSERT INTO trading_state_event VALUES (1, 'HALTED', 'OPERATOR', 'test', 'me')",),
    "0003": (
        "INSERT INTO strategy VALUES ('s', 'ema', true, '{}')",
        "INSERT INTO strategy_change VALUES ('s', 1, true, '{}', 'me', 'test')",
        "INSERT INTO signal VALUES ('s', 'f', 1, 'INFY', now(), 0.5)",
        "INSERT INTO bar VALUES ('INFY', '1m', now(), 1, 2, 1, 2, 9, 'f')",
        "INSERT INTO equity_point VALUES ('main', now(), 1, 1, 0, 0, 0)",
        "INSERT INTO backtest VALUES (gen_random_uuid(), 'me', now(), '{}')",
    ),
    "0004": (
        "INSERT INTO user_account VALUES ('me', 'admin', NULL, 'x')",
        "INSERT INTO allowlist_version VALUES (1, true, '{}', 'me')",
    ),
    "0007": ("INSERT INTO idempotency_key VALUES ('me', 'k', 'x')",),
    "0009": ("INSERT INTO broker_change VALUES (1, 'paper', 'PAPER')",),
}


def rows(stage: Stage) -> dict[str, set[frozenset[tuple[str, str]]]]:
    """Every table's rows, as the columns and values that they consist of."""
    tables = stage.query(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') "
        "AND NOT c.relispartition AND c.relname NOT IN ('alembic_version', 'schema_migration')"
    )
    found = {}
    for (table,) in tables:
        everything = stage.query(f"SELECT to_jsonb(t) FROM {table} t")  # noqa: S608
        found[str(table)] = {frozenset((name, str(value)) for name, value in row.items()) for (row,) in everything}
    return found


def history(stage: Stage) -> tuple[list[str], list[str]]:
    """What Alembic and the record of files say."""
    return (
        [str(row[0]) for row in stage.query("SELECT version_num FROM alembic_version")],
        [str(row[0]) for row in stage.query("SELECT name FROM schema_migration ORDER BY version")],
    )


def forget(stage: Stage) -> None:
    """Leave the database as a release without Alembic does."""
    with stage.postgres.admin(stage.database) as admin:
        admin.execute("DROP TABLE alembic_version")


def test_every_file_is_a_revision_after_the_one_before() -> None:
    folder = Path(migrating.__file__).parent / "migrations"
    assert [file.stem for file in sorted((folder / "versions").glob("0*.py"))] == [name[:-4] for name in NAMES]
    before = "None"
    for migration in migrations():
        text = (folder / "versions" / migration.name.replace(".sql", ".py")).read_text()
        assert f'revision = "{migration.revision}"\ndown_revision = {before}\n' in text
        before = f'"{migration.revision}"'


def test_many_replicas_migrate_once(empty: Stage) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(lambda _: empty.migrate(), range(4)))
    assert sorted(applied) == [[], [], [], NAMES]
    assert history(empty) == ([NAMES[-1][:4]], NAMES)
    with empty.connect() as connection:
        assert is_current(connection)
    assert empty.migrate() == []


def test_file_that_was_changed_after_it_was_applied_is_refused(stage: Stage) -> None:
    stage.query("UPDATE schema_migration SET sha256 = 'x' WHERE version = 1 RETURNING 1")
    with pytest.raises(MigrationError, match=r"^migration 0001_orders\.sql: differs from what was applied.*restore"):
        stage.migrate()


def test_file_that_was_left_out_is_refused(stage: Stage) -> None:
    stage.query("DELETE FROM schema_migration WHERE version = 2 RETURNING 1")
    with pytest.raises(MigrationError, match=r"^migration 0002_.*left out of this database.*next free number"):
        stage.migrate()


def test_migrate_says_who_does_not_answer(stage: Stage) -> None:
    stage.env["TRADING_POSTGRES_HOSTS"] = "127.0.0.1:1"
    with pytest.raises(MigrationError, match=r"no writable PostgreSQL at 127.0.0.1 within 0 s .*refused"):
        migrate(stage.logins(), wait_s=0)


def test_failing_migration_leaves_nothing_half_done(empty: Stage, folder: Path) -> None:
    empty.migrate(to="0003")
    before = history(empty)
    name = add(folder, "CREATE TABLE half (id integer); SELECT 1 / 0;")
    with pytest.raises(MigrationError, match=rf"^migration after {NAMES[-1]}: division by zero; nothing was changed$"):
        empty.migrate()
    assert history(empty) == before
    assert empty.query("SELECT to_regclass('half'), to_regclass('engine_progress')") == [(None, None)]
    (folder / name).write_text("CREATE TABLE whole AS SELECT '100%s' AS percent")
    assert len(empty.migrate()) == len(NAMES) + 1 - 3
    assert empty.query("SELECT percent FROM whole") == [("100%s",)]


def test_database_of_a_release_without_alembic_is_taken_over(empty: Stage) -> None:
    empty.migrate(to=f"{RELEASED:04d}")
    forget(empty)
    assert empty.migrate() == NAMES[RELEASED:]
    forget(empty)
    assert empty.migrate() == [], "nothing to do, whatever Alembic knows"


def test_every_migration_keeps_the_rows_that_are_there(empty: Stage) -> None:
    before: dict[str, set[frozenset[tuple[str, str]]]] = {}
    for migration in migrations():
        assert empty.migrate(to=migration.revision) == [migration.name]
        after = rows(empty)
        for table, kept in before.items():
            columns = {name for row in kept for name, _ in row}
            assert {frozenset(pair for pair in row if pair[0] in columns) for row in after[table]} == kept, table
        with empty.postgres.admin(empty.database) as admin:
            for statement in FILLED.get(migration.revision, ()):
                admin.execute(statement.encode())
        before = rows(empty)
    assert empty.query("SELECT count(*), count(DISTINCT tableoid) > 20 FROM order_event") == [(100, True)]
    assert empty.query("SELECT count(*) FROM trade JOIN order_event USING (venue, trade_id, order_id, seq)") == [(50,)]


def test_release_before_leaves_the_schema_of_a_newer_one_alone(stage: Stage, folder: Path) -> None:
    name = add(folder, "CREATE TABLE newer (id integer)")
    assert stage.migrate() == [name]
    (folder / name).unlink()
    (folder / "versions" / name.replace(".sql", ".py")).unlink()
    assert stage.migrate() == []
    with stage.connect() as connection:
        assert is_current(connection)


def test_only_the_command_loads_alembic() -> None:
    code = "import sys, trading.cli; print(sorted({'alembic', 'sqlalchemy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="app")
    assert done.stdout == "[]\n"
