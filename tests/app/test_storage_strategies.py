"""Strategies on a real PostgreSQL: seeded once, changed by version, every state of theirs on record."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.app.stage import Stage
from trading.storage.connection import Connection
from trading.storage.strategies import (
    StrategyChanged,
    StrategyNotFound,
    StrategyReasonMissing,
    StrategyRow,
    change,
    find,
    seed,
    strategies,
)
from trading.strategies.registry import StrategyError

pytestmark = pytest.mark.cluster

EMA = StrategyRow("ema-crossover", "ema", True, {"fast": 10, "slow": 30})
OTHER = StrategyRow("other", "ema", False, {"fast": 5, "slow": 20})
HISTORY = "SELECT name, version, enabled, parameters, actor, reason FROM strategy_change ORDER BY name, version"


def seeded(stage: Stage) -> Connection:
    connection = stage.connect()
    with connection.writing():
        seed(connection, [EMA, OTHER])
    return connection


def test_seeding_again_leaves_what_people_have_set(stage: Stage) -> None:
    with seeded(stage) as connection:
        with connection.writing():
            change(connection, "other", True, None, "ann", "a try", 1)
        with connection.writing():
            seed(connection, [EMA, OTHER])
        assert strategies(connection) == [EMA, StrategyRow("other", "ema", True, OTHER.parameters, 2)]
    assert len(stage.query(HISTORY)) == 3


def test_every_change_is_on_record_with_who_and_why(stage: Stage) -> None:
    with seeded(stage) as connection:
        with connection.writing():
            change(connection, "ema-crossover", False, None, "ann", "earnings season", 1)
        with connection.writing():
            after = change(connection, "ema-crossover", None, {"fast": 12, "slow": 26}, "bob", " slower ", 2)
        assert after == find(connection, "ema-crossover")
        assert (after.enabled, after.version) == (False, 3)
        with pytest.raises(psycopg.errors.RestrictViolation, match="strategy_change is append-only"):
            connection.execute("UPDATE strategy_change SET actor = 'eve'")
    assert [row[1:] for row in stage.query(HISTORY) if row[0] == "ema-crossover"] == [
        (1, True, {"fast": 10, "slow": 30}, "system", "a strategy of this version"),
        (2, False, {"fast": 10, "slow": 30}, "ann", "earnings season"),
        (3, False, {"fast": 12, "slow": 26}, "bob", "slower"),
    ]


def test_what_changes_nothing_is_not_noted(stage: Stage) -> None:
    with seeded(stage) as connection, connection.writing():
        assert change(connection, "ema-crossover", True, EMA.parameters, "ann", "to be sure", None) == EMA
    assert len(stage.query(HISTORY)) == 2


def test_of_two_changes_of_one_version_one_is_made(stage: Stage) -> None:
    seeded(stage).close()
    barrier = threading.Barrier(2)

    def one(fast: int) -> str:
        with stage.connect() as connection:
            barrier.wait()
            try:
                with connection.writing():
                    change(connection, "ema-crossover", None, {"fast": fast, "slow": 30}, "ann", "tuning", 1)
            except StrategyChanged as error:
                return str(error)
            return "made"

    with ThreadPoolExecutor(2) as threads:
        results = sorted(threads.map(one, (8, 9)))
    assert results == ["expected_version=1: strategy ema-crossover has version 2; look at it again", "made"]


def test_change_of_what_is_not_there_or_without_a_reason_is_refused(stage: Stage) -> None:
    with seeded(stage) as connection:
        with pytest.raises(StrategyNotFound, match="strategy=nobody: there is none of this name"), connection.writing():
            change(connection, "nobody", True, None, "ann", "a try", None)
        with pytest.raises(StrategyReasonMissing, match="reason: is empty"), connection.writing():
            change(connection, "ema-crossover", False, None, "ann", "  ", None)
        with pytest.raises(StrategyError, match="fats=9: ema has no such parameter"), connection.writing():
            change(connection, "ema-crossover", None, {"fats": 9}, "ann", "a slip", None)
    assert len(stage.query(HISTORY)) == 2
