"""One leads a role, by a lock and a token that every write proves: on a real PostgreSQL."""

import pytest

from tests.app.stage import Stage
from trading.storage.errors import LeadershipLost
from trading.storage.leadership import ENGINE, EXECUTION, SCHEDULER, Token, acquire, require_token

pytestmark = pytest.mark.cluster


def test_one_leads_a_role_and_an_older_token_writes_nothing(stage: Stage) -> None:
    with stage.connect() as old, stage.connect() as new:
        token = acquire(old, ENGINE, "old")
        assert token == Token(ENGINE, 1)
        assert acquire(new, ENGINE, "new") is None
        old.execute("SELECT pg_advisory_unlock_all()")  # as when the server has given the old session up
        assert acquire(new, ENGINE, "new") == Token(ENGINE, 2)
        with pytest.raises(LeadershipLost, match="role=engine token=1: the newest is 2"), old.writing():
            require_token(old, token)
        with new.writing():
            require_token(new, Token(ENGINE, 2))


def test_roles_lead_side_by_side(stage: Stage) -> None:
    with stage.connect() as one, stage.connect() as other:
        assert acquire(one, ENGINE, "one") == Token(ENGINE, 1)
        token = acquire(other, EXECUTION, "other")
        assert token == Token(EXECUTION, 1)
        with pytest.raises(LeadershipLost, match="role=scheduler token=1: the newest is none"), other.writing():
            require_token(other, Token(SCHEDULER, 1))


def test_execution_and_the_engine_of_version_0_1_exclude_each_other(stage: Stage) -> None:
    """That one took this lock and did what execution does now; while an upgrade rolls both are there."""
    with stage.connect() as before, stage.connect() as now:
        before.execute("SELECT pg_advisory_lock(7301002)")
        assert acquire(now, EXECUTION, "now") is None
        before.execute("SELECT pg_advisory_unlock(7301002)")
        assert acquire(now, EXECUTION, "now") == Token(EXECUTION, 1)
