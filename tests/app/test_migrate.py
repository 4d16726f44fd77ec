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
    number = len(NAMES) + 1
    name = f"{number:04d}_more"
    (folder / f"{name}.sql").write_text(sql)
    text = (folder / "versions" / NAMES[-1].replace(".sql", ".py")).read_text()
    text = text.replace(f'"{number - 2:04d}"', f'"{number - 1:04d}"').replace(
        f'revision = "{number - 1:04d}"\n', f'revision = "{number:04d}"\n', 1
    )
    (folder / "versions" / f"{name}.py").write_text(text)
    return f"{name}.sql"


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
    for number, name in enumerate(NAMES, start=1):
        assert name.startswith(f"{number:04d}_"), "numbers leave no gap"
        text = (folder / "versions" / name.replace(".sql", ".py")).read_text()
        before = f'"{number - 1:04d}"' if number > 1 else "None"
        assert f'revision = "{number:04d}"\ndown_revision = {before}\n' in text


def test_many_replicas_migrate_once(empty: Stage) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(lambda _: empty.migrate(), range(4)))
    assert sorted(applied) == [[], [], [], NAMES]
    assert history(empty) == ([f"{len(NAMES):04d}"], NAMES)
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
    add(folder, "CREATE TABLE half (id integer); SELECT 1 / 0;")
    with pytest.raises(MigrationError, match=rf"^migration after {NAMES[-1]}: division by zero; nothing was changed$"):
        empty.migrate()
    assert history(empty) == before
    assert empty.query("SELECT to_regclass('half'), to_regclass('engine_progress')") == [(None, None)]
    (folder / f"{len(NAMES) + 1:04d}_more.sql").write_text("CREATE TABLE whole AS SELECT '100%s' AS percent")
    assert len(empty.migrate()) == len(NAMES) + 1 - 3
    assert empty.query("SELECT percent FROM whole") == [("100%s",)]


def test_database_of_a_release_without_alembic_is_taken_over(empty: Stage) -> None:
    empty.migrate(to=f"{RELEASED:04d}")
    forget(empty)
    assert empty.migrate() == NAMES[RELEASED:]
    forget(empty)
    assert empty.migrate() == [], "nothing to do, whatever Alembic knows"


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
