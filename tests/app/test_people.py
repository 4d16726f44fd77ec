"""The commands `trading user` and `trading audit` on a real database."""

import io
from typing import NamedTuple

import pytest

from tests.app.people import PASSWORD, Person
from tests.app.stage import Stage
from trading.cli import main

pytestmark = pytest.mark.cluster


class Done(NamedTuple):
    """What a command ended with."""

    code: int
    said: str
    error: str


class Trading:
    """The command, run in this process with its own environment and stdin."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        for name, value in stage.env.items():
            monkeypatch.setenv(name, value)

    def __call__(self, *args: str, password: str = PASSWORD) -> Done:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        self._capsys.readouterr()
        error = ""
        try:
            main(args)
        except SystemExit as end:
            error = str(end.code)
        return Done(int(bool(error)), self._capsys.readouterr().out, error)


@pytest.fixture
def trading(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Trading:
    return Trading(stage, monkeypatch, capsys)


def test_the_first_administrator_is_added_by_command_and_logs_in(trading: Trading, stage: Stage) -> None:
    added = trading("user", "add", "asha", "--role", "admin")
    assert (added.code, added.said) == (0, "asha may log in as admin\n")
    again = trading("user", "add", "asha", "--role", "admin")
    assert (again.code, again.said) == (0, "asha is there already\n")
    trading("user", "add", "ravi", "--role", "trader", "--accounts", "main")
    assert trading("user", "list").said == "asha admin all\nravi trader main\n"
    person = Person(stage.start("api"), "asha")
    assert person.log_in().status_code == 200
    assert person.get("/v1/admin/users").status_code == 200
    new = trading("user", "password", "asha", "--actor", "ops", password="another horse battery")
    assert new.said == "asha has a new password; sessions ended: 1\n"
    assert person.get("/v1/auth/me").status_code == 401
    assert person.log_in("another horse battery").status_code == 200
    audit = trading("audit")
    assert audit.said.startswith("5 entries, the chain holds; the last hash is ")
    assert stage.query("SELECT actor, action FROM access_audit ORDER BY seq")[2:4] == [
        ("asha", "session.begin"),
        ("ops", "user.password"),
    ]


@pytest.mark.parametrize(
    ("args", "password", "line"),
    [
        (("add", "asha", "--role", "admin"), "short", "password: must have 12 to 128 characters; choose another"),
        (("add", "asha", "--role", "viewer"), PASSWORD, "name=asha: is taken; choose another, or change that user"),
        (("add", "platform", "--role", "viewer"), PASSWORD, "name=platform: is the deployment's own; choose another"),
        (
            ("add", "x", "--role", "viewer", "--accounts", "y"),
            PASSWORD,
            "accounts: there is no account y; leave it out",
        ),
        (("password", "nobody"), PASSWORD, "name=nobody: nobody has it; see `trading user list`"),
    ],
)
def test_what_cannot_be_done_is_one_line(trading: Trading, args: tuple[str, ...], password: str, line: str) -> None:
    trading("user", "add", "asha", "--role", "admin")
    done = trading("user", *args, password=password)
    assert (done.code, done.error) == (1, f"error: {line}")
    assert trading("user", "list").said == "asha admin all\n"
    assert PASSWORD not in done.error + done.said


def test_a_broken_chain_is_named_and_ends_with_1(trading: Trading, stage: Stage) -> None:
    assert trading("audit").said == "no entries\n"
    for name in ("one", "two", "three"):
        trading("user", "add", name, "--role", "viewer")
    with stage.postgres.admin(stage.database) as admin:
        admin.execute(b"ALTER TABLE access_audit DISABLE TRIGGER access_audit_is_append_only")
        admin.execute(b"DELETE FROM access_audit WHERE seq = 2")
    broken = trading("audit")
    assert broken.code == 1
    assert broken.error.startswith("error: audit: entry 2 does not follow")
