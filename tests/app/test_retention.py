"""What access leaves behind is deleted when its time is over, and not before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from tests.app.stage import Stage
from trading.security.principal import Role
from trading.services.leader import Reign
from trading.services.scheduler import clean
from trading.storage import idempotency, sessions, users
from trading.storage.connection import Connection
from trading.storage.leadership import SCHEDULER, acquire
from trading.storage.sessions import Refreshed

pytestmark = pytest.mark.cluster
SESSION = timedelta(days=14)


@pytest.fixture
def reign(stage: Stage) -> Iterator[Reign]:
    with stage.connect() as connection:
        users.add_user(connection, "asha", Role.TRADER, None, "")
        token = acquire(connection, SCHEDULER, "test")
        assert token
        yield Reign(connection, token, lambda: False, lambda _: None)


def token(name: str) -> bytes:
    return sha256(name.encode()).digest()


def session(connection: Connection, name: str) -> UUID:
    """A session whose first token was exchanged twice."""
    made = uuid4()
    sessions.begin(connection, made, "asha", datetime.now(UTC) + SESSION, token(f"{name} 0"))
    for number in (0, 1):
        refreshed = sessions.refresh(connection, token(f"{name} {number}"), token(f"{name} {number + 1}"))
        assert refreshed.session == made
    return made


def pass_by(stage: Stage, time: timedelta) -> None:
    """Let everything that is there become so much older."""
    with stage.postgres.admin(stage.database) as admin:
        admin.execute(
            "UPDATE user_session SET created_at = created_at - %(t)s, expires_at = expires_at - %(t)s", {"t": time}
        )
        admin.execute("UPDATE refresh_token SET issued_at = issued_at - %s", (time,))
        admin.execute("UPDATE idempotency_key SET recorded_at = recorded_at - %s", (time,))


def rows(stage: Stage) -> dict[str, object]:
    [(sessions_, tokens, answers)] = stage.query(
        "SELECT (SELECT count(*) FROM user_session), (SELECT count(*) FROM refresh_token), "
        "(SELECT count(*) FROM idempotency_key)"
    )
    return {"user_session": sessions_, "refresh_token": tokens, "idempotency_key": answers}


def test_sessions_go_a_day_after_their_end_and_until_then_a_second_use_of_a_token_ends_them(
    stage: Stage, reign: Reign
) -> None:
    session(reign.connection, "old")
    pass_by(stage, SESSION - timedelta(minutes=1))
    clean(reign)
    assert rows(stage)["refresh_token"] == 3, "the first token is two weeks old, and must be known again"
    new = session(reign.connection, "new")
    assert sessions.refresh(reign.connection, token("old 0"), token("thief")) == Refreshed(None, "asha", reused=True)
    pass_by(stage, timedelta(days=1))
    clean(reign)
    assert rows(stage)["user_session"] == 2, "it is kept for a day"
    pass_by(stage, timedelta(minutes=2))
    clean(reign)
    assert rows(stage)["refresh_token"] == 3
    assert stage.query("SELECT id FROM user_session") == [(new,)]
    assert sessions.refresh(reign.connection, token("old 2"), token("late")) == Refreshed(None), (
        "as one never given out"
    )
    assert sessions.refresh(reign.connection, token("new 2"), token("new 3")).session == new


def test_an_answer_is_given_again_for_a_day_and_then_deleted(stage: Stage, reign: Reign) -> None:
    connection, done = reign.connection, []

    def ask() -> idempotency.Answer:
        def work() -> idempotency.Answer:
            done.append(1)
            return HTTPStatus.OK, {"done": len(done)}

        with connection.writing():
            return idempotency.once(connection, "asha", "key", "digest", work)

    assert ask() == (200, {"done": 1})
    pass_by(stage, timedelta(hours=23, minutes=59))
    clean(reign)
    assert ask() == (200, {"done": 1})
    pass_by(stage, timedelta(minutes=2))
    clean(reign)
    assert rows(stage)["idempotency_key"] == 0
    assert ask() == (200, {"done": 2})


def test_a_backlog_goes_in_batches_and_is_counted(stage: Stage, reign: Reign) -> None:
    for number in range(5):
        session(reign.connection, str(number))
    pass_by(stage, SESSION + timedelta(days=2))
    before, left = counted(), []
    while clean(reign, batch=4):
        left.append(rows(stage)["refresh_token"])
    assert left == [11, 7, 3]
    assert set(rows(stage).values()) == {0}
    assert counted() - before == 15


def counted() -> float:
    labels = {"table": "refresh_token"}
    return REGISTRY.get_sample_value("trading_expired_rows_deleted_total", labels) or 0.0
