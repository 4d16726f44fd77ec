"""Who may connect, as whom and how, on a real server with the component's own rules."""

import subprocess

import psycopg
import pytest

from components.postgres.image.member.render import PACKAGE, PYTHON
from tests.postgres.fix_members import Member, password

pytestmark = pytest.mark.server

APP, REPLICATION = password("postgres-app", 1), password("postgres-replication", 1)


@pytest.mark.parametrize(
    ("user", "secret", "database", "sslmode"),
    [
        ("trading_b", APP, "trading", "disable"),
        ("trading_b", APP, "postgres", "require"),
        ("trading_b", REPLICATION, "trading", "require"),
        ("trading_owner", APP, "trading", "require"),
        ("replicator_b", REPLICATION, "trading", "require"),
        ("replicator_b", REPLICATION, "postgres", "disable"),
        ("postgres", "", "postgres", "require"),
        ("nobody", APP, "trading", "require"),
    ],
)
def test_nobody_else_comes_in(primary: Member, user: str, secret: str, database: str, sslmode: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        primary.connect(user, secret, database, sslmode)


def test_both_slots_share_what_they_create(primary: Member) -> None:
    with primary.connect("trading_b", APP) as current:
        current.execute("CREATE TABLE orders (id int)")
    with primary.connect("trading_a", password("postgres-app", 0)) as previous:
        previous.execute("INSERT INTO orders VALUES (1)")
        previous.execute("ALTER TABLE orders ADD COLUMN more text")
        assert previous.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'").fetchone() == (
            "trading_owner",
        )


def test_the_application_is_no_superuser_and_has_one_database(primary: Member) -> None:
    query = "SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls"
    assert primary.sql(query) == "postgres"
    assert primary.sql("SELECT has_database_privilege('replicator_a', 'trading', 'CONNECT')") == "f"


def test_a_second_pass_changes_nothing(primary: Member) -> None:
    done = primary.run(PYTHON, "-m", f"{PACKAGE}.bootstrap")
    assert done.stderr == ""


def test_no_password_is_kept_or_logged_in_plain_text(primary: Member) -> None:
    kept = primary.sql("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'trading_%' AND rolcanlogin")
    assert [line.partition("$")[0] for line in kept.splitlines()] == ["SCRAM-SHA-256"] * 2
    log = primary.log()
    for kind in ("postgres-app", "postgres-replication"):
        for epoch in (0, 1):
            assert password(kind, epoch) not in log
    assert "SCRAM-SHA-256$" not in log


def test_a_missing_role_or_another_password_is_put_right(primary: Member) -> None:
    primary.sql(
        "DROP ROLE trading_a; ALTER ROLE replicator_a PASSWORD 'changed by hand'; ALTER ROLE trading_b PASSWORD NULL"
    )
    done = primary.run(PYTHON, "-m", f"{PACKAGE}.bootstrap")
    assert "role trading_a" in done.stderr
    assert "password of replicator_a" in done.stderr
    assert "password of trading_b" in done.stderr
    for user, secret in (("trading_a", password("postgres-app", 0)), ("trading_b", APP)):
        primary.connect(user, secret).close()


def test_two_passes_at_once_do_not_meet(primary: Member) -> None:
    primary.sql("DROP ROLE trading_a")
    call = primary.command(PYTHON, "-m", f"{PACKAGE}.bootstrap")
    running = [subprocess.Popen(call, env=primary.environment, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0] * 4, said
    assert sum("role trading_a" in text for text in said) == 1
